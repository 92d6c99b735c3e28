"""Metrics and health over HTTP/1.1, for all who can connect: a few fixed routes, GET and HEAD alone, one answer a connection.

No part of the daemon waits for a client. Connections, octets of a head and time are bounded, and all clients together cost no
more than one look at the parts at a time: answers to the same question that are wanted meanwhile are one answer.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from banlistd.control.listener import listen, remove
from banlistd.core.config.service.metrics import Listen
from banlistd.errors import BanlistdError, ControlSocketError

_LOG = logging.getLogger(__name__)
_END = b"\r\n\r\n"
_PIECE = 4096
_WAITING = 16  # connections that wait to be accepted
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class MonitoringBounds:
    """Of clients. `head`: octets of a request. `request_seconds`: until its head is complete. `answer_seconds`: until a client
    has taken the whole answer. `pause`: seconds without accepting where the system has no descriptor left.
    """

    connections: int = 8
    head: int = 8192
    request_seconds: float = 5.0
    answer_seconds: float = 10.0
    pause: float = 1.0


class Reply(NamedTuple):
    status: HTTPStatus
    media_type: str
    body: bytes


class Asked(NamedTuple):
    """`path`: without the query. `accept`: what the client reads, as it says."""

    method: str
    path: str
    accept: str


MonitoringRoute = Callable[[str], Awaitable[Reply]]
"""Answers, given the `Accept` of the request. May raise BanlistdError."""

_BOUNDS = MonitoringBounds()


@asynccontextmanager
async def listening(place: Listen) -> AsyncIterator[socket.socket]:
    """A listening socket; the file of a unix socket is gone afterwards. Raises ControlSocketError and AlreadyRunningError."""
    if place.path:
        path = Path(place.path)
        listener, mine = listen(path)
        try:
            yield listener
        finally:
            remove(path, mine.st_ino)
            listener.close()
        return
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        try:
            # Otherwise a restart would have to wait for connections of the process before.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((place.host, place.port))
            listener.listen(_WAITING)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ControlSocketError(
                f"metrics cannot be served on {place}: {reason}", "see `metrics:`; is it in use?"
            ) from error
        yield listener


class MonitoringServer:
    """`routes`: what answers, by path."""

    def __init__(self, routes: Mapping[str, MonitoringRoute], bounds: MonitoringBounds = _BOUNDS) -> None:
        self._routes = routes
        self._bounds = bounds
        self._clients: set[asyncio.Task[None]] = set()
        self._under_way: dict[tuple[str, str], asyncio.Task[Reply]] = {}

    async def run(self, listener: socket.socket) -> None:
        """Answer for ever."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        try:
            while True:
                try:
                    connection, _ = await loop.sock_accept(listener)
                except OSError as error:
                    _LOG.debug("cannot accept a connection: %s", error.strerror)
                    await asyncio.sleep(self._bounds.pause)
                    continue
                self._admit(connection)
        finally:
            tasks = [*self._clients, *self._under_way.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _admit(self, connection: socket.socket) -> None:
        if len(self._clients) >= self._bounds.connections:
            # A client that speaks to us later is refused; to tell it so would cost more than to hang up.
            connection.close()
            return
        task = asyncio.ensure_future(self._serve(connection))
        self._clients.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._clients.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("a request for metrics could not be answered", exc_info=error)

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection:
            connection.setblocking(False)
            try:
                async with asyncio.timeout(self._bounds.request_seconds):
                    asked = await self._read(connection)
                reply = await self._reply(asked)
                head = (
                    f"HTTP/1.1 {reply.status} {reply.status.phrase}\r\nContent-Type: {reply.media_type}\r\n"
                    f"Content-Length: {len(reply.body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
                )
                async with asyncio.timeout(self._bounds.answer_seconds):
                    await loop.sock_sendall(connection, head.encode("ascii"))
                    # The same octets for all clients: none of them has a copy that it could keep by reading slowly.
                    if asked is None or asked.method != "HEAD":
                        await loop.sock_sendall(connection, memoryview(reply.body))
                    connection.shutdown(socket.SHUT_WR)
            except (OSError, TimeoutError) as error:
                _LOG.debug("a client of the metrics was left: %s", error)

    async def _read(self, connection: socket.socket) -> Asked | None:
        """None: that is no request that could be answered."""
        head = b""
        while _END not in head:
            piece = await asyncio.get_running_loop().sock_recv(connection, _PIECE)
            head += piece
            if not piece or len(head) > self._bounds.head:
                return None
        return _asked(head.partition(_END)[0])

    async def _reply(self, asked: Asked | None) -> Reply:
        if asked is None:
            return _plain(HTTPStatus.BAD_REQUEST, "no HTTP request, or a long one")
        if asked.method not in ("GET", "HEAD"):
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD")
        route = self._routes.get(asked.path)
        if route is None:
            return _plain(HTTPStatus.NOT_FOUND, f"there are: {', '.join(self._routes)}")
        # What a client says it reads must not make a question of its own.
        accept = "openmetrics" if "application/openmetrics-text" in asked.accept else ""
        key = asked.path, accept
        if key not in self._under_way:
            task = self._under_way[key] = asyncio.ensure_future(_answered(route, accept))
            task.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(self._under_way[key])


async def _answered(route: MonitoringRoute, accept: str) -> Reply:
    try:
        return await route(accept)
    except BanlistdError as error:
        return _plain(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


def _plain(status: HTTPStatus, words: str) -> Reply:
    return Reply(status, _PLAIN, f"{words}\n".encode())


def _asked(head: bytes) -> Asked | None:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - RFC 9112 3: method, target, version
        return None
    fields = (line.partition(":") for line in lines)
    accept = [value for name, _, value in fields if name.lower() == "accept"]
    return Asked(words[0], words[1].partition("?")[0], ", ".join(accept))
