"""One question to the running daemon over its control socket, one JSON document back.

Every error on the way ends here as a BanlistdError. Only the standard library: every import costs start-up time, which is
also why values are NamedTuples (`dataclasses` imports `inspect`), and why the few parts of HTTP that are needed are here
(`http.client` imports e-mail and TLS: a third of the time of a command, measured).
"""

import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from banlistd.errors import BanlistdError, NotAllowedError, NotRunningError, UsageError

_JOURNAL = "journalctl -u banlistd"
_OK, _INTERNAL_SERVER_ERROR = 200, 500  # RFC 9110 15.3.1, 15.6.1
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986 2.3
_RECEIVE = 1 << 16


class Question(NamedTuple):
    """A request as a value. `body` None: none is sent. `timeout`: seconds without a byte before we give up."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    body: Mapping[str, object] | None = None
    timeout: float = 15.0


class AnswerError(BanlistdError):
    """The daemon's answer cannot be understood."""

    exit_code = 76  # EX_PROTOCOL


class DaemonError(BanlistdError):
    """The daemon answered with an error of its own: its message, its exit code, and the whole document."""

    def __init__(self, message: str, hint: str, code: int, problems: tuple[str, ...], document: Any) -> None:
        super().__init__(message, hint)
        self.code = code
        self.problems = problems
        self.document = document


class AnswerLostError(NotRunningError):
    """A daemon was there, and its answer did not come: whether it did what it was asked is not known."""


class _IncompleteError(ConnectionError):
    """The daemon hung up before its answer was complete, or its answer is not HTTP."""


def ask(socket_path: str, question: Question) -> Any:
    """The daemon's JSON document.

    Raises DaemonError for an answer that reports an error, NotRunningError if no daemon answers, NotAllowedError, and
    AnswerError for an answer that is not JSON.
    """
    status, body = _exchange(socket_path, question)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        if status >= _INTERNAL_SERVER_ERROR:
            raise AnswerError(f"banlistd met a fault of its own (HTTP {status})", _JOURNAL) from exc
        raise AnswerError("banlistd gave an answer that is not JSON", _JOURNAL) from exc
    if status != _OK:
        raise _daemon_error(status, document)
    return document


def _exchange(socket_path: str, question: Question) -> tuple[int, bytes]:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(question.timeout)
            connection.connect(socket_path)
            # A daemon that serves no more connections answers before it has read the request, and hangs up.
            with suppress(ConnectionError):
                connection.sendall(_request(question))
            return _answer(_received(connection))
    except PermissionError as exc:
        raise NotAllowedError(
            f"you may not speak to banlistd (permission denied on {socket_path})",
            "use sudo, or join the group that owns the socket: adduser YOU banlistd, then log in again",
        ) from exc
    except (TimeoutError, BlockingIOError) as exc:  # late, or its queue is full
        raise AnswerLostError(
            f"banlistd is running, but does not answer on {socket_path}", f"systemctl status banlistd; {_JOURNAL}"
        ) from exc
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as exc:
        raise NotRunningError(
            f"banlistd is not running (no answer on {socket_path})", f"systemctl start banlistd; {_JOURNAL}"
        ) from exc
    except ConnectionError as exc:
        raise AnswerLostError(f"banlistd closed the connection in the middle of its answer on {socket_path}", _JOURNAL) from exc
    except OSError as exc:
        reason = exc.strerror or str(exc)  # "AF_UNIX path too long" comes without a number
        raise UsageError(f"cannot use the socket {socket_path}: {reason}", "choose another --runtime DIR") from exc


def _received(connection: socket.socket) -> bytes:
    pieces = []
    with suppress(ConnectionError):
        while piece := connection.recv(_RECEIVE):
            pieces.append(piece)
    return b"".join(pieces)


def _request(question: Question) -> bytes:
    """HTTP/1.0: the answer comes in one piece, and the daemon hangs up behind it (RFC 1945 7.2.2)."""
    body = b"" if question.body is None else json.dumps(question.body).encode()
    head = f"{question.method} {_target(question)} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    kind = "" if question.body is None else "Content-Type: application/json\r\n"
    return f"{head}{kind}\r\n".encode("ascii") + body


def _target(question: Question) -> str:
    query = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in question.query.items())
    return f"{question.path}?{query}" if query else question.path


def _escaped(text: str) -> str:
    # An argument that is no UTF-8 reaches us with lone surrogates; the daemon will refuse what replaces them.
    return "".join(chr(octet) if octet in _UNRESERVED else f"%{octet:02X}" for octet in text.encode("utf-8", "replace"))


def _answer(data: bytes) -> tuple[int, bytes]:
    """Status and body of a whole answer. Raises _IncompleteError."""
    head, end, body = data.partition(b"\r\n\r\n")
    status_line, *lines = head.split(b"\r\n")
    version, _, words = status_line.partition(b" ")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    length = fields.get(b"content-length", b"")
    understood = bool(end) and version.startswith(b"HTTP/1.") and words[:3].isdigit()
    if not understood or (length.isdigit() and len(body) < int(length)):
        raise _IncompleteError
    return int(words[:3]), body


def _daemon_error(status: int, document: Any) -> BanlistdError:
    try:
        fault = document["error"]
        return DaemonError(
            str(fault["message"]),
            str(fault["hint"]),
            min(max(int(fault["exit_code"]), 1), 255),  # never a success
            tuple(str(problem) for problem in fault.get("problems", ())),
            document,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return AnswerError(f"banlistd refused, in a form that this tool does not know (HTTP {status})", _JOURNAL)
