"""Files that banlistctl writes for a person."""

import os
import stat
from pathlib import Path

import pytest

from banlistd.ctl.install_units import NotWritableError
from banlistd.ctl.output_file import write_file
from ctl.canned import CannedDaemon
from ctl.conftest import CtlCall


def test_a_new_file_is_for_its_owner_whatever_the_umask(tmp_path: Path) -> None:
    path, before = tmp_path / "report.html", os.umask(0)
    try:
        assert write_file(str(path), "text\n") == [f"written: {path}"]
    finally:
        os.umask(before)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("text\n", 0o600)
    assert [*tmp_path.iterdir()] == [path]


def test_an_older_file_is_replaced_whole_and_becomes_one_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("older")
    path.chmod(0o644)
    with path.open() as reader:
        write_file(str(path), "newer")
        assert reader.read() == "older"
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("newer", 0o600)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "link to nothing"])
def test_what_is_no_regular_file_is_refused_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    path, aim = tmp_path / "report.html", tmp_path / "aim"
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.symlink_to(aim)
    if kind == "link":
        aim.write_text("precious")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(NotWritableError, match=r"report\.html is there and is not a regular file"):
        write_file(str(path), "text")
    assert sorted(tmp_path.iterdir()) == before
    assert kind != "link" or aim.read_text() == "precious"


def test_a_full_disk_leaves_the_older_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "report.html"
    path.write_text("older")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotWritableError, match="No space left on device"):
        write_file(str(path), "newer")
    assert path.read_text() == "older"
    assert [*tmp_path.iterdir()] == [path]


def test_a_folder_that_is_missing_is_an_error_of_the_tool(daemon: CannedDaemon, call: CtlCall, tmp_path: Path) -> None:
    code, out, err = call("report", "--html", str(tmp_path / "none" / "report.html"))
    assert (code, out) == (73, "")
    assert "cannot write" in err
    assert "No such file or directory" in err


def test_the_report_is_written_to_a_file_or_printed(daemon: CannedDaemon, call: CtlCall, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert call("report", "--html", str(path)) == (0, f"written: {path}\n", "")
    code, out, err = call("report", "--html", "-")
    assert (code, err) == (0, "")
    assert out.startswith("<!DOCTYPE html>\n")
    (name, ids, past, since), *_ = daemon.operations.asked
    assert (name, ids, past) == ("report", (), False)
    assert since is not None


def test_a_document_for_programs_is_printed_beside_the_file_but_not_into_it(
    daemon: CannedDaemon, call: CtlCall, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    code, out, _ = call("report", "--json", "--html", str(path))
    assert (code, out[:10]) == (0, '{"lists": ')
    assert path.read_text().startswith("<!DOCTYPE html>\n")
    code, out, err = call("report", "--json", "--html", "-")
    assert code == 64
    assert "stdout cannot have both documents" in err
