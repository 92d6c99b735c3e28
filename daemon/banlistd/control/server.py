"""The control socket: HTTP/1.1 on a unix socket, offering exactly `Operations` to root, to the daemon's own account and to the
group that owns the socket: its mode says so to the kernel, and the kernel's word on the peer is asked once more.

Every answer is one JSON document, also every refusal. Two kinds aiohttp answers itself, in bare words: what is no HTTP
(400), and a fault that nobody foresaw (500), whose traceback it logs.
"""

import errno
import json
import os
import re
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from banlistd.adapters.host.peer import Peer, peer_of
from banlistd.control_api import Operations
from banlistd.core.manual_bans import read_ban, read_unban
from banlistd.errors import (
    AlreadyRunningError,
    BanlistdError,
    ConfigError,
    FetchError,
    GeoError,
    NoSuchSourceError,
    NotAllowedError,
    NotRunningError,
    ParseError,
    RefusedError,
    StaleGenerationError,
    UsageError,
)

OnChange = Callable[[str, int], None]
"""Told of each order that may change something, before it is carried out: its words, and the uid that gave it."""

MAX_BODY = 64 * 1024
MAX_HISTORY = 1000
DEFAULT_HISTORY = 20
SOCKET_MODE = 0o660

# A list that is being fetched when the daemon stops is fetched again at the next start: do not wait for it.
_SHUTDOWN_SECONDS = 1.0
_PROBE_SECONDS = 2.0
_SOURCE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks, checked: the parameters of its query, or the fields of its body and the ids among them."""

    query: Mapping[str, str]
    fields: Mapping[str, object]
    source_ids: Sequence[str]
    limit: int


@dataclass(frozen=True, slots=True)
class Route:
    """One path. `parameters`: the keys it takes, in its query (GET) or in its JSON body (POST); others are refused."""

    method: str
    path: str
    parameters: frozenset[str]
    ask: Callable[[Operations, Question], Awaitable[object]]


ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/status", frozenset(), lambda operations, _: operations.status()),
    Route("GET", "/v1/sources", frozenset(), lambda operations, _: operations.sources()),
    Route("GET", "/v1/check", frozenset({"address"}), lambda operations, q: operations.check(_address(q))),
    Route(
        "GET",
        "/v1/history",
        frozenset({"source", "limit"}),
        lambda operations, q: operations.history(q.query.get("source"), q.limit),
    ),
    Route("GET", "/v1/top", frozenset({"by", "limit"}), lambda operations, q: operations.top(q.query.get("by", ""), q.limit)),
    Route("GET", "/v1/protected", frozenset(), lambda operations, _: operations.protected()),
    Route("GET", "/v1/timers", frozenset(), lambda operations, _: operations.timers()),
    Route("GET", "/v1/quarantine", frozenset({"source"}), lambda operations, q: operations.quarantine(q.query.get("source"))),
    Route("POST", "/v1/approve", frozenset({"sources"}), lambda operations, q: operations.approve(q.source_ids)),
    Route("GET", "/v1/bans", frozenset(), lambda operations, _: operations.bans()),
    Route(
        "POST",
        "/v1/ban",
        frozenset({"address", "for", "origin", "comment"}),
        lambda operations, q: operations.ban(read_ban(q.fields)),
    ),
    Route("POST", "/v1/unban", frozenset({"address", "origin"}), lambda operations, q: operations.unban(read_unban(q.fields))),
    Route("POST", "/v1/refresh", frozenset({"sources"}), lambda operations, q: operations.refresh(q.source_ids)),
    Route("POST", "/v1/reload", frozenset(), lambda operations, _: operations.reload()),
)

# The first class that fits an error gives its status; an error of none of them is the daemon's own failure: 500.
_STATUSES: tuple[tuple[type[BanlistdError], int], ...] = (
    (UsageError, 400),
    (NotAllowedError, 403),
    (NoSuchSourceError, 404),
    (AlreadyRunningError, 409),
    (StaleGenerationError, 409),
    (ConfigError, 422),
    (ParseError, 422),
    (RefusedError, 422),
    (FetchError, 502),
    (GeoError, 503),
    (NotRunningError, 503),
)

_PROTOCOL_FAULTS: Mapping[int, str] = {
    404: "no such path",
    405: "no such method on this path",
    413: f"the body is larger than {MAX_BODY} bytes",
}


def _address(question: Question) -> str:
    address = question.query.get("address", "")
    if not address:
        raise UsageError("no address is given", "GET /v1/check?address=192.0.2.1")
    return address


@asynccontextmanager
async def serve(operations: Operations, socket_path: Path, on_change: OnChange | None = None) -> AsyncIterator[None]:
    """Answer on `socket_path` (mode 0660) while the context is entered; the file is gone afterwards.

    A socket file that nobody answers on is replaced. Raises AlreadyRunningError where somebody does, and UsageError
    where no socket can stand at that path.
    """
    listener, mine = _listen(socket_path)
    try:
        app = application(operations, mine.st_gid, on_change)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_SECONDS)
        try:
            await runner.setup()
            await web.SockSite(runner, listener).start()
            yield
        finally:
            # While we still listen: later, another daemon might have put its own in place, on the same inode.
            _remove(socket_path, mine.st_ino)
            await runner.cleanup()
    finally:
        listener.close()


def application(operations: Operations, group: int, on_change: OnChange | None = None) -> web.Application:
    """The routes as a web application that is not bound to any socket. `group`: whose members are answered."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_answer_faults_in_json])
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _handler(route, operations, group, on_change))
    return app


