import asyncio
import contextlib
import errno
import fcntl
import gzip
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from banlistd.adapters.fetch import file
from banlistd.adapters.fetch.list_path import hash_of_file, open_list
from banlistd.core.config.model import Source
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError
from banlistd.formats import Format
from banlistd.model import NotModified, SourceId, Validators
from support.in_process_parser import InProcessParser, InProcessSession, body_of, downloads, ignored

LIST = b"192.0.2.1\n" * 1000


def fetch(path: Path, validators: Validators | None = None, max_bytes: int = 1 << 20) -> Download | NotModified:
    source = Source(id=SourceId("a-list"), path=path, timeout=10.0, max_bytes=max_bytes)
    return asyncio.run(downloads("1").fetch(source, validators or Validators(), ignored))


def written(path: Path, content: bytes = LIST) -> Path:
    path.write_bytes(content)
    return path


def taken(path: Path) -> Download:
    outcome = fetch(path)
    assert isinstance(outcome, Download)
    return outcome


def test_a_file_comes_whole_with_the_hash_of_its_halves(tmp_path: Path) -> None:
    half = len(LIST) // 2
    halves = hashlib.sha256(LIST[:half]).digest() + hashlib.sha256(LIST[half:]).digest()
    download = taken(written(tmp_path / "list"))
    assert body_of(download) == LIST
    assert download.validators.body_hash == hashlib.sha256(halves).hexdigest()
    assert download.validators.last_modified == ""


