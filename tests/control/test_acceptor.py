"""Users that keep connections open: real sockets, bounds small enough for a test. Only the user of a connection is made up."""

import asyncio
import logging
import resource
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.host.peer import Peer
from banlistd.control import acceptor
from banlistd.control.acceptor import Acceptor, Bounds
from banlistd.control.declaration import Command
from banlistd.control.server import serve
from banlistd.ctl.client import DaemonError, Question, ask
from ctl.canned import Canned

ROOT, USER, OTHER, THIRD = 0, 1001, 1002, 1003
STATUS = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"
HALF_HEAD = b"GET /v1/status HTTP/1.1\r\nX: "
REFRESH = b"POST /v1/refresh HTTP/1.1\r\nHost: x\r\n"
HALF_BODY = REFRESH + b"Content-Length: 9\r\n\r\n{"
OK, FULL = b"HTTP/1.1 200 OK", b"HTTP/1.1 503 Service Unavailable"
SOON = 0.05
PATIENCE = 60


class Peers:
    """Connections of users to the daemon at `path`. `uid`: whose the next one is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uid = ROOT
        self.stack = ExitStack()

    async def connect(self, uid: int, text: bytes = b"") -> socket.socket:
        """A connection of that user, which the daemon has accepted or refused."""
        self.uid = uid
        connection = self.stack.enter_context(socket.socket(socket.AF_UNIX))
        connection.setblocking(False)
        connection.connect(str(self.path))
        connection.sendall(text)
        for _ in range(5):  # rounds of the loop, each of which looks for connections
            await asyncio.sleep(0)
        return connection

    async def status(self, uid: int) -> bytes:
        """The first line of the answer on a new connection, which stays open."""
        return await first_line(await self.connect(uid, STATUS))


async def received(connection: socket.socket) -> bytes:
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(connection, 1 << 16), PATIENCE)


async def first_line(connection: socket.socket) -> bytes:
    return (await received(connection)).partition(b"\r\n")[0]


async def until_closed(connection: socket.socket) -> bytes:
    """What arrives until the daemon closes the connection."""
    pieces = []
    while piece := await received(connection):
        pieces.append(piece)
    return b"".join(pieces)


@pytest.fixture
def peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peers:
    found = Peers(tmp_path / "control.sock")
    monkeypatch.setattr(acceptor, "peer_of", lambda _: Peer(found.uid, frozenset()))
    return found


def serving(peers: Peers, bounds: Bounds, test: Callable[[], Awaitable[None]], operations: Canned | None = None) -> Canned:
    operations = operations or Canned()

    async def run() -> None:
        async with serve(operations, peers.path, bounds=bounds):
            with peers.stack:
                await test()

    asyncio.run(run())
    return operations


@pytest.mark.parametrize("begin", [b"", b"G", HALF_HEAD])
def test_half_a_head_is_closed_without_an_answer(peers: Peers, begin: bytes) -> None:
    async def test() -> None:
        assert await until_closed(await peers.connect(USER, begin)) == b""

    assert serving(peers, Bounds(request_seconds=SOON), test).asked == []


def test_half_a_head_behind_a_whole_request_is_closed_too(peers: Peers) -> None:
    async def test() -> None:
        assert (await until_closed(await peers.connect(USER, STATUS + HALF_HEAD))).count(b"HTTP/1.1") == 1

    assert serving(peers, Bounds(request_seconds=SOON), test).asked == [("status",)]


def test_half_a_body_is_refused_and_closed(peers: Peers) -> None:
    async def test() -> None:
        answer = await until_closed(await peers.connect(USER, HALF_BODY))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"the body was not complete within 0.05 s" in answer

    assert serving(peers, Bounds(request_seconds=SOON), test).asked == []


def test_half_a_body_for_no_route_is_closed(peers: Peers) -> None:
    async def test() -> None:
        answer = await until_closed(await peers.connect(USER, HALF_BODY.replace(b"refresh", b"nothing")))
        assert answer.startswith(b"HTTP/1.1 404 ")

    serving(peers, Bounds(request_seconds=SOON), test)


def test_an_answer_may_take_longer_than_a_request(peers: Peers) -> None:
    class Slow(Canned):
        def __init__(self) -> None:
            super().__init__()
            self.go_on = asyncio.Event()

        async def __call__(self, command: Command[Any, Any], order: Any) -> Any:
            await self.go_on.wait()
            return await super().__call__(command, order)

    operations = Slow()

    async def test() -> None:
        slow = await peers.connect(USER, STATUS)
        await until_closed(await peers.connect(USER, HALF_HEAD))
        operations.go_on.set()
        assert await first_line(slow) == OK

    serving(peers, Bounds(request_seconds=SOON), test, operations)


def test_a_user_has_so_many_connections_and_a_closed_one_makes_room(peers: Peers) -> None:
    async def test() -> None:
        first = await peers.connect(USER, HALF_HEAD)
        await peers.connect(USER, HALF_HEAD)
        assert await peers.status(USER) == FULL
        assert await peers.status(OTHER) == OK
        first.close()
        await peers.connect(OTHER)
        assert await peers.status(USER) == OK
        assert await peers.status(USER) == FULL

    serving(peers, Bounds(per_user=2), test)


def test_half_requests_make_room_when_they_are_late(peers: Peers) -> None:
    async def test() -> None:
        late = await peers.connect(USER, HALF_HEAD)
        assert await peers.status(USER) == FULL
        await until_closed(late)
        assert await peers.status(USER) == OK

    serving(peers, Bounds(per_user=1, request_seconds=SOON), test)


def test_many_users_together_cannot_keep_root_out(peers: Peers) -> None:
    async def test() -> None:
        for user in (USER, OTHER):
            await peers.connect(user, HALF_HEAD)
        assert await peers.status(THIRD) == FULL
        assert [await peers.status(ROOT) for _ in range(3)] == [OK, OK, FULL]

    serving(peers, Bounds(users=2, root=2), test)


def test_root_takes_no_connection_from_users(peers: Peers) -> None:
    async def test() -> None:
        for _ in range(2):
            await peers.connect(ROOT, HALF_HEAD)
        assert await peers.status(USER) == OK

    serving(peers, Bounds(users=1), test)


def test_users_leave_descriptors_to_root_and_to_the_rest_of_the_daemon(peers: Peers) -> None:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def test() -> None:
        assert await peers.status(USER) == FULL
        assert await peers.status(ROOT) == OK

    serving(peers, Bounds(spare=most), test)


def test_the_command_line_says_why_it_was_refused(peers: Peers) -> None:
    async def test() -> None:
        with pytest.raises(DaemonError, match="cannot have more connections") as refused:
            await asyncio.to_thread(ask, str(peers.path), Question("GET", "/v1/status"))
        assert refused.value.code == 75
        assert refused.value.document["error"]["kind"] == "TooManyConnectionsError"

    serving(peers, Bounds(root=0), test)


def test_connections_wait_without_a_busy_loop_while_there_is_no_descriptor(peers: Peers) -> None:
    accepted: list[asyncio.BaseProtocol] = []
    most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def run() -> None:
        loop, came = asyncio.get_running_loop(), asyncio.Event()

        class Noting(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                accepted.append(self)
                came.set()
                transport.close()

        with socket.socket(socket.AF_UNIX) as listener, peers.stack:
            listener.bind(str(peers.path))
            listener.listen()
            accepting = Acceptor(listener, Noting, Bounds(retry_seconds=SOON))
            accepting.start()
            waiting = socket.socket(socket.AF_UNIX)
            peers.stack.enter_context(waiting)
            # It took the lowest free number, so that none is left below.
            resource.setrlimit(resource.RLIMIT_NOFILE, (waiting.fileno() + 1, hard))
            waiting.connect(str(peers.path))
            for _ in range(5):
                await asyncio.sleep(0)
            assert not loop.remove_reader(listener)  # nobody watches it until the pause is over
            assert accepted == []
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            await asyncio.wait_for(came.wait(), PATIENCE)
            await accepting.stop()

    try:
        asyncio.run(run())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


@pytest.mark.parametrize(
    "text",
    [
        b"GET /\x1b[31m\n HTTP/1.1\r\n\r\n",
        b"\x1b[2J\x1b]0;x\x07 \xe2\x80\xae / HTTP/1.1\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: evil\x1b[31m\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nX: a\nlevel=error event=forged\r\n\r\n",
        STATUS + b"\x00\x01\r\n\r\n",
        b"GET /" + b"a" * 20_000,
        REFRESH + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        REFRESH + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        REFRESH + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nnoise",
        REFRESH + b"Content-Encoding: deflate\r\nContent-Length: 5\r\n\r\nnoise",
        HALF_HEAD,
        HALF_BODY,
    ],
)
@pytest.mark.parametrize("wait", [True, False], ids=["waits", "hangs up"])
def test_what_a_peer_does_wrong_is_not_logged(peers: Peers, text: bytes, wait: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        connection = await peers.connect(USER, text)
        if wait:
            await until_closed(connection)
        connection.close()
        assert await peers.status(USER) == OK

    with caplog.at_level(logging.INFO):
        serving(peers, Bounds(request_seconds=SOON), test)

    assert [record.getMessage() for record in caplog.records] == []
