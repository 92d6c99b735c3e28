"""Several lists in one process: which share it, when it ends, and what one of them can do to the others if it takes it over."""

import asyncio
import errno
import os
import re
import resource
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from banlistd.adapters.parser_process import process, sharing
from banlistd.adapters.parser_process.job import Job
from banlistd.adapters.parser_process.process import ParserProcesses
from banlistd.adapters.parser_process.starting import Descriptors, Forker, OnEnd, ParserProcess
from banlistd.errors import BanlistdError
from banlistd.formats import Format, FormatType
from support.parser_process import MIB

MINE, OTHER = "0 /lists", "0 /others"


@dataclass
class Forks:
    """What a forker was asked for: of each fork, whether it may read several lists."""

    forkers: list[Forker] = field(default_factory=list)
    several: list[bool] = field(default_factory=list)

    def running(self) -> list[int]:
        pid = self.forkers[-1].pid
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())]

    async def until_none_runs(self) -> None:
        for pid in self.running():
            pidfd, ended = os.pidfd_open(pid), asyncio.Event()
            asyncio.get_running_loop().add_reader(pidfd, ended.set)
            async with asyncio.timeout(60):
                await ended.wait()
            asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)


@pytest.fixture(name="forks")
def _forks(monkeypatch: pytest.MonkeyPatch) -> Forks:
    return noted(monkeypatch, Forker)


def noted(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Forker]) -> Forks:
    forks = Forks()

    class NotedForker(Forker):
        def start(self, job: Job, descriptors: Descriptors, on_end: OnEnd) -> ParserProcess:
            forks.several.append(len(descriptors) > 3)
            return super().start(job, descriptors, on_end)

    def begun() -> Forker:
        forker = make()
        forker.__class__ = NotedForker
        forks.forkers.append(forker)
        return forker

    monkeypatch.setattr(process, "Forker", begun)
    return forks


@asynccontextmanager
async def parsers_of() -> AsyncIterator[ParserProcesses]:
    parsers = ParserProcesses(expects_lists=True)
    try:
        yield parsers
    finally:
        await parsers.close()


async def found(parsers: ParserProcesses, body: bytes, publisher: str, kind: FormatType = FormatType.AUTO) -> list[str] | str:
    """The addresses of a list, by their last octet, or why there are none."""
    try:
        async with parsers.session(Format(kind), MIB, 60.0, publisher=publisher) as session:
            await session.ready()
            await session.feed(body)
            hosts = (await session.finish()).addresses.hosts4
            return [str(int(host) & 0xFF) for host in hosts]
    except BanlistdError as error:
        return error.message


async def in_turn(parsers: ParserProcesses, *lists: bytes, publisher: str = MINE) -> list[list[str] | str]:
    """What is found in lists that wait for one another, as one of two places is taken.

    A process starts before its place is free, so the first two have new ones, and the third has that of the first.
    """
    async with parsers.session(Format(), MIB, 60.0):
        return await asyncio.gather(*(found(parsers, body, publisher) for body in lists))


def lists(count: int) -> list[bytes]:
    """The list of a number has this address alone."""
    return [b"192.0.2.%d\n" % number for number in range(count)]


def of(count: int) -> list[list[str] | str]:
    return [[str(number)] for number in range(count)]


def test_lists_of_a_publisher_share_processes_and_each_gets_its_own_addresses(forks: Forks) -> None:
    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:
            return await asyncio.gather(*(found(parsers, body, MINE) for body in lists(60)))

    assert asyncio.run(life()) == of(60)
    assert len(forks.several) < 8
    assert all(forks.several)


def test_lists_of_two_publishers_never_share_a_process(monkeypatch: pytest.MonkeyPatch, forks: Forks) -> None:
    read: list[tuple[str, object]] = []

    class NotedSession(sharing.SharedSession):
        async def close(self) -> None:
            read.append((self._group.publisher, self._process))
            await super().close()

    monkeypatch.setattr(process, "SharedSession", NotedSession)

    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:
            return await asyncio.gather(*(found(parsers, body, (MINE, OTHER)[at % 2]) for at, body in enumerate(lists(40))))

    assert asyncio.run(life()) == of(40)
    by_process = {id(one): {publisher for publisher, other in read if other is one} for _, one in read}
    assert all(len(publishers) == 1 for publishers in by_process.values())
    assert 2 <= len(by_process) == len(forks.several) < 40


