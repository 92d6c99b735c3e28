"""Mirrors that are slow, or say too much, on real sockets: each has its time, and no more."""

import base64
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from tuf.api.exceptions import DownloadHTTPError, DownloadLengthMismatchError, SlowRetrievalError

from banlistd.core.fleet.kept_rows import LARGEST_ROLE
from banlistd.trust.mirrors import Mirrors
from banlistd.trust.taking import Pull
from support.fleet_repository import Repository
from support.mirror import ENDLESS, mirror_of
from support.trickling import trickling

HEADER = b"HTTP/1.1 200 OK\r\nContent-Length: 15000\r\n\r\n"
NO_ROOT = b"HTTP/1.1 404 Not Found\r\nContent-Length: 9000000000\r\n\r\n"


@contextmanager
def asked(urls: list[str], seconds: float = 0.3) -> Iterator[Mirrors]:
    with closing(Mirrors(urls, None, "test")) as mirrors:
        mirrors.begin(urls[0], seconds, 30.0, 0.3)
        yield mirrors


def order(folder: Path, repository: Repository, urls: list[str], rows: dict[str, str] | None = None) -> dict[str, Any]:
    """Of a pull within two seconds that wants a list that no fleet has. `rows`: what was verified before."""
    work = Path(tempfile.mkdtemp(dir=folder))
    return {
        "folder": str(work),
        "urls": urls,
        "ca": None,
        "agent": "test",
        "now": time.time(),
        "floor": 0.0,
        "within": 2.0,
        "compares": False,
        "rows": rows or {},
        "pinned": base64.b64encode(repository.first_root).decode(),
        "lists": [{"name": "absent", "known": "", "hash": "", "max_bytes": 1, "base": 0, "result": 0}],
    }


@pytest.mark.parametrize("at_once", [b"HTTP/1.1 200 OK\r\nX: ", HEADER, b""])
def test_a_mirror_that_trickles_is_given_up(at_once: bytes) -> None:
    with trickling(at_once) as url, asked([url]) as mirrors, pytest.raises(SlowRetrievalError):
        b"".join(mirrors.fetch(f"{url}/metadata/timestamp.json"))
    assert mirrors.late == [url]
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_the_endless_page_of_a_file_that_is_not_there_is_not_read() -> None:
    with trickling(NO_ROOT) as url, asked([url], 20.0) as mirrors, pytest.raises(DownloadHTTPError):
        mirrors.fetch(f"{url}/targets/a")
    assert not mirrors.late


def test_metadata_is_bounded_whatever_a_snapshot_says(tmp_path: Path) -> None:
    with mirror_of(tmp_path) as mirror:
        mirror.files["metadata/1.hub.json"] = ENDLESS
        with asked([mirror.url], 20.0) as mirrors, pytest.raises(DownloadLengthMismatchError):
            b"".join(mirrors.fetch(f"{mirror.url}/metadata/1.hub.json"))
    assert mirrors.octets < 2 * LARGEST_ROLE


def test_a_mirror_that_trickles_a_root_costs_the_others_nothing(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata/timestamp.json").write_bytes(b"here")
    with trickling(HEADER) as slow, mirror_of(tmp_path) as mirror, asked([mirror.url, slow], 20.0) as mirrors:
        for _ in range(2):
            with pytest.raises(DownloadHTTPError, match="no mirror has"):
                mirrors.fetch(f"{mirror.url}/metadata/2.root.json")
        assert b"".join(mirrors.fetch(f"{mirror.url}/metadata/timestamp.json")) == b"here"
    assert mirrors.late == [slow]
    assert mirrors.requests == 4


def test_the_next_mirror_brings_a_revocation_past_one_that_trickles(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish()
    repository.revoke("b", by="a")
    with ExitStack() as stack:
        slow = stack.enter_context(trickling(HEADER))
        good = stack.enter_context(mirror_of(repository.folder)).url
        pull = Pull(order(tmp_path, repository, [slow, good]))
        pull.run()
    assert pull.answer["root"]["version"] == 2
    assert pull.answer["lists"] == {"absent": {"state": "absent"}}
    assert (pull.answer["mirror"], pull.answer["late"]) == (good, [slow])


def test_a_version_that_no_database_takes_is_refused_with_its_reason_and_not_kept(tmp_path: Path) -> None:
    """Who has stolen the key of a hub may sign any."""
    repository = Repository(tmp_path / "repository")
    repository.publish()
    before = repository.timestamp.signed.version
    with mirror_of(repository.folder) as mirror:
        first = Pull(order(tmp_path, repository, [mirror.url]))
        first.run()
        repository.timestamp.signed.version = 2**63 - 1
        repository.publish()
        second = Pull(order(tmp_path, repository, [mirror.url], first.answer["rows"]))
        second.run()
    reason = f"timestamp.json has version {2**63}, above {2**63 - 1}"
    assert second.answer["refused"] == [{"mirror": mirror.url, "kind": "refused", "reason": reason, "list": ""}]
    assert second.answer["timestamp"]["version"] == before
    assert "timestamp.json" not in second.answer["rows"]


def test_metadata_is_bounded_as_python_tuf_asks_and_waits_for_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata/timestamp.json").write_bytes(b"123456")
    monkeypatch.delattr(tempfile, "TemporaryFile")
    with mirror_of(tmp_path) as mirror, asked([mirror.url], 20.0) as mirrors:
        url = f"{mirror.url}/metadata/timestamp.json"
        assert mirrors.download_bytes(url, 6) == b"123456"
        with pytest.raises(DownloadLengthMismatchError, match="more than 5 bytes"):
            mirrors.download_bytes(url, 5)


def test_a_short_file_of_a_list_waits_for_no_file_on_the_disk_and_a_long_one_is_not_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets/a").write_bytes(b"123456")
    made = []

    def temporary() -> IO[bytes]:
        made.append(tmp_path / "made")
        return made[-1].open("w+b")

    monkeypatch.setattr(tempfile, "TemporaryFile", temporary)
    with mirror_of(tmp_path) as mirror, asked([mirror.url], 20.0) as mirrors:
        url = f"{mirror.url}/targets/a"
        for most, files in ((6, 0), (1 << 20, 0), ((1 << 20) + 1, 1)):
            with mirrors.download_file(url, most) as file:
                assert (file.read(), len(made)) == (b"123456", files)
        with pytest.raises(DownloadLengthMismatchError, match="more than 5 bytes"), mirrors.download_file(url, 5):
            pass