def test_a_byte_anywhere_in_a_file_changes_its_hash(tmp_path: Path) -> None:
    content = bytes(range(251)) * 2000  # more than is read at once
    places = [0, 1, len(content) // 2 - 1, len(content) // 2, len(content) // 2 + 1, len(content) - 1]
    contents = [content, content[:-1], *(content[:at] + b"\xff" + content[at + 1 :] for at in places)]
    hashes = {taken(written(tmp_path / "list", each)).validators.body_hash for each in contents}
    assert len(hashes) == len(contents)


class Publishers(InProcessParser):
    """Notes the publisher of each list."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    @asynccontextmanager
    async def session(
        self, form: Format, max_bytes: int, seconds: float, encoding: str = "", next_path: str = "", publisher: str = ""
    ) -> AsyncIterator[InProcessSession]:
        self.names.append(publisher)
        async with super().session(form, max_bytes, seconds, encoding, next_path, publisher) as session:
            yield session

    def of(self, *paths: Path) -> list[str]:
        for path in paths:
            source = Source(id=SourceId("a-list"), path=path, timeout=10.0, max_bytes=1 << 20)
            asyncio.run(file.LocalFiles(self).fetch(source, Validators(), ignored))
        return self.names


def test_the_publisher_of_a_file_is_the_owner_and_the_folder_that_links_lead_to(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "link").symlink_to(inner)
    (tmp_path / "other").symlink_to(inner / "a")
    written(tmp_path / "outside")
    paths = written(inner / "a"), written(inner / "b"), tmp_path / "link" / "a", tmp_path / "other", tmp_path / "outside"
    *same, outside = Publishers().of(*paths)
    assert set(same) == {f"{os.getuid()} {inner.resolve()}"}
    assert outside == f"{os.getuid()} {tmp_path.resolve()}"


def test_a_file_that_is_long_or_packed_or_may_be_written_by_others_has_no_publisher(tmp_path: Path) -> None:
    open_to_others = written(tmp_path / "open")
    open_to_others.chmod(0o666)
    paths = written(tmp_path / "long", LIST * 10), written(tmp_path / "packed", gzip.compress(LIST)), open_to_others
    assert Publishers().of(*paths) == ["", "", ""]


def test_a_file_that_was_not_touched_is_not_read_again(tmp_path: Path) -> None:
    path = written(tmp_path / "list")
    assert fetch(path, taken(path).validators) == NotModified()


def test_a_file_written_anew_with_the_same_bytes_is_only_remembered_anew(tmp_path: Path) -> None:
    path = written(tmp_path / "list")
    first = taken(path).validators
    outcome = fetch(written(path), first)
    assert isinstance(outcome, NotModified)
    assert outcome.validators
    assert outcome.validators.etag != first.etag
    assert outcome.validators.body_hash == first.body_hash
    assert fetch(path, outcome.validators) == NotModified()


def test_a_file_written_anew_in_the_same_size_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path / "list", b"192.0.2.1\n")
    for number in range(2, 9):
        validators = taken(path).validators
        written(path, b"192.0.2.%d\n" % number)
        assert fetch(path, validators) != NotModified()


class Order(InProcessParser):
    """A parser that notes when it is started, and when the file is hashed and the attempt recorded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.steps: list[str] = []
        monkeypatch.setattr(file, "hash_of_file", self._hashed)
        monkeypatch.setattr(file, "_SHORT", -1)  # every file is a long one

    @asynccontextmanager
    async def session(
        self, form: Format, max_bytes: int, seconds: float, encoding: str = "", next_path: str = "", publisher: str = ""
    ) -> AsyncIterator[InProcessSession]:
        self.steps.append("start")
        async with super().session(form, max_bytes, seconds, encoding, next_path, publisher) as session:
            yield session
        self.steps.append("end")

    async def _recorded(self) -> None:
        self.steps.append("record")

    def _hashed(self, descriptor: int, size: int) -> str:
        self.steps.append("hash")
        return hash_of_file(descriptor, size)

    def fetch(self, path: Path, validators: Validators) -> Download | NotModified:
        source = Source(id=SourceId("a-list"), path=path, timeout=10.0)
        return asyncio.run(file.LocalFiles(self).fetch(source, validators, self._recorded))


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> Order:
    return Order(monkeypatch)


class Busy(InProcessParser):
    """A parser that has a place for a list once an attempt was recorded, and not earlier."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded = asyncio.Event()

    @asynccontextmanager
    async def session(
        self, form: Format, max_bytes: int, seconds: float, encoding: str = "", next_path: str = "", publisher: str = ""
    ) -> AsyncIterator[InProcessSession]:
        await self.recorded.wait()
        async with super().session(form, max_bytes, seconds, encoding, next_path, publisher) as session:
            yield session

    async def record(self) -> None:
        self.recorded.set()


def test_an_attempt_is_recorded_while_the_list_waits_for_a_parser(tmp_path: Path) -> None:
    parser = Busy()
    source = Source(id=SourceId("a-list"), path=written(tmp_path / "list"), timeout=10.0)

    async def run() -> Download | NotModified:
        async with asyncio.timeout(60):
            return await file.LocalFiles(parser).fetch(source, Validators(), parser.record)

    assert body_of(asyncio.run(run())) == LIST


def test_no_byte_is_parsed_before_the_attempt_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    feed = InProcessSession.feed

    async def noted(session: InProcessSession, data: bytes) -> None:
        steps.append("feed")
        await feed(session, data)

    async def record() -> None:
        for _ in range(20):
            await asyncio.sleep(0)  # a turn of the event loop each, as a database takes some
        steps.append("record")

    monkeypatch.setattr(InProcessSession, "feed", noted)
    source = Source(id=SourceId("a-list"), path=written(tmp_path / "list"), timeout=10.0)
    asyncio.run(file.LocalFiles(InProcessParser()).fetch(source, Validators(), record))
    assert steps == ["record", "feed"]


HASHED_WHILE_IT_STARTS = ["start", "record", "hash", "end"]
HASHED_BEFORE = ["hash", "start", "record", "end"]


@pytest.mark.parametrize(
    ("content", "steps"),
    [(LIST + b"198.51.100.1\n", HASHED_WHILE_IT_STARTS), (LIST[:-2] + b"2\n", HASHED_BEFORE), (LIST, ["hash"])],
    ids=["another size", "the same size", "the same bytes"],
)
def test_a_parser_starts_as_soon_as_the_bytes_must_be_others(
    tmp_path: Path, order: Order, content: bytes, steps: Sequence[str]
) -> None:
    path = written(tmp_path / "list")
    last = taken(path).validators
    order.steps.clear()
    outcome = order.fetch(written(path, content), last)
    assert order.steps == steps
    assert isinstance(outcome, NotModified if content == LIST else Download)
    assert outcome.validators == (taken(path).validators)


def test_a_parser_of_a_first_list_starts_before_the_file_is_hashed(tmp_path: Path, order: Order) -> None:
    assert order.fetch(written(tmp_path / "list"), Validators()) != NotModified()
    assert order.steps == HASHED_WHILE_IT_STARTS


def test_a_hash_whose_file_had_an_unknown_size_is_compared_first(tmp_path: Path, order: Order) -> None:
    path = written(tmp_path / "list")
    last = taken(path).validators
    order.steps.clear()
    assert isinstance(order.fetch(path, replace(last, etag="")), NotModified)
    assert order.steps == ["hash"]


def test_a_file_with_an_old_time_put_back_is_read_again(tmp_path: Path) -> None:
    path = written(tmp_path / "list", b"192.0.2.1\n")
    before, validators = path.stat(), taken(path).validators
    written(path, b"192.0.2.2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert fetch(path, validators) != NotModified()


class Writer:
    """A program that writes while we wait: each sleep, which takes no time, does one step. The clock goes with the sleeps."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.left = list(steps)
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        if seconds != file._TICK and self.left:
            self.left.pop(0)()

    def fetch(self, path: Path, parser: InProcessParser, validators: Validators | None = None) -> Download | NotModified:
        source = Source(id=SourceId("a-list"), path=path, timeout=10.0)
        began = time.time()
        reader = file.LocalFiles(parser, sleep=self.sleep, now=lambda: began + self.slept)
        return asyncio.run(reader.fetch(source, validators or Validators(), ignored))


class Interrupted(InProcessParser):
    """What happens to the file between the start of its parser and its last byte, once for each of its parsers."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        super().__init__()
        self.left = list(steps)

    @asynccontextmanager
    async def session(
        self, form: Format, max_bytes: int, seconds: float, encoding: str = "", next_path: str = "", publisher: str = ""
    ) -> AsyncIterator[InProcessSession]:
        async with super().session(form, max_bytes, seconds, encoding, next_path, publisher) as session:
            if self.left:
                self.left.pop(0)()
            yield session


LONG = LIST * 100
OTHER = LONG.replace(b"192.0.2.1", b"192.0.2.2")


def replaced(path: Path) -> None:
    written(path.with_suffix(".new"), OTHER).rename(path)


@pytest.mark.parametrize("change", [replaced, lambda path: written(path, OTHER)], ids=["renamed over", "written in place"])
def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, change: Callable[[Path], object]) -> None:
    path = written(tmp_path / "list", LONG)
    outcome = Writer().fetch(path, Interrupted(lambda: change(path)))
    assert body_of(outcome) == OTHER


class BadDisk:
    """What cannot be read of a file begins in its third page: a call that begins before gives what is there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._pread = os.pread
        monkeypatch.setattr(os, "pread", self._read)

    def _read(self, descriptor: int, count: int, at: int) -> bytes:
        if at >= 8192:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._pread(descriptor, min(count, 8192 - at), at)


@pytest.mark.parametrize("content", [LIST, LIST * 100], ids=["short", "long"])
def test_a_list_of_which_a_part_cannot_be_read_is_never_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path = written(tmp_path / "list", content)
    BadDisk(monkeypatch)
    with pytest.raises(FetchError, match=r"cannot read .*Input/output error"):
        fetch(path)


def test_a_list_is_hashed_where_no_further_thread_can_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "list", LIST * 100)
    expected = taken(path).validators

    started = threading.Thread.start

    def refused(thread: threading.Thread) -> None:
        if type(thread) is threading.Thread:
            raise RuntimeError("can't start new thread")
        started(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert taken(path).validators == expected


def test_the_interpreter_waits_for_no_thread_that_reads_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    preadv = os.preadv

    def noted(descriptor: int, buffers: Sequence[memoryview], at: int) -> int:
        threads.append(threading.current_thread())
        return preadv(descriptor, buffers, at)

    monkeypatch.setattr(os, "preadv", noted)
    taken(written(tmp_path / "list", LIST * 100))
    assert len(set(threads)) == 2
    assert all(thread.daemon and "ThreadPoolExecutor" not in thread.name for thread in threads)


@pytest.mark.parametrize("content", [LIST, LIST * 100], ids=["short", "long"])
def test_a_list_is_closed_in_a_thread_as_its_disk_may_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path, closed = written(tmp_path / "list", content), Queue[threading.Thread]()
    close, place = os.close, path.stat()

    def noted(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), place) and not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_PATH:
            closed.put(threading.current_thread())
        close(descriptor)

    monkeypatch.setattr(os, "close", noted)
    fetch(path)
    assert closed.get(timeout=60) is not threading.main_thread()


