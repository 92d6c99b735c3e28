"""Hostile bytes, and a hostile parser, through the process that has no rights."""

import asyncio
import gzip
import io
import multiprocessing
import os
import re
import select
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest

from banlistd.adapters.parser_process import child, process
from banlistd.adapters.parser_process.answer import Answer, Status, decoded_answer
from banlistd.adapters.parser_process.confinement import Limits
from banlistd.adapters.parser_process.job import Job, encoded_job
from banlistd.adapters.parser_process.parsing import answer_to
from banlistd.adapters.parser_process.process import ParserProcesses
from banlistd.adapters.parser_process.result import fault_of
from banlistd.adapters.parser_process.running import RunningParser
from banlistd.adapters.parser_process.starting import BegunForker, Forker, started
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.errors import BanlistdError, FetchError, ParseError, PassingError
from banlistd.formats import Condition, Format, FormatType, Operator
from support.data import needs_data, real_list
from support.parser_process import BOMBS, MIB, cost_of, read

PACKAGE = Path(__file__).resolve().parents[3] / "daemon"


def test_addresses_arrive_as_they_are_parsed_in_this_process() -> None:
    body = b"192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n2001:db9::1\nnonsense\n# END 5 entries\n"
    found, expected = asyncio.run(read(body)), parsed_list(body, Format())
    assert found.addresses == expected.addresses
    assert (found.entries, found.rejected, found.data_lines) == (4, 1, 5)
    assert (found.samples, found.said) == (expected.samples, expected.said)


def test_the_ends_of_entries_arrive_as_they_are_parsed_in_this_process() -> None:
    later = int(time.time()) + 86_400
    rows = [
        f"192.0.2.1,{later}",
        f"198.51.100.0/24,{later + 1}",
        f"2001:db8::1,{later + 2}",
        "192.0.2.9,5",
        "192.0.2.2,2999-01-01",
    ]
    form = Format(FormatType.CSV, columns=("1",), where=(Condition("2", Operator.FUTURE, ()),))
    body = "\n".join(rows).encode()
    found, expected = asyncio.run(read(body, form)), parsed_list(body, replace(form, now=later - 1))
    assert found.timed is not None
    assert expected.timed is not None
    assert found.timed.encode() == expected.timed.encode()
    assert (found.addresses, len(found.timed)) == (expected.addresses, 4)


def test_brotli_is_unpacked_without_any_right() -> None:
    async def life() -> int:
        async with ParserProcesses().session(Format(), MIB, 60.0, "br") as session:
            await session.ready()
            await session.feed(brotli.compress(b"192.0.2.1\n" * 1000))
            return (await session.finish()).entries

    assert asyncio.run(life()) == 1


def test_a_pattern_is_searched_for_without_any_right() -> None:
    body = b"<ip>192.0.2.1</ip>\n<ip>none</ip>\n" * 50_000
    found = asyncio.run(read(body, form=Format(FormatType.PATTERN, pattern="<ip>(?P<address>[^<]+)</ip>")))
    assert (found.entries, found.rejected, found.samples[0].line) == (1, 50_000, 2)


def test_the_files_of_an_archive_that_are_no_list_are_named() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("ipv4.txt", b"192.0.2.1\nnonsense\n")
        archive.writestr("read\x1bme.md", b"192.0.2.66 is an example\n")
    found = asyncio.run(read(buffer.getvalue()))
    assert (found.entries, found.rejected) == (1, 1)
    assert [(one.line, one.text) for one in found.samples] == [(2, "nonsense"), (0, "read\\x1bme.md")]


def test_an_empty_body_is_an_empty_list() -> None:
    found = asyncio.run(read(b""))
    assert (len(found.addresses), found.entries) == (0, 0)


@needs_data
@pytest.mark.parametrize("name", ["feeds/fh16_spamhaus_drop.netset", "feeds/hosts_adaway.txt", "feeds/gcp_cloud.json"])
def test_a_real_list_arrives_whole(name: str) -> None:
    body = real_list(name).read_bytes()
    assert asyncio.run(read(body)).addresses == parse(body).addresses


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_costs_the_daemon_nothing_and_the_process_a_bounded_amount(bomb: str) -> None:
    # From a small process: the peak of a child counts from before its execve, when it still has the size of its parent.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        message, growth, peak = alone.submit(cost_of, bomb).result()
    assert not message or "memory" in message or "JSON" in message
    assert growth < 64 * MIB
    # In KiB; beside the limit of 512 MiB on data there are some 60 MiB of libraries.
    assert peak < 600 * 1024


