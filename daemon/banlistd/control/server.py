"""The control socket: HTTP/1.1 on a unix socket, one route per command, for root, the daemon's own account and the group that
owns the socket. The mode of its file enforces that in the kernel; the credentials of the peer are checked as well.

Every answer is one JSON document, including every refusal. aiohttp itself answers two cases in plain text: a request that is
not HTTP (400), and an unforeseen fault (500), whose traceback it logs. What a peer can cause is not logged.
"""

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from banlistd.adapters.host.peer import Peer, peer_of
from banlistd.control.acceptor import Acceptor, Bounds
from banlistd.control.answers.encoding import json_pieces, one_by_one
from banlistd.control.answers.faults import fault_answer, protocol_fault, status_of
from banlistd.control.declaration import Command
from banlistd.control.listener import listen, remove
from banlistd.control.read_request import read_request
from banlistd.control.request import ControlRequest
from banlistd.control.table import COMMANDS
from banlistd.errors import BanlistdError, NotAllowedError, UsageError

Answerer = Callable[[Command[Any, Any], Any], Awaitable[object]]
"""Answers a command, given what its `read` made of the request."""

TurnsOfUsers = defaultdict[int, asyncio.Lock]
"""By uid. What 16 MiB of JSON become may take 400 MB until the order is carried out: each user has one such order at a time."""

OnChange = Callable[[str, int], Awaitable[None]]
"""Awaited for each order that may change something, before it is carried out: its text, and the uid of the peer."""

MAX_BODY = 64 * 1024

# A list that is being fetched when the daemon stops is fetched again at the next start: do not wait for it.
_SHUTDOWN_SECONDS = 1.0

_BOUNDS = Bounds()
# aiohttp raises these for a request that is not HTTP, and for a peer that hangs up.
_FAULTS_OF_PEERS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)


def _is_fault_of_ours(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], _FAULTS_OF_PEERS))


_LOG = logging.getLogger(__name__)
_LOG.addFilter(_is_fault_of_ours)


async def note_nothing(_text: str, _uid: int) -> None:
    """An OnChange for which orders are not logged."""


@asynccontextmanager
async def serve(
    answer: Answerer,
    socket_path: Path,
    on_change: OnChange = note_nothing,
    commands: Sequence[Command[Any, Any]] = COMMANDS,
    bounds: Bounds = _BOUNDS,
) -> AsyncIterator[None]:
    """Answer on `socket_path` (mode 0660) while the context is entered; the file is gone afterwards.

    A dead socket file is replaced. Raises AlreadyRunningError if a daemon answers on it, and ControlSocketError if no socket
    can be created at that path.
    """
    listener, mine = listen(socket_path)
    try:
        app = application(answer, mine.st_gid, on_change, commands, bounds.request_seconds)
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            # The time until the head of a request is complete, from the connection or the last answer on.
            keepalive_timeout=bounds.request_seconds,
            lingering_time=bounds.request_seconds,
            logger=_LOG,
        )
        await runner.setup()
        acceptor = Acceptor(listener, cast("web.Server", runner.server), bounds)
        try:
            acceptor.start()
            yield
        finally:
            # While we still listen: later, another daemon might have put its own in place, on the same inode.
            remove(socket_path, mine.st_ino)
            await acceptor.stop()
            await runner.cleanup()
    finally:
        listener.close()


def application(
    answer: Answerer, group: int, on_change: OnChange, commands: Sequence[Command[Any, Any]], body_seconds: float
) -> web.Application:
    """The routes as a web application that is not bound to any socket.

    `group`: whose members are answered. `body_seconds`: from the head of a request until its body is complete.
    """
    bodies = {command.path: command.max_body for command in commands}
    turns: TurnsOfUsers = defaultdict(asyncio.Lock)
    paths = ", ".join(f"{command.method} {command.path}" for command in commands)
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_faults_as_json(paths, bodies)])
    for command in commands:
        app.router.add_route(command.method, command.path, _handler(command, answer, group, on_change, turns, body_seconds))
    return app


def _handler(
    command: Command[Any, Any],
    answer: Answerer,
    group: int,
    on_change: OnChange,
    turns: TurnsOfUsers,
    body_seconds: float,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        peer = _admitted(request, group)
        async with turns[peer.uid] if _may_be_large(request, command) else nullcontext():
            return await carry_out(request, peer)

    async def carry_out(request: web.Request, peer: Peer) -> web.Response:
        # banlistctl compresses nothing, and what a compressed body becomes is known only when it takes memory.
        most = MAX_BODY if "Content-Encoding" in request.headers else command.max_body
        body = await _body(request.clone(client_max_size=most), body_seconds)
        is_large = len(body) > MAX_BODY  # to decode it takes 2 ms a MiB, and to read its lines much longer
        read = partial(_read, command, request.query, body, peer.uid)
        asked, order = await asyncio.to_thread(read) if is_large else read()
        if command.method == "POST":
            await on_change(" ".join((command.name, *asked.subject)), peer.uid)
        return _json_response(await json_pieces(await answer(command, order)))

    return handle


def _may_be_large(request: web.Request, command: Command[Any, Any]) -> bool:
    """Whether more of its body may come than a small order has."""
    length = request.content_length
    return command.max_body > MAX_BODY and request.body_exists and (length is None or length > MAX_BODY)


def _json_response(pieces: Sequence[bytes]) -> web.Response:
    if len(pieces) == 1:
        return web.Response(body=pieces[0], content_type="application/json", charset="utf-8")
    length = {"Content-Length": str(sum(map(len, pieces)))}
    return web.Response(body=one_by_one(pieces), content_type="application/json", charset="utf-8", headers=length)


def _read(command: Command[Any, Any], query: Mapping[str, str], body: bytes, uid: int) -> tuple[ControlRequest, Any]:
    asked = read_request(command, query, body, uid)
    return asked, command.read(asked)


async def _body(request: web.Request, seconds: float) -> bytes:
    """Raises UsageError for a body that is late or broken."""
    try:
        async with asyncio.timeout(seconds):
            return await request.read()
    except TimeoutError as exc:
        raise UsageError(f"the body was not complete within {seconds:g} s") from exc
    except (HttpProcessingError, web.RequestPayloadError) as exc:
        raise UsageError("the body is broken: its length, chunks or encoding are wrong") from exc


def _admitted(request: web.Request, group: int) -> Peer:
    """The peer. Raises NotAllowedError for one that the mode of the socket should have kept out."""
    connection = request.transport.get_extra_info("socket") if request.transport is not None else None
    if connection is None:
        raise NotAllowedError("the peer has disconnected")
    peer = peer_of(connection)
    if peer.uid not in (0, os.geteuid()) and group not in peer.groups:
        raise NotAllowedError(f"user {peer.uid} may not speak to banlistd", "use sudo, or join the group that owns the socket")
    return peer


def _faults_as_json(paths: str, bodies: Mapping[str, int]) -> Middleware:
    @web.middleware
    async def answer_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except BanlistdError as exc:
            return web.json_response(fault_answer(exc), status=status_of(type(exc)))
        except web.HTTPException as exc:
            what = protocol_fault(exc.status, bodies.get(request.path, MAX_BODY)) or exc.reason
            fault = UsageError(f"{request.method} {request.path[:200]!a}: {what}", f"there are: {paths}")
            allow = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else {}
            return web.json_response(fault_answer(fault), status=exc.status, headers=allow)

    return answer_faults
