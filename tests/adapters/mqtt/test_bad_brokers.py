"""The connection by TLS, and against brokers and servers that refuse, stop, close or send garbage."""

import asyncio
import gc
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from banlistd.adapters.mqtt.certificates import tls_context
from banlistd.adapters.mqtt.connection import BrokerAccess, connected
from banlistd.errors import BusError
from banlistd.ports.mqtt import BusMessage
from support.certificates import Authority
from support.mosquitto import broker

WILL = BusMessage("a/status", b"offline", retained=True)
ATTEMPTS = 500
AT_ONCE = 25
_OWN = 20
"""Descriptors that an event loop may keep beside those of a test: fewer than the two ends of so many connections."""

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def access(port: int, user: str = "", password: str = "") -> BrokerAccess:
    return BrokerAccess("127.0.0.1", port, "banlistd-a", None, user, password)


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As soon as it is accepted."""


async def sends_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(random.Random(4).randbytes(10_000))
    await reader.read()


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """The port of a server; all that it accepts is closed in the end."""

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve_and_close, "127.0.0.1", 0)
    idle = descriptors()
    try:
        yield server.sockets[0].getsockname()[1]
        await settled(idle + _OWN)
    finally:
        server.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count


async def settled(most: int) -> None:
    """Wait until at most so many descriptors are open, and no other task runs."""
    async with asyncio.timeout(60):
        while descriptors() > most or len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)


async def attempt(access: BrokerAccess, seconds: float = 10.0) -> None:
    async with connected(access, WILL, [], seconds):
        raise AssertionError("this server has no connection")


# paho leaves the socket of a failed handshake to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_client_certificate_is_shown_and_a_foreign_authority_is_refused(tmp_path: Path) -> None:
    authority = Authority.made_in(tmp_path)
    server, client = authority.signed("server"), authority.signed("web-1")
    (tmp_path / "other").mkdir()
    foreign = Authority.made_in(tmp_path / "other")

    def by(ca: Path, certificate: Path | None) -> BrokerAccess:
        return BrokerAccess("127.0.0.1", mosquitto.port, "banlistd-a", tls_context(ca, certificate, certificate))

    async def life() -> None:
        async with connected(by(authority.path, client), WILL, ["a/state"]) as bus:
            sending = asyncio.create_task(bus.run())
            bus.send(BusMessage("a/state", b"1"))
            assert (await bus.received()).payload == b"1"
            sending.cancel()
        with pytest.raises(BusError, match="CERTIFICATE_VERIFY_FAILED"):
            await attempt(by(foreign.path, client))
        with pytest.raises(BusError):
            await attempt(by(authority.path, None), 1.0)
        gc.collect()

    lines = [f"cafile {authority.path}", f"certfile {server}", f"keyfile {server}", "require_certificate true"]
    with broker(tmp_path, *lines, "use_identity_as_username true", "user root") as mosquitto:
        asyncio.run(life())


def test_a_wrong_password_is_refused_with_the_reason_of_the_broker(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("")
    with (
        broker(tmp_path, "allow_anonymous false", f"password_file {tmp_path / 'passwords'}", "user root") as mosquitto,
        pytest.raises(BusError, match=r"Not authorized|Bad user name or password"),
    ):
        asyncio.run(attempt(access(mosquitto.port, user="u", password="p")))  # noqa: S106 - of a test


@pytest.mark.parametrize("serve", [says_nothing, closes, sends_garbage])
def test_a_server_that_is_no_broker_ends_in_one_error(serve: Serve) -> None:
    async def life() -> None:
        async with serving(serve) as port:
            with pytest.raises(BusError):
                await attempt(access(port), 0.5)

    asyncio.run(life())


async def announces_too_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """CONNACK, SUBACK, and the head of a PUBLISH of 200 MB (MQTT 5.0, 1.5.5, 3.2, 3.3, 3.9)."""
    for answer in ([0x20, 3, 0, 0, 0], [0x90, 4, 0, 1, 0, 0, 0x30, 0x80, 0x84, 0xAF, 0x5F]):
        await reader.read(4096)
        writer.write(bytes(answer))
    await reader.read()


def test_a_packet_larger_than_was_asked_for_ends_the_connection() -> None:
    async def life() -> None:
        async with serving(announces_too_much) as port, asyncio.timeout(60):
            with pytest.raises(BusError):
                async with connected(access(port), WILL, ["a/order"], 2.0) as bus:
                    await bus.received()

    asyncio.run(life())


def test_a_broker_that_stops_answering_ends_the_connection(tmp_path: Path) -> None:
    async def life(port: int, pid: int) -> None:
        async with asyncio.timeout(60), connected(access(port), WILL, [], 2.0) as bus:
            os.kill(pid, signal.SIGSTOP)
            try:
                bus.send(BusMessage("a/answer", b"1"))
                bus.send(BusMessage("a/event", b"2", qos=0))
                bus.send(BusMessage("a/state", b"3", retained=True))
                with pytest.raises(BusError):
                    await bus.run()
                # The state is sent anew after the next connect.
                assert bus.lost == 2
            finally:
                os.kill(pid, signal.SIGCONT)

    with broker(tmp_path) as mosquitto:
        assert mosquitto.process is not None
        asyncio.run(life(mosquitto.port, mosquitto.process.pid))


async def _timed_out(port: int, _: int) -> None:
    with pytest.raises(BusError):
        await attempt(access(port), 0.02)


async def _cancelled(port: int, number: int) -> None:
    task = asyncio.ensure_future(attempt(access(port)))
    for _ in range(number % 60):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _in_turns(work: Callable[[int, int], Awaitable[None]], port: int, numbers: Sequence[int]) -> None:
    for start in range(0, len(numbers), AT_ONCE):
        await asyncio.gather(*(work(port, number) for number in numbers[start : start + AT_ONCE]))


def test_a_thousand_connects_that_time_out_or_are_cancelled_leave_nothing_open() -> None:
    async def life() -> None:
        async with serving(says_nothing) as port:
            idle = descriptors()
            await _in_turns(_timed_out, port, range(AT_ONCE))  # the threads for connections
            await settled(idle + _OWN)
            before = descriptors()
            await _in_turns(_timed_out, port, range(ATTEMPTS))
            await _in_turns(_cancelled, port, range(ATTEMPTS))
            await settled(before)

    asyncio.run(life())
