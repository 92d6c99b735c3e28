"""What becomes of a program, and of what it is given and says."""

import asyncio
import os
import tempfile

import pytest

from banlistd.adapters.system.child_program import ChildBounds, ChildEnd, ChildFaultError, LateChildError, run_child

BOUNDS = ChildBounds(seconds=60, output=1 << 20)
ECHO = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
LONG = bytes(1 << 20)


def ended(program: str, given: bytes | int = b"", bounds: ChildBounds = BOUNDS) -> ChildEnd:
    return asyncio.run(run_child(("-I", "-S", "-c", program), {}, bounds, given=given))


def test_it_reads_what_it_is_given_and_what_it_says_comes_back() -> None:
    assert ended(ECHO, LONG) == (0, LONG)


def test_it_may_read_a_file_in_place_of_octets() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"a list")
        file.seek(0)
        assert ended(ECHO, file.fileno()) == (0, b"a list")


@pytest.mark.parametrize(("program", "code"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)])
def test_its_end_is_known(program: str, code: int) -> None:
    assert ended(program).code == code


def test_one_that_ends_without_reading_has_its_answer() -> None:
    assert ended("print(1)", LONG) == (0, b"1\n")


def test_one_that_says_too_much_is_a_fault() -> None:
    with pytest.raises(ChildFaultError, match=r"^says too much$"):
        ended(ECHO, LONG, ChildBounds(seconds=60, output=len(LONG) - 1))


async def left_running(reader: int, writer: int, seconds: float) -> "asyncio.Future[ChildEnd]":
    """A program that never ends, and that has the other end of a pipe; given up once it runs, or late."""
    program = ("-I", "-S", "-c", f"import os, time; os.write({writer}, b'x'); time.sleep(600)")
    running = asyncio.ensure_future(run_child(program, {}, ChildBounds(seconds, 1), given=b"", descriptors=[writer]))
    if seconds > 1:
        await asyncio.to_thread(os.read, reader, 1)
        running.cancel()
    await asyncio.wait([running])
    return running


@pytest.mark.parametrize("is_late", [True, False])
def test_one_that_is_late_or_whose_caller_is_cancelled_is_killed(*, is_late: bool) -> None:
    reader, writer = os.pipe()
    running = asyncio.run(left_running(reader, writer, 0.05 if is_late else 60))
    os.close(writer)
    while os.read(reader, 1):  # until the end of the file: the program, which has the other end too, is gone
        continue
    os.close(reader)
    if is_late:
        assert isinstance(error := running.exception(), LateChildError)
        assert str(error) == "did not end within 0.05 s"
    else:
        assert running.cancelled()


def test_one_that_cannot_be_started_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/gone/python")
    with pytest.raises(ChildFaultError, match=r"^cannot be started \(No such file or directory\)$"):
        ended("")