def test_a_file_that_is_truncated_while_it_is_read_is_never_half_a_list(tmp_path: Path) -> None:
    path = written(tmp_path / "list", LONG)
    writer = Writer(lambda: written(path, OTHER))
    assert body_of(writer.fetch(path, Interrupted(lambda: os.truncate(path, 5000)))) == OTHER


def test_a_file_that_never_stays_the_same_fails(tmp_path: Path) -> None:
    path = written(tmp_path / "list", LONG)
    with pytest.raises(FetchError, match="changed while it was read"):
        Writer().fetch(path, Interrupted(*[lambda: written(path, OTHER), lambda: written(path, LONG)] * 2))


def test_a_file_that_was_just_emptied_is_waited_for(tmp_path: Path) -> None:
    path = written(tmp_path / "list", LONG)
    last = taken(path).validators
    for rest in (b"", LONG[:5000]):
        written(path, rest)
        writer = Writer(lambda: written(path, LONG[:6000]), lambda: written(path, OTHER))
        assert body_of(writer.fetch(path, InProcessParser(), last)) == OTHER


def test_a_file_that_stays_shorter_is_taken_after_a_moment(tmp_path: Path) -> None:
    path = written(tmp_path / "list", LONG)
    last = taken(path).validators
    written(path, LIST)
    writer = Writer()
    assert body_of(writer.fetch(path, InProcessParser(), last)) == LIST
    assert 0.5 < writer.slept < 1.5