def test_lists_without_a_publisher_have_a_process_each(forks: Forks) -> None:
    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:
            return await asyncio.gather(*(found(parsers, body, "") for body in lists(9)))

    assert asyncio.run(life()) == of(9)
    assert forks.several == [False] * 9


def test_lists_with_other_limits_have_another_process(forks: Forks) -> None:
    async def one(parsers: ParserProcesses, seconds: float) -> None:
        async with parsers.session(Format(), MIB, seconds, publisher=MINE) as session:
            await session.finish()

    async def life() -> None:
        async with parsers_of() as parsers, parsers.session(Format(), MIB, 60.0):
            await asyncio.gather(*(one(parsers, 60.0 + number) for number in range(4)))

    asyncio.run(life())
    assert forks.several == [False, True, True, True, True]


def test_a_process_ends_after_so_many_lists(monkeypatch: pytest.MonkeyPatch, forks: Forks) -> None:
    monkeypatch.setattr(sharing, "MOST_LISTS", 3)

    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:
            return await in_turn(parsers, *lists(12))

    assert asyncio.run(life()) == of(12)
    assert len(forks.several) - 1 >= 4


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (b"\x1f\x8b\x08\x00broken", FormatType.AUTO),
        (b"[", FormatType.JSON),
        (b"".join(b"10.0.%d.%d\n" % (number >> 7, number * 2 & 255) for number in range(20_000)), FormatType.AUTO),
    ],
    ids=["broken", "refused", "long result"],
)
def test_a_process_ends_after_a_list_that_was_refused_or_long(first: bytes, kind: FormatType, forks: Forks) -> None:
    async def life() -> list[str] | str:
        async with parsers_of() as parsers, parsers.session(Format(), MIB, 60.0):
            _, then = await asyncio.gather(found(parsers, first, MINE, kind), found(parsers, b"192.0.2.1\n", MINE))
            return then

    assert asyncio.run(life()) == ["1"]
    assert forks.several == [False, True, True]


def test_a_process_ends_after_a_list_that_took_long(monkeypatch: pytest.MonkeyPatch, forks: Forks) -> None:
    monkeypatch.setattr(sharing, "_QUICK", 0.0)

    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:
            return await in_turn(parsers, *lists(4))

    assert asyncio.run(life()) == of(4)
    assert forks.several == [False, True, True, True, True]


def test_no_process_is_left_when_no_list_waits(forks: Forks) -> None:
    async def life() -> None:
        async with parsers_of() as parsers:
            await asyncio.gather(*(found(parsers, body, (MINE, OTHER)[at % 2]) for at, body in enumerate(lists(10))))
            await forks.until_none_runs()

    asyncio.run(life())


def test_a_process_that_a_cancelled_list_was_to_have_ends(forks: Forks) -> None:
    """Lists of another publisher are in front of it, so the process has no list at that moment."""

    async def life() -> None:
        async with parsers_of() as parsers:
            async with asyncio.TaskGroup() as group:
                async with parsers.session(Format(), MIB, 60.0), parsers.session(Format(), MIB, 60.0, publisher=MINE) as mine:
                    held = group.create_task(found(parsers, b"192.0.2.8\n", OTHER))
                    await asyncio.sleep(0)
                    more = [group.create_task(found(parsers, body, OTHER)) for body in lists(3)]
                    waiting = group.create_task(found(parsers, b"192.0.2.9\n", MINE))
                    await mine.ready()
                    await mine.finish()
                    waiting.cancel()
                assert await held == ["8"]
                assert [await one for one in more] == of(3)
            await forks.until_none_runs()

    asyncio.run(life())


def test_a_process_for_several_lists_is_confined_and_keeps_no_descriptor_of_an_earlier_one(forks: Forks) -> None:
    async def life() -> None:
        async with parsers_of() as parsers, parsers.session(Format(), MIB, 60.0):

            async def one() -> None:
                async with parsers.session(Format(), MIB, 60.0, publisher=MINE) as session:
                    await session.ready()
                    counts = [count for pid in forks.running() if (count := descriptors_of_confined(pid))]
                    # The body, the result, the answer, and the socket; without a list, the socket alone.
                    assert 4 in counts
                    assert set(counts) <= {1, 3, 4}
                    await session.feed(b"192.0.2.1\n")
                    await session.finish()

            await asyncio.gather(*(one() for _ in range(5)))
            assert len(forks.several) < 5

    asyncio.run(life())


