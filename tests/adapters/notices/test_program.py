import asyncio
import os
from pathlib import Path

import pytest

from banlistd.adapters.notices.program import Ended, run_program

SHELL = "/bin/sh"


def run(script: str, given: bytes = b"", seconds: float = 60.0, **environment: str) -> Ended:
    return asyncio.run(run_program([SHELL, "-c", script], given, environment, seconds))


def test_it_gets_its_input_and_its_variables_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the service")
    assert run('cat; echo "$OURS,$SECRET"', b"given\n", OURS="a;b") == Ended(0, "given\na;b,")


def test_its_exit_code_and_its_errors_are_reported() -> None:
    assert run("echo wrong >&2; exit 3") == Ended(3, "wrong")


def test_endless_output_is_cut_and_does_not_stop_it() -> None:
    ended = run("head -c 3000000 /dev/zero | tr '\\0' x; exit 7")
    assert ended.code == 7
    assert len(ended.output) == 4096


def test_input_that_is_not_read_delays_nothing() -> None:
    assert run("exit 0", b"x" * 1_000_000) == Ended(0, "")


def test_a_program_beyond_its_time_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    # On a busy machine its first time may be over before it has begun.
    for seconds in (1.0, 10.0, 60.0):
        # Both programs have the other end; its end is the end of both.
        ended = run(f"exec 9>{pipe}; echo begun; sleep 1000 & sleep 1000", seconds=seconds)
        if ended.output:
            break
    assert ended == Ended(None, "begun")
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_what_a_program_leaves_behind_is_killed_at_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert run(f"exec 9>{pipe}; sleep 1000 & exit 0") == Ended(0, "")
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(run_program(["/no/such/program"], b"", {}, 1.0))