def from_stdin(content: bytes, max_bytes: int = 1 << 20) -> Download | NotModified:
    """What is read of a pipe into which another program writes."""
    reading, writing = os.pipe()
    writer = threading.Thread(target=_pour, args=(writing, content))
    writer.start()
    try:
        source = Source(id=SourceId("a-list"), path=Path("-"), timeout=10.0, max_bytes=max_bytes)
        return asyncio.run(file.LocalFiles(InProcessParser(), stdin=reading).fetch(source, Validators(), ignored))
    finally:
        os.close(reading)
        writer.join()


def _pour(descriptor: int, content: bytes) -> None:
    with contextlib.suppress(OSError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(content)


@pytest.mark.parametrize("content", [b"", LIST, gzip.compress(LIST)], ids=["empty", "plain", "gzip"])
def test_a_list_comes_from_standard_input(content: bytes) -> None:
    outcome = from_stdin(content)
    assert body_of(outcome) == (LIST if content else b"")
    assert isinstance(outcome, Download)
    assert outcome.validators == Validators("", "", hashlib.sha256(content).hexdigest())


def test_standard_input_is_bounded() -> None:
    with pytest.raises(FetchError, match="larger than 1000 bytes"):
        from_stdin(b"192.0.2.1\n" * 100_000, 1000)


def test_the_service_has_no_standard_input() -> None:
    with pytest.raises(FetchError, match="--once"):
        fetch(Path("-"))


def test_a_file_is_unpacked_by_its_bytes_not_its_name(tmp_path: Path) -> None:
    assert body_of(taken(written(tmp_path / "list.txt", gzip.compress(LIST)))) == LIST
    assert body_of(taken(written(tmp_path / "list.gz"))) == LIST


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    assert body_of(taken(written(tmp_path / "list", b""))) == b""


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(written(tmp_path / "list"))
    assert body_of(taken(link)) == LIST


def from_fifo(path: Path, timeout: float) -> Download | NotModified:
    """As `banlistd --once` reads it."""
    source = Source(id=SourceId("a-list"), path=path, timeout=timeout)
    with Path(os.devnull).open("rb") as stdin:
        return asyncio.run(file.LocalFiles(InProcessParser(), stdin=stdin.fileno()).fetch(source, Validators(), ignored))


def test_a_list_comes_from_a_fifo_for_a_process_that_runs_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(LIST,))
    writer.start()
    try:
        assert body_of(from_fifo(fifo, 10.0)) == LIST
    finally:
        writer.join()


def test_a_fifo_that_is_not_written_to_is_waited_for_no_longer_than_the_timeout(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    try:
        with pytest.raises(FetchError, match=r"not read within 0\.2 s"):
            from_fifo(fifo, 0.2)
    finally:
        # It lets the thread go that waits for a writer.
        os.close(os.open(fifo, os.O_RDWR))


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FetchError, match="not a regular file"):
        fetch(tmp_path / "fifo")