def descriptors_of_confined(pid: int) -> int:
    """How many a process has beside the three of the daemon; 0 where it is not confined yet."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    if status["Seccomp"] != "2":
        return 0
    assert (int(status["CapEff"], 16), status["NoNewPrivs"]) == (0, "1")
    assert re.search(rf"Max data size +{288 * MIB} ", Path(f"/proc/{pid}/limits").read_text(encoding="ascii"))
    return len({int(name) for name in os.listdir(f"/proc/{pid}/fd")} - {0, 1, 2})  # noqa: PTH208 - numbers


def test_a_free_process_whose_forker_is_killed_costs_no_list(forks: Forks) -> None:
    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:

            async def killing() -> list[str] | str:
                result = await found(parsers, b"192.0.2.0\n", MINE)
                os.kill(forks.forkers[0].pid, signal.SIGKILL)
                return result

            async with parsers.session(Format(), MIB, 60.0):
                return await asyncio.gather(killing(), *(found(parsers, body, MINE) for body in lists(5)[1:]))

    first, *others = asyncio.run(life())
    assert first == ["0"]
    # One of them may have been read when its process ended with the forker.
    assert sum(other != [str(number)] for number, other in enumerate(others, 1)) <= 1


@pytest.mark.parametrize("publisher", ["", MINE])
def test_a_list_whose_forker_has_just_been_killed_is_read_by_a_process_of_its_own(publisher: str, forks: Forks) -> None:
    async def life() -> list[str] | str:
        async with parsers_of() as parsers:
            await found(parsers, b"192.0.2.8\n", publisher)
            os.kill(forks.forkers[0].pid, signal.SIGKILL)
            # The event loop gets no turn, in which it would see the end.
            os.waitid(os.P_PID, forks.forkers[0].pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - that is wanted
            return await found(parsers, b"192.0.2.9\n", publisher)

    assert asyncio.run(life()) == ["9"]
    assert len(forks.several) == 2


@pytest.mark.parametrize("publisher", ["", MINE])
@pytest.mark.parametrize("more", range(5))
def test_where_no_process_can_start_the_list_has_an_error_that_says_why(more: int, publisher: str) -> None:
    """There are so many more descriptors than are open."""

    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            results = [await found(parsers, b"192.0.2.7\n", publisher)]
            lowest = os.dup(0)
            os.close(lowest)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more, hard))
            try:
                results.append(await found(parsers, b"192.0.2.8\n", publisher))
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            return [*results, await found(parsers, b"192.0.2.9\n", publisher)]

    message = "cannot start the process that reads lists: Too many open files"
    assert asyncio.run(life()) == [["7"], message, ["9"]]


_LIAR = """
import ctypes, errno, os, signal, socket, sys
sys.path[:0] = sys.argv[-1].split(os.pathsep)
from banlistd.adapters.parser_process import child, forker, parsing
from banlistd.adapters.parser_process.answer import ANSWER_SIZE, Answer, Status, encoded_answer

map_memory, read_list, read_further = ctypes.CDLL(None).mmap, parsing.answer_to, forker._parse_further

def receive(jobs):
    text, descriptors, _, _ = socket.recv_fds(jobs, 65536, 3)
    if not text:
        os._exit(0)
    return descriptors

def say(answer, status=Status.PARSED, **counts):
    os.write(answer, encoded_answer(Answer(status, **counts)))

def write(result, number):
    os.write(result, (0xC0000200 + number).to_bytes(4, sys.byteorder))

def wait():
    while True:
        pass

def first_list(wanted, octets, result):
    FIRST
    return read_list(wanted, octets, result)

def further_lists(jobs, first):
    THEN
    wait()

