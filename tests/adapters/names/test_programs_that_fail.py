"""What the daemon makes of a program that asks name servers and is missing, mute, or taken over by hostile bytes."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from banlistd.adapters.names.messages import ServerQuestion as Question
from banlistd.adapters.names.messages import decoded_question, encoded_question, packed_answer, unpacked_answer
from banlistd.adapters.names.name_servers import NameServers
from support.fakes import FakeClock

LYING = """
import socket
channel = socket.socket(fileno=0)
while octets := channel.recv(512):
    channel.send({answer})
"""
ANSWERS = {
    "too long": "bytes(5000)",
    "too short": "b'a'",
    "to no question": "(7).to_bytes(4, 'big') + bytes(6)",
    "with a count that is wrong": "(1).to_bytes(4, 'big') + bytes([1, 0, 0, 0, 1, 2])",
    "with an address of another kind": "(1).to_bytes(4, 'big') + bytes([1, 0, 0, 0, 1, 1, 5]) + bytes(16)",
}


@pytest.fixture
def with_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The name of a module with this text."""
    monkeypatch.syspath_prepend(tmp_path)

    def written(text: str) -> str:
        (tmp_path / "other_program.py").write_text(text)
        return "other_program"

    return written


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_none_ends_the_program_and_nothing_of_it_counts(
    with_program: Callable[[str], str], answer: str
) -> None:
    async def life() -> None:
        clock = FakeClock()
        servers = NameServers(clock, with_program(LYING.format(answer=answer)))
        assert await servers.ask("a.example", 20.0) is None
        assert servers.pid is None
        assert await servers.ask("a.example", 20.0) is None, "it is left alone for a while"
        assert servers.pid is None
        await servers.close()

    asyncio.run(life())


def test_a_program_that_cannot_run_is_tried_again_only_after_a_while(
    with_program: Callable[[str], str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def life() -> None:
        clock = FakeClock()
        servers = NameServers(
            clock, with_program(f"open({str(tmp_path / 'starts')!r}, 'a').write('x'); import no_such_library")
        )
        for _ in range(3):
            assert await servers.ask("a.example", 20.0) is None
        assert (tmp_path / "starts").read_text() == "x"
        clock.time += 301
        assert await servers.ask("a.example", 20.0) is None
        assert (tmp_path / "starts").read_text() == "xx"
        await servers.close()

    asyncio.run(life())
    assert "asked for without their TTL" in caplog.text


def test_the_program_ends_when_nothing_is_asked_for_a_while(with_program: Callable[[str], str]) -> None:
    right = "int(octets.split()[0]).to_bytes(4, 'big') + bytes(6)"

    async def life() -> None:
        servers = NameServers(FakeClock(), with_program(LYING.format(answer=right)), idle=0.01)
        found = await servers.ask("a.example", 20.0)
        assert found is not None
        assert not found.is_of_dns
        while servers.pid is not None:  # noqa: ASYNC110 - a timer ends it
            await asyncio.sleep(0.01)
        assert await servers.ask("a.example", 20.0), "another one is started"
        await servers.close()

    asyncio.run(life())


def test_a_question_and_an_answer_come_back_as_they_were() -> None:
    question = Question(7, 2.5, "a.example")
    assert decoded_question(encoded_question(question)) == question
    addresses = ("192.0.2.1", "2001:db8::1", "::", "0.0.0.0")
    answer = unpacked_answer(packed_answer(7, (300, addresses)))
    assert (answer.number, answer.is_of_dns, answer.ttl, answer.addresses) == (7, True, 300, addresses)
    assert not unpacked_answer(packed_answer(7, None)).is_of_dns


def test_a_daemon_imports_no_library_of_name_servers() -> None:
    program = "import sys, banlistd.compose; assert not [name for name in sys.modules if name.split('.')[0] == 'dns']"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