@pytest.mark.parametrize("path", [Path("/dev/zero"), Path("/")])
def test_what_is_no_regular_file_is_refused(path: Path) -> None:
    with pytest.raises(FetchError, match="not a regular file"):
        fetch(path)


@pytest.mark.parametrize("path", [Path("/proc/self/environ"), Path("/proc/kmsg")])
def test_nothing_is_read_of_what_the_kernel_only_calls_a_file(path: Path) -> None:
    if not os.access(path, os.R_OK):
        pytest.skip(f"{path} cannot be opened here")
    if not path.is_file():
        pytest.skip(f"{path} is no regular file here, as in a container")
    assert body_of(taken(path)) == b""


def test_missing_file_names_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"No such file.*create the file"):
        fetch(tmp_path / "none\n")


@pytest.mark.parametrize("content", [LIST, gzip.compress(bytes(10_000))], ids=["plain", "packed"])
def test_a_file_above_the_cap_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FetchError, match="larger than 5000 bytes"):
        fetch(written(tmp_path / "list", content), max_bytes=5000)


def test_a_cut_gzip_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="cut short"):
        fetch(written(tmp_path / "list", gzip.compress(LIST)[:-1]))


class DeadDisk:
    """Files named `dead...` cannot be opened until `back` is set. `asked`: how often that was tried."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.back = threading.Event()
        self.asked = 0
        monkeypatch.setattr(file, "open_list", self._open_later)

    def _open_later(self, path: Path, *places: Any) -> int:
        if path.name.startswith("dead"):
            self.asked += 1
            self.back.wait(20)
        return open_list(path, *places)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeadDisk]:
    made = DeadDisk(monkeypatch)
    yield made
    made.back.set()
    for thread in list_threads():
        thread.join()


def list_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "list file"]


def descriptors() -> list[str]:
    """What is open of the lists."""
    found = []
    for one in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += [name for name in [str(one.readlink())] if "dead" in name or "alive" in name]
    return found


def named(path: Path, timeout: float) -> Source:
    return Source(id=SourceId("a-list"), path=path, timeout=timeout)


def test_files_on_a_dead_disk_take_no_thread_that_a_repair_needs(tmp_path: Path, disk: DeadDisk) -> None:
    async def life() -> None:
        fetcher = downloads("1")
        dead = [named(written(tmp_path / f"dead-{number}"), 0.05) for number in range(40)]
        faults = await asyncio.gather(*(fetcher.fetch(one, Validators(), ignored) for one in dead), return_exceptions=True)
        assert all(isinstance(fault, FetchError) and "not read within 0.05 s" in str(fault) for fault in faults)
        async with asyncio.timeout(60):
            assert await asyncio.to_thread(lambda: "repaired") == "repaired"

    asyncio.run(life())  # it ends, although the reads do not
    assert disk.asked == 16
    assert not disk.back.is_set()


def test_a_file_that_does_not_answer_keeps_one_thread_and_no_descriptor(tmp_path: Path, disk: DeadDisk) -> None:
    async def life() -> None:
        fetcher, dead = downloads("1"), named(written(tmp_path / "dead"), 0.05)
        with pytest.raises(FetchError, match="not read within"):
            await fetcher.fetch(dead, Validators(), ignored)
        for _ in range(20):
            with pytest.raises(FetchError, match="an earlier attempt has not come back"):
                await fetcher.fetch(dead, Validators(), ignored)
        assert disk.asked == 1
        alive = await fetcher.fetch(named(written(tmp_path / "alive"), 10.0), Validators(), ignored)
        assert isinstance(alive, Download)
        disk.back.set()
        for thread in list_threads():
            await asyncio.to_thread(thread.join)
        assert descriptors() == []
        assert isinstance(await fetcher.fetch(replace(dead, timeout=10.0), Validators(), ignored), Download)

    asyncio.run(life())


def test_two_sources_may_read_one_file_at_a_time(tmp_path: Path, disk: DeadDisk) -> None:
    async def life() -> None:
        fetcher, first = downloads("1"), named(written(tmp_path / "dead"), 0.05)
        for one in (first, replace(first, id=SourceId("another-list"))):
            with pytest.raises(FetchError, match="not read within"):  # it was tried
                await fetcher.fetch(one, Validators(), ignored)

    asyncio.run(life())
    assert disk.asked == 2