parsing.answer_to, forker._parse_further = first_list, further_lists
forker.__file__ = __file__  # what is started once more, unless root runs it
forker.serve_forks(sys.argv[1:])
"""


def lying(monkeypatch: pytest.MonkeyPatch, folder: Path, *, first: str = "pass", then: str = "pass") -> Forks:
    """Forks with every layer of confinement that do this in place of reading the first list, and the next ones."""
    program = folder / "program.py"
    program.write_text(_LIAR.replace("FIRST", first).replace("THEN", then.replace("\n", "\n    ")))
    monkeypatch.setattr(sharing, "_PATIENCE", 0.5)
    return noted(monkeypatch, lambda: Forker(str(program)))


_BEGIN = "body, result, answer = receive(jobs); os.write(answer, child.READY)\n"
_SECOND = _BEGIN + "while os.read(body, 65536): pass\n"

_AT_SECOND = {
    "dies": "receive(jobs); os.kill(os.getpid(), signal.SIGKILL)",
    "ends": "receive(jobs); os._exit(0)",
    "makes a call that it must not make": "receive(jobs); os.getppid()",
    "never asks for more": "wait()",
    "takes the job and says nothing": "receive(jobs)",
    "is ready and says nothing": _BEGIN,
    "answers before it has read": _BEGIN + "write(result, 77); say(answer, hosts4=1)",
    "closes all and says nothing": _SECOND + "for each in (body, result, answer): os.close(each)",
    "refuses the list": _SECOND + "say(answer, Status.NOT_A_LIST, message='no')",
    "says that memory is short": _SECOND + "say(answer, Status.OUT_OF_MEMORY)",
    "says nonsense": _SECOND + "os.write(answer, bytes([255]) * ANSWER_SIZE)",
    "says half of an answer": _SECOND + "os.write(answer, bytes(ANSWER_SIZE - 1))",
    "answers twice at once": _SECOND
    + "write(result, 77); os.write(answer, 2 * encoded_answer(Answer(Status.PARSED, hosts4=1)))",
    "answers for the first list": _SECOND + "write(first[1], 77); say(first[2], hosts4=1)",
    "answers by the pipe of the first list": _SECOND + "write(result, 77); say(first[2], hosts4=1)",
    "counts too much": _SECOND + "write(result, 77); say(answer, hosts4=9)",
    "keeps the result mapped": _SECOND
    + "write(result, 77); assert map_memory(None, 4096, 3, 1, result, 0) != -1; say(answer, hosts4=1)",
}


@pytest.mark.parametrize("what", _AT_SECOND)
def test_nothing_that_a_process_does_but_a_good_answer_is_the_fault_of_its_second_list(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forks = lying(monkeypatch, tmp_path, then=_AT_SECOND[what])

    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:
            results = await in_turn(parsers, *lists(3))
            await forks.until_none_runs()
            return results

    assert asyncio.run(life()) == of(3)
    # Beside the one that `in_turn` has: another process has read the list again, alone.
    assert forks.several[1] is True
    assert any(not several for several in forks.several[2:])


_AT_FIRST = {
    "dies": "os.kill(os.getpid(), signal.SIGKILL)",
    "ends": "os._exit(0)",
    "refuses the list": "return encoded_answer(Answer(Status.NOT_A_LIST, message='no'))",
    "says nothing and lives": "os.close(result + 1); wait()",
    "keeps the result mapped": "write(result, 77); map_memory(None, 4096, 3, 1, result, 0); "
    "return encoded_answer(Answer(Status.PARSED, hosts4=1))",
    "answers twice": "write(result, 77); return 2 * encoded_answer(Answer(Status.PARSED, hosts4=1))",
}
_ONLY_ONCE = "if b'192.0.2.0' in (octets := [*octets])[0]: "


@pytest.mark.parametrize("what", _AT_FIRST)
def test_a_process_that_its_first_list_takes_over_is_the_fault_of_that_list_alone(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lying(monkeypatch, tmp_path, first=_ONLY_ONCE + _AT_FIRST[what], then="read_further(jobs, first)")

    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:
            return await in_turn(parsers, *lists(4))

    bad, *others = asyncio.run(life())
    assert isinstance(bad, str)
    assert others == of(4)[1:]


def test_a_result_cannot_be_written_to_once_the_next_list_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has kept the file of its first list; what it says of the second one is the number of the error."""
    lines = (
        _SECOND + "try: write(first[1], 77)\nexcept OSError as error: write(result, 100 + error.errno); say(answer, hosts4=1)"
    )
    lying(monkeypatch, tmp_path, then=lines)

    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:
            return await in_turn(parsers, *lists(3))

    assert asyncio.run(life()) == [["0"], ["1"], [str(100 + errno.EPERM)]]


def test_an_answer_after_the_answer_reaches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _SECOND + (
        "signal.signal(signal.SIGPIPE, signal.SIG_IGN)\n"
        "try: say(first[2], hosts4=1)\nexcept OSError as error: write(result, 100 + error.errno); say(answer, hosts4=1)"
    )
    lying(monkeypatch, tmp_path, then=lines)

    async def life() -> list[list[str] | str]:
        async with parsers_of() as parsers:
            return await in_turn(parsers, *lists(3))

    assert asyncio.run(life()) == [["0"], ["1"], [str(100 + errno.EPIPE)]]