def test_the_limit_grows_with_the_list_and_never_above_what_is_configured() -> None:
    plain, json = Format(FormatType.PLAIN), Format(FormatType.JSON)
    parsers = ParserProcesses(512 * MIB)
    assert [parsers.limits_for(plain, size * MIB, 1.0).data // MIB for size in (1, 48, 64, 500)] == [288, 336, 416, 512]
    assert [parsers.limits_for(json, size * MIB, 1.0).data // MIB for size in (1, 24, 48)] == [288, 396, 512]
    assert ParserProcesses(200 * MIB).limits_for(plain, MIB, 1.0).data == 200 * MIB


def test_a_result_that_the_daemon_could_not_hold_is_refused() -> None:
    lines = b"".join(b"%x::%x\n" % (high, low) for high in range(0x2000, 0x2038) for low in range(1, 60_000))
    with pytest.raises(ParseError, match=r"more than 12 million|memory"):
        asyncio.run(read(lines, max_bytes=64 * MIB))


def test_a_body_that_cannot_be_unpacked_is_a_fault_of_the_download() -> None:
    with pytest.raises(FetchError):
        asyncio.run(read(b"\x1f\x8b\x08\x00broken"))


def test_a_body_that_was_cut_short_is_asked_for_again() -> None:
    with pytest.raises(PassingError, match="cut short"):
        asyncio.run(read(gzip.compress(b"192.0.2.1\n")[:-3]))


@pytest.mark.parametrize("status", Status)
def test_every_answer_without_a_list_has_its_reason(status: Status) -> None:
    error = fault_of(Answer(status, message="what {went} wrong", hint="what to do"))
    assert error.message
    assert "went" not in error.message or "what {went} wrong" in error.message


@pytest.mark.parametrize(
    "body",
    [
        b'{"bans\\ud83d": ["192.0.2.1", "192.0.2.2", "about 192.0.2.9 there"]}',
        b'{"type":"metadata","records":99999999999999999999}\n{"ip":"192.0.2.1"}\n{"ip":"192.0.2.2"}\n',
    ],
    ids=["half a pair of surrogates", "more records than there are numbers"],
)
def test_no_text_and_no_number_of_a_list_is_too_odd_for_an_answer(body: bytes) -> None:
    assert len(asyncio.run(read(body)).addresses) == 2


def test_a_fault_of_ours_is_answered_and_named(capfd: pytest.CaptureFixture[str]) -> None:
    no_bytes = map(bytes.decode, [b"\xff"])
    answer = decoded_answer(answer_to(Job(Format(), MIB, "", Limits(0, 0, 0)), no_bytes, -1))  # type: ignore[arg-type]
    assert fault_of(answer).message.startswith("the process that reads the list failed: UnicodeDecodeError: ")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("os._exit(0)", "ended with exit code 0"),
        ("os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("os.write(answer, b'x' * 17)", "no proper answer"),
        ("os.write(answer, b'\\xff' * answers.ANSWER_SIZE)", "no proper answer"),
        ("say(hosts4=2)", "wrong size"),
        ("os.write(result, bytes(8)); say(hosts4=2)", "hosts are not ascending"),
        ("os.write(result, (9).to_bytes(4, 'little') * 2); say(nets4=1)", "a network is reversed, or one address"),
        ("os.write(result, b''.join(n.to_bytes(4, 'little') for n in (1, 3, 4, 9))); say(nets4=2)", "networks overlap"),
        ("os.write(result, b''.join(n.to_bytes(4, 'little') for n in (1, 5, 4, 9))); say(nets4=2, hosts4=2**62)", "wrong size"),
        ("os.write(result, (9).to_bytes(4, 'little') + (8).to_bytes(4, 'little') * 2); say(timed4=1)", "ends before it begins"),
        ("say(timed6=1)", "wrong size"),
        ("os.ftruncate(result, 2**40); say(hosts4=2**38)", "not ascending|wrong size|memory"),
    ],
)
def test_a_parser_that_was_taken_over_can_only_be_refused(lines: str, words: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "sys.path[:0] = sys.argv[-1].split(os.pathsep)\n"
        "import banlistd.adapters.parser_process.answer as answers\n"
        "body, result, answer = map(int, sys.argv[2:5])\n"
        "os.write(answer, b'r')\n"
        "say = lambda **counts: os.write(answer, answers.encoded_answer(answers.Answer(answers.Status.PARSED, **counts)))\n"
        f"while os.read(body, 65536): pass\n{lines}\n"
    )
    with pytest.raises(BanlistdError, match=words):
        asyncio.run(read(b"192.0.2.1\n", parsers=ParserProcesses(program=str(program))))


def test_a_process_that_hangs_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import os, sys, time\nos.write(int(sys.argv[4]), b'r')\nwhile True: time.sleep(60)\n")

    async def hang() -> None:
        async with asyncio.timeout(0.2):
            await read(b"x" * (4 * MIB), parsers=ParserProcesses(program=str(program)))

    with pytest.raises(TimeoutError):
        asyncio.run(hang())


@pytest.mark.parametrize("stage", ["first", "again"])
def test_a_process_whose_daemon_is_gone_ends_silently(stage: str) -> None:
    reader, answer = os.pipe()
    body, other = os.pipe()
    os.close(reader)
    limits = Limits(288 * MIB, MIB, 10)
    no_daemon = 2**22  # above every pid
    numbers = [str(number) for number in (body, body, answer, no_daemon)]
    program = [sys.executable, "-I", "-S", str(child.__file__), stage, *numbers, encoded_job(Job(Format(), MIB, "", limits))]
    done = subprocess.run(
        [*program, os.pathsep.join(filter(None, sys.path))],
        capture_output=True,
        check=False,
        timeout=60,
        pass_fds=[body, answer],
    )
    for number in (answer, body, other):
        os.close(number)
    assert (done.stderr, done.returncode) == (b"", 1)


def test_a_process_that_nobody_reads_from_ends_silently(capfd: pytest.CaptureFixture[str]) -> None:
    reader, answer = os.pipe()
    body, other = os.pipe()
    os.close(reader)
    process = started(str(child.__file__), Job(Format(), MIB, "", Limits(288 * MIB, MIB, 10)), (body, body, answer))
    for number in (answer, body, other):
        os.close(number)
    assert process.wait(60) == -signal.SIGPIPE
    assert capfd.readouterr().err == ""


def test_an_interrupted_process_says_nothing(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It has a process group of its own; what reaches it all the same ends it without a traceback."""
    interrupt = "assert os.getpgrp() == os.getpid(); os.kill(os.getpid(), signal.SIGINT)"
    source = Path(child.__file__).read_text(encoding="utf-8")
    program = tmp_path / "program.py"
    program.write_text(source.replace("    stage, ", f"    {interrupt}\n    stage, ", 1))

    async def interrupted() -> None:
        async with ParserProcesses(program=str(program)).session(Format(), MIB, 60.0) as session:
            await session.finish()

    with pytest.raises(ParseError, match="SIGINT"):
        asyncio.run(interrupted())
    assert capfd.readouterr().err == ""


_ATTEMPTS = {
    "open a file": "open('/etc/passwd')",
    "make a socket": "import _socket; _socket.socket(2, 1)",
    "fork": "os.fork()",
    "start a program": "os.execv('/bin/true', ['true'])",
    "kill": "os.kill(1, 0)",
    "map code": "import mmap; mmap.mmap(-1, 4096, prot=7)",
}


@pytest.mark.parametrize("attempt", _ATTEMPTS)
def test_a_confined_process_dies_of_what_it_must_not_do(attempt: str) -> None:
    program = (
        "import os, sys, mmap, _socket\n"
        f"sys.path[:0] = {[str(PACKAGE), *sys.path]!r}\n"
        "from banlistd.adapters.parser_process import confinement as c\n"
        "code = c.built_filter()\n"
        "c.give_up_ambient_rights(); c.die_with_parent(os.getppid()); c.become_private(); c.drop_capabilities()\n"
        "c.limit(c.Limits(2**28, 2**20, 10)); c.enforce_filter(code)\n"
        f"{_ATTEMPTS[attempt]}\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGSYS, done.stderr


def test_nothing_is_imported_once_the_filter_is_in_force() -> None:
    program = (
        "import sys\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from banlistd.adapters.parser_process import confinement, job, parsing\n"
        "from banlistd.core.download.decompression import unpack\n"
        "from banlistd.core.feeds.parsers import parse\n"
        "from banlistd.core.feeds.reading.announced import announced\n"
        "from banlistd.formats import Format, FormatType\n"
        "parsing.warm_up()\n"
        "before = set(sys.modules)\n"
        "for body in map(bytes, eval(sys.argv[1])):\n"
        "    for kind in FormatType:\n"
        "        try:\n"
        "            parse(unpack(body, 1 << 20), Format(kind)).addresses.content_hash(); announced(body)\n"
        "        except Exception:\n"
        "            pass\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, repr([*_bodies()])], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []


def _bodies() -> Iterable[bytes]:
    yield b"192.0.2.1\n2001:db8::1\n<html>\n\xff\xfe\n"
    yield b'{"a": [{"ip": "192.0.2.1"}, {"ip": "x"}]}'
    yield b'{"ip": "192.0.2.1"}\n{"ip": "2001:db8::/32"}\n'
    yield b"a,b\n192.0.2.1,2\n"
    yield b"name:192.0.2.1-192.0.2.9\n"
    yield b":127.0.0.2:x\n192.0.2.1\n!192.0.2.2\n"
    yield "caf\u00e9 192.0.2.1\n".encode("utf-16")
    yield b"PK\x05\x06" + bytes(18)


def test_the_process_imports_no_pydantic_and_no_network() -> None:
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from banlistd.adapters.parser_process import confinement, job, parsing\n"
        "print(*{name.split('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert not set(done.stdout.split()) & {"pydantic", "pydantic_core", "aiohttp", "aiosqlite", "yaml"}


def test_two_processes_run_side_by_side_and_the_third_waits() -> None:
    async def count() -> int:
        parsers, most, running = ParserProcesses(), 0, 0

        async def one() -> None:
            nonlocal most, running
            async with parsers.session(Format(), MIB, 60.0) as session:
                running += 1
                most = max(most, running)
                await session.feed(b"192.0.2.1\n")
                await session.finish()
                running -= 1

        await asyncio.gather(*(one() for _ in range(5)))
        await parsers.close()
        return most

    assert asyncio.run(count()) == 2


def test_no_descriptor_is_left_open() -> None:
    async def several() -> None:
        for body in (b"192.0.2.1\n", b"\x1f\x8b\x08\x00broken", b"["):
            try:
                await read(body)
            except BanlistdError:
                continue

    asyncio.run(several())
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count of names
    asyncio.run(several())
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


async def many(parsers: ParserProcesses, count: int) -> list[int]:
    """How many addresses were found in each of so many lists that come at once."""

    async def one(number: int) -> int:
        async with parsers.session(Format(), MIB, 60.0) as session:
            await session.feed(b"".join(b"192.0.2.%d\n" % host for host in range(number)))
            return len((await session.finish()).addresses)

    return await asyncio.gather(*(one(number) for number in range(count)))


def counted_starts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    programs: list[str] = []

    def start(program: str, job: Job, descriptors: tuple[int, int, int]) -> "subprocess.Popen[bytes]":
        programs.append(program)
        return started(program, job, descriptors)

    monkeypatch.setattr(process, "started", start)
    return programs


def test_while_lists_wait_their_processes_are_forked_and_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = counted_starts(monkeypatch)

    async def life() -> list[int]:
        parsers = ParserProcesses()
        try:
            return await many(parsers, 40)
        finally:
            await parsers.close()

    assert asyncio.run(life()) == [*range(40)]
    assert len(starts) <= 2


def test_where_lists_are_expected_the_first_one_is_forked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = counted_starts(monkeypatch)

    async def life() -> list[int]:
        parsers = ParserProcesses(expects_lists=True)
        try:
            return await many(parsers, 1)
        finally:
            await parsers.close()

    assert asyncio.run(life()) == [0]
    assert not starts


def test_a_forker_that_has_begun_without_an_event_loop_forks_the_first_list(monkeypatch: pytest.MonkeyPatch) -> None:
    with BegunForker() as begun:
        starts = counted_starts(monkeypatch)

        async def life() -> list[int]:
            parsers = ParserProcesses(begun=begun)
            try:
                return await many(parsers, 1)
            finally:
                await parsers.close()

        assert asyncio.run(life()) == [0]
        assert not starts


def test_a_forker_that_is_not_taken_over_ends_with_its_block(capfd: pytest.CaptureFixture[str]) -> None:
    with BegunForker() as begun:
        pass
    assert begun.process.returncode is not None
    assert capfd.readouterr() == ("", "")


def test_a_forker_whose_first_words_are_never_read_ends_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    with BegunForker() as begun:
        select.select([begun.channel], [], [], 60)
        begun.channel.close()
        assert begun.process.wait(60) == 0
    assert capfd.readouterr() == ("", "")


def assert_confined(parent: int, count: int) -> None:
    """Each child of a process has the filter, no capability, the limits, and only its three descriptors."""
    pids = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    assert len(set(pids)) == count
    for pid in pids:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        status = dict(line.split(":\t", 1) for line in lines)
        assert (status["Seccomp"], int(status["CapEff"], 16), status["NoNewPrivs"]) == ("2", 0, "1")
        assert re.search(rf"Max data size +{288 * MIB} ", Path(f"/proc/{pid}/limits").read_text(encoding="ascii"))
        assert len({int(name) for name in os.listdir(f"/proc/{pid}/fd")} - {0, 1, 2}) == 3  # noqa: PTH208 - numbers


def test_a_fork_is_confined_as_a_process_of_its_own_is_and_sees_one_list() -> None:
    async def life() -> None:
        forker = Forker()
        try:
            assert await forker.is_ready()
            sessions = [RunningParser(forker.start, Job(Format(), MIB, "", Limits(288 * MIB, MIB, 10))) for _ in range(2)]
            for session in sessions:
                await session.ready()
            assert_confined(forker.pid, 2)
            for session in sessions:
                await session.close()
        finally:
            await forker.close()

    asyncio.run(life())


@pytest.mark.parametrize("lines", ["raise SystemExit(1)", "import os; os.kill(os.getpid(), 9)"])
def test_without_forks_each_list_has_a_process_of_its_own(lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program.py"
    program.write_text(lines)
    starts = counted_starts(monkeypatch)
    monkeypatch.setattr(process, "Forker", lambda: Forker(str(program)))

    async def life() -> list[int]:
        parsers = ParserProcesses()
        try:
            return await many(parsers, 4)
        finally:
            await parsers.close()

    assert asyncio.run(life()) == [*range(4)]
    assert len(starts) == 4


def test_a_fork_whose_forker_is_killed_ends_with_an_error() -> None:
    async def life() -> None:
        forker = Forker()
        assert await forker.is_ready()
        session = RunningParser(forker.start, Job(Format(), MIB, "", Limits(288 * MIB, MIB, 10)))
        await session.ready()
        os.kill(forker.pid, signal.SIGKILL)
        await forker.gone()
        with pytest.raises(ParseError, match="SIGKILL"):
            await session.finish()
        assert not await forker.is_ready()
        await session.close()
        await forker.close()

    asyncio.run(life())


def test_a_forker_that_is_killed_with_a_request_unread_ends_what_it_was_asked_for() -> None:
    async def life() -> list[object]:
        forker, faults = Forker(), list[object]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        assert await forker.is_ready()
        os.kill(forker.pid, signal.SIGSTOP)
        session = RunningParser(forker.start, Job(Format(), MIB, "", Limits(288 * MIB, MIB, 10)))
        os.kill(forker.pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            await forker.gone()
            with pytest.raises(ParseError, match="SIGKILL"):
                await session.finish()
            await session.close()
            await forker.close()
        return faults

    assert asyncio.run(life()) == []


def noted_forkers(monkeypatch: pytest.MonkeyPatch) -> list[Forker]:
    forkers: list[Forker] = []

    def noted() -> Forker:
        forkers.append(Forker())
        return forkers[-1]

    monkeypatch.setattr(process, "Forker", noted)
    return forkers


def test_a_forker_that_was_killed_has_a_successor_while_lists_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    forkers, starts = noted_forkers(monkeypatch), counted_starts(monkeypatch)

    async def life() -> list[int]:
        parsers = ParserProcesses(expects_lists=True)
        try:
            assert await many(parsers, 1) == [0]
            os.kill(forkers[0].pid, signal.SIGKILL)
            await forkers[0].gone()
            return await many(parsers, 40)
        finally:
            await parsers.close()

    assert asyncio.run(life()) == [*range(40)]
    assert len(forkers) == 2
    assert len(starts) <= 3


def test_the_forker_ends_when_no_list_has_come_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_IDLE", 0.01)
    forkers = noted_forkers(monkeypatch)

    async def life() -> None:
        await many(ParserProcesses(), 5)
        async with asyncio.timeout(60):
            await forkers[0].gone()

    asyncio.run(life())


def test_the_forker_ends_where_no_expected_list_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "START", 0.01)
    forkers = noted_forkers(monkeypatch)

    async def life() -> None:
        ParserProcesses(expects_lists=True)
        async with asyncio.timeout(60):
            await forkers[0].gone()

    asyncio.run(life())


def test_a_forker_that_is_ended_while_it_starts_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    async def life() -> None:
        forker = Forker()
        forker.end()
        async with asyncio.timeout(60):
            await forker.gone()

    asyncio.run(life())
    assert capfd.readouterr() == ("", "")