def _handler(
    route: Route, operations: Operations, group: int, on_change: OnChange | None
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        peer = _admitted(request, group)
        question = _question(route, request.query, await request.read())
        answer = route.ask(operations, question)  # reads the order, and refuses one that cannot be meant
        if route.method == "POST" and on_change is not None:
            verb = route.path.rpartition("/")[2]
            on_change(" ".join((verb, *question.source_ids, *_subject(question))), peer.uid)
        return web.json_response(await answer)

    return handle


def _question(route: Route, query: Mapping[str, str], body: bytes) -> Question:
    """Check what came against what the route takes. Raises UsageError or NoSuchSourceError."""
    fields = _object(body) if route.method == "POST" else {}
    if route.method == "GET" and body:
        raise UsageError("a question takes no body")
    taken = query if route.method == "GET" else fields
    unknown = sorted({*query, *fields} - (route.parameters & set(taken)))
    if unknown:
        known = ", ".join(sorted(route.parameters)) or "none"
        raise UsageError(f"{route.path} takes no {unknown[0]!a}", f"it takes: {known}")
    if "source" in query:
        _refuse_strange_names([query["source"]])
    return Question(query, fields, _source_ids(fields.get("sources", [])), _limit(query.get("limit")))


def _object(body: bytes) -> Mapping[str, object]:
    if not body.strip():
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise UsageError("the body is no JSON", str(exc)) from exc
    if not isinstance(document, dict):
        raise UsageError("the body is no JSON object", '{"sources": ["spamhaus-drop"]}')
    return document


def _subject(question: Question) -> tuple[str, ...]:
    """The address that an order is about, fit for a log line."""
    address = question.fields.get("address")
    return (ascii(address)[1:-1][:60],) if isinstance(address, str) else ()


def _source_ids(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError("'sources' is no list of names", '{"sources": ["spamhaus-drop"]}')
    _refuse_strange_names(value)
    return tuple(dict.fromkeys(value))


def _refuse_strange_names(names: Sequence[str]) -> None:
    """What no configuration can name shall not get as far as a log line."""
    for name in names:
        if not _SOURCE_ID.fullmatch(name):
            raise NoSuchSourceError(f"no source is called {name[:60]!a}", "banlistctl sources names them all")


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_HISTORY
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_HISTORY:
        raise UsageError(f"a limit of {text[:60]!a} cannot be", f"a number from 1 to {MAX_HISTORY}")
    return int(text)


def _admitted(request: web.Request, group: int) -> Peer:
    """Who asks. Raises NotAllowedError for somebody who should not have come so far."""
    connection = request.transport.get_extra_info("socket") if request.transport is not None else None
    if connection is None:
        raise NotAllowedError("whoever asked is gone")
    peer = peer_of(connection)
    if peer.uid not in (0, os.geteuid()) and group not in peer.groups:
        raise NotAllowedError(f"user {peer.uid} may not speak to banlistd", "use sudo, or join the group that owns the socket")
    return peer


@web.middleware
async def _answer_faults_in_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except BanlistdError as exc:
        return web.json_response(error_document(exc), status=status_of(exc))
    except web.HTTPException as exc:
        words = _PROTOCOL_FAULTS.get(exc.status, exc.reason)
        paths = ", ".join(f"{route.method} {route.path}" for route in ROUTES)
        fault = UsageError(f"{request.method} {request.path[:200]!a}: {words}", f"there are: {paths}")
        allow = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else {}
        return web.json_response(error_document(fault), status=exc.status, headers=allow)


def status_of(error: BanlistdError) -> int:
    """The HTTP status that tells of an error."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def error_document(error: BanlistdError) -> Mapping[str, object]:
    """An error as JSON: `kind` is its class; `problems` has a line for each thing wrong with a configuration."""
    fault: dict[str, object] = {
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
    if isinstance(error, ConfigError):
        fault["problems"] = list(error.problems)
    return {"error": fault}


def _listen(path: Path) -> tuple[socket.socket, os.stat_result]:
    """The listening socket, and the state of its file.

    Bind, set the mode, then listen: until the mode is set, nobody can connect, whatever the umask is.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        listener.bind(str(path))
        path.chmod(SOCKET_MODE)
        listener.listen(128)
        return listener, path.lstat()
    except OSError as exc:
        listener.close()
        reason = exc.strerror or str(exc)  # "AF_UNIX path too long" comes without a number
        raise UsageError(
            f"no control socket can stand at {path}: {reason}",
            "the folder must exist and belong to the daemon: RuntimeDirectory= in its unit, or --runtime DIR",
        ) from exc
    except BanlistdError:
        listener.close()
        raise


def _clear(path: Path) -> None:
    """Remove a socket file that nobody answers on. Raises AlreadyRunningError or UsageError; then all is left."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UsageError(f"{path} is no socket, so it stays", "move it away, or choose another --runtime DIR")
        if _answers(path):
            raise AlreadyRunningError(f"another banlistd answers on {path}", "systemctl status banlistd")
        path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        # Every other error is a sign of life: EAGAIN, for one, says that many wait already.
        return probe.connect_ex(str(path)) not in (errno.ECONNREFUSED, errno.ENOENT)


def _remove(path: Path, inode: int) -> None:
    """Remove our socket file, but not one that was put in its place; one that stays is replaced at the next start."""
    with suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()
