"""Accepts the connections of the control socket within bounds, so that no user can take the descriptors that repairs need."""

import asyncio
import json
import logging
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass

from banlistd.adapters.host.peer import peer_of
from banlistd.control.answers.faults import fault_answer, status_of
from banlistd.errors import TooManyConnectionsError

_LOG = logging.getLogger(__name__)
_ROOT = 0
_BATCH = 32  # connections that are accepted before other work has its turn


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of connections and time. Root has connections of its own, so that other users cannot keep it out.

    `per_user`, `users`: connections of one user, and of all users, without root. `root`: connections of root. `spare`:
    descriptors that connections of users leave to the rest of the daemon. `request_seconds`: until a request is complete.
    `retry_seconds`: before the next try to accept when the system has no descriptor left.
    """

    per_user: int = 64
    users: int = 192
    root: int = 256
    spare: int = 128
    request_seconds: float = 10.0
    retry_seconds: float = 1.0


class Acceptor:
    """`protocol` makes what serves one connection. A connection beyond the bounds is answered with 503 and closed."""

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.BaseProtocol], bounds: Bounds) -> None:
        self._listener = listener
        self._protocol = protocol
        self._bounds = bounds
        self._loop = asyncio.get_running_loop()
        self._open: list[tuple[socket.socket, int]] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None
        listener.setblocking(False)

    def start(self) -> None:
        self._retry = None
        self._loop.add_reader(self._listener, self._accept)

    async def stop(self) -> None:
        """Accept no more. Connections that were accepted go on."""
        self._loop.remove_reader(self._listener)
        if self._retry is not None:
            self._retry.cancel()
        await asyncio.gather(*self._starting)

    def _accept(self) -> None:
        for _ in range(_BATCH):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # The connection still waits: without a pause the loop would call us again at once.
                _LOG.debug("cannot accept a connection: %s", error.strerror)
                self._loop.remove_reader(self._listener)
                self._retry = self._loop.call_later(self._bounds.retry_seconds, self.start)
                return
            self._admit(connection)

    def _admit(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        uid = peer_of(connection).uid
        # A transport closes the socket that it was given.
        self._open = [(other, owner) for other, owner in self._open if other.fileno() >= 0]
        if not self._has_room(uid, connection.fileno()):
            _refuse(connection, uid)
            return
        self._open.append((connection, uid))
        task = self._loop.create_task(self._begin(connection))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def _has_room(self, uid: int, descriptor: int) -> bool:
        bounds, same = self._bounds, sum(owner == uid for _, owner in self._open)
        if uid == _ROOT:
            return same < bounds.root
        users = sum(owner != _ROOT for _, owner in self._open)
        # The system gives the lowest free number, so that a high one means that few are left.
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return same < bounds.per_user and users < bounds.users and descriptor < most - bounds.spare

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError as error:
            _LOG.debug("a connection broke at its begin: %s", error.strerror)
            connection.close()


def _refuse(connection: socket.socket, uid: int) -> None:
    fault = TooManyConnectionsError(f"user {uid} cannot have more connections to banlistd now", "close some, or try again")
    body = json.dumps(fault_answer(fault))
    head = (
        f"HTTP/1.1 {status_of(type(fault))} Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with connection:
        try:
            connection.send((head + body).encode("ascii"))
        except OSError as error:
            _LOG.debug("a connection broke while it was refused: %s", error.strerror)
