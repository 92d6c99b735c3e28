"""Clients that may be hostile: real sockets on loopback, bounds small enough for a test."""

import asyncio
import socket
import stat
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

import pytest

from banlistd.control.monitoring.server import MonitoringBounds, MonitoringRoute, MonitoringServer, Reply, listening
from banlistd.core.config.service.metrics import Listen
from banlistd.errors import AlreadyRunningError, ControlSocketError, LedgerError
from support.ports import reserved_port

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
SOON = MonitoringBounds(connections=2, head=512, request_seconds=0.05, answer_seconds=0.05, pause=0.01)
PATIENT = MonitoringBounds(connections=2, head=512)
PATIENCE = 60.0
LARGE = 32 * 2**20  # octets; more than the kernel takes from a socket whose other end does not read


class Counted:
    """Answers once the test lets it."""

    def __init__(self, body: bytes = b"metric 1\n", *, waits: bool = False) -> None:
        self.body = body
        self.accepts: list[str] = []
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        if not waits:
            self.go.set()

    async def __call__(self, accept: str) -> Reply:
        self.accepts.append(accept)
        self.asked.set()
        await self.go.wait()
        return Reply(HTTPStatus.OK, "text/plain", self.body)


Client = Callable[[bytes], Awaitable[bytes]]
Life = Callable[[Listen, Client], Awaitable[None]]


def with_server(
    life: Callable[[Listen, Client], Awaitable[None]], route: Callable[[], MonitoringRoute], bounds: MonitoringBounds
) -> None:
    """A server on a port of loopback that was free."""

    async def main(place: Listen) -> None:
        async with listening(place) as listener:
            serving = asyncio.ensure_future(MonitoringServer({"/metrics": route()}, bounds).run(listener))
            try:
                async with asyncio.timeout(PATIENCE):
                    await life(place, lambda text: asked(place, text))
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    with reserved_port() as port:
        asyncio.run(main(Listen("127.0.0.1", port)))


async def connection_to(place: Listen) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(place.host, place.port)


async def asked(place: Listen, text: bytes) -> bytes:
    """The whole answer to a text."""
    reader, writer = await connection_to(place)
    try:
        writer.write(text)
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (GET, 200),
        (b"GET /metrics?name=x HTTP/1.0\r\n\r\n", 200),
        (b"GET /other HTTP/1.1\r\n\r\n", 404),
        (b"GET //metrics HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 1\r\n\r\n", 405),
        (b"PRI * HTTP/2.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"\xff\x00 / HTTP/1.1\r\n\r\n", 405),
    ],
)
def test_only_a_request_for_a_known_route_is_answered(text: bytes, status: int) -> None:
    async def life(_: Listen, client: Client) -> None:
        answer = await client(text)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert answer.endswith(b"\r\n\r\nmetric 1\n") == (status == HTTPStatus.OK)

    with_server(life, Counted, PATIENT)


def test_head_has_the_length_and_no_body() -> None:
    async def life(_: Listen, client: Client) -> None:
        answer = await client(GET.replace(b"GET", b"HEAD"))
        assert answer.endswith(b"\r\n\r\n")
        assert b"Content-Length: 9\r\n" in answer

    with_server(life, Counted, PATIENT)


def test_a_long_head_is_refused() -> None:
    async def life(_: Listen, client: Client) -> None:
        assert (await client(b"GET /metrics HTTP/1.1\r\nX: " + 2000 * b"x")).startswith((b"HTTP/1.1 400 ", b""))
        assert await client(GET)

    with_server(life, Counted, PATIENT)


def test_a_request_that_is_not_complete_in_time_is_left() -> None:
    async def life(place: Listen, client: Client) -> None:
        reader, writer = await connection_to(place)
        writer.write(b"GET /metrics HT")
        assert await reader.read() == b""
        writer.close()
        # A busy machine may take longer than so short a time for this one too.
        while not await client(GET):
            pass

    with_server(life, Counted, SOON)


def test_a_client_that_does_not_read_is_left() -> None:
    async def life(place: Listen, client: Client) -> None:
        reader, writer = await connection_to(place)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket
        writer.write(GET)
        # Its place is free again once it is left.
        while not (answer := await client(GET)).startswith(b"HTTP/1.1 200") or len(answer) < LARGE:
            pass
        writer.close()
        del reader

    bounds = MonitoringBounds(connections=1, answer_seconds=0.3)
    with_server(life, lambda: Counted(bytes(LARGE)), bounds)


def test_a_connection_beyond_the_bound_is_closed_and_the_others_go_on() -> None:
    route: list[Counted] = []

    def make() -> Counted:
        route.append(Counted(waits=True))
        return route[0]

    async def life(place: Listen, client: Client) -> None:
        waiting = [asyncio.ensure_future(client(GET)) for _ in range(PATIENT.connections)]
        await route[0].asked.wait()
        reader, writer = await connection_to(place)
        assert await reader.read() == b""
        writer.close()
        route[0].go.set()
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in await asyncio.gather(*waiting))
        # They asked at the same time, and had one answer.
        assert len(route[0].accepts) == 1

    with_server(life, make, PATIENT)


def test_what_a_client_reads_is_one_of_two_formats() -> None:
    counted: list[Counted] = []

    def make() -> Counted:
        counted.append(Counted())
        return counted[0]

    async def life(_: Listen, client: Client) -> None:
        for accept in (b"*/*", b"application/openmetrics-text; version=1.0.0,text/plain;q=0.5", b"x" * 100):
            assert await client(b"GET /metrics HTTP/1.1\r\naccept: " + accept + b"\r\n\r\n")
        assert counted[0].accepts == ["", "openmetrics", ""]

    with_server(life, make, PATIENT)


def test_an_error_of_a_part_is_an_answer_and_an_unforeseen_one_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    errors: list[Exception] = [LedgerError("the disk is full"), ZeroDivisionError("a fault")]

    async def fails(_: str) -> Reply:
        if errors:
            raise errors.pop(0)
        return Reply(HTTPStatus.OK, "text/plain", b"")

    async def life(_: Listen, client: Client) -> None:
        answer = await client(GET)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"the disk is full" in answer
        assert await client(GET) == b""
        assert "could not be answered" in caplog.text
        assert (await client(GET)).startswith(b"HTTP/1.1 200 ")

    with_server(life, lambda: fails, PATIENT)


def test_a_unix_socket_is_open_to_the_group_and_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"

    async def main() -> None:
        async with listening(Listen(path=str(path))):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            with pytest.raises(AlreadyRunningError):
                async with listening(Listen(path=str(path))):
                    pass
        assert not path.exists()

    asyncio.run(main())


def test_a_port_in_use_is_an_error_with_the_place() -> None:
    async def main() -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with pytest.raises(ControlSocketError, match=f"cannot be served on 127.0.0.1:{port}: Address already in use"):
                async with listening(Listen("127.0.0.1", port)):
                    pass

    asyncio.run(main())
