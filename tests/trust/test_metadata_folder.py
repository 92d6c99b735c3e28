"""The folder with the metadata that python-tuf has verified."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from banlistd.trust.metadata_folder import MetadataFolder

OLD, NEW = (json.dumps({"signed": {"version": n, "expires": "2026-12-01T08:09:10Z"}}).encode() for n in (1, 2))


def test_what_was_written_comes_back_and_links_do_not(tmp_path: Path) -> None:
    folder = MetadataFolder(tmp_path / "metadata")
    rows = {"timestamp.json": OLD, "root_history/1.root.json": OLD}
    folder.write(rows)
    (folder.place / "root.json").symlink_to("root_history/1.root.json")
    (folder.place / "tmp1234").write_bytes(b"of python-tuf")
    assert folder.rows() == rows
    assert folder.changed(rows) == {}
    folder.write({"timestamp.json": NEW})
    assert folder.changed(rows) == {"timestamp.json": NEW}
    assert folder.content("root.json") == OLD
    folder.remove("timestamp.json")
    assert folder.content("timestamp.json") == b""
    assert folder.rows() == {"root_history/1.root.json": OLD}


def test_a_file_that_is_shorter_than_the_one_before_has_nothing_of_it(tmp_path: Path) -> None:
    folder = MetadataFolder(tmp_path)
    folder.write({"timestamp.json": b"123456"})
    folder.write({"timestamp.json": b"12"})
    assert folder.content("timestamp.json") == b"12"


def test_metadata_is_parsed_once_however_often_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, parsed, loads = MetadataFolder(tmp_path), 0, json.loads

    def counted(octets: bytes) -> object:
        nonlocal parsed
        parsed += 1
        return loads(octets)

    monkeypatch.setattr(json, "loads", counted)
    for _ in range(3):
        assert [folder.signed_in(one)["version"] for one in (OLD, NEW)] == [1, 2]
        assert folder.end_of(bytes(bytearray(NEW))) == datetime(2026, 12, 1, 8, 9, 10, tzinfo=UTC).timestamp()
    assert parsed == 2
