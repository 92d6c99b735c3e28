"""One question to the running daemon over its control socket, one JSON document back.

Whatever goes wrong on the way ends here as a BanlistdError. Only the standard library: every import costs the operator
time, which is also why values are NamedTuples here (`dataclasses` brings in `inspect`).
"""

import http.client
import json
import socket
import urllib.parse
from collections.abc import Mapping
from typing import Any, NamedTuple

from banlistd.errors import BanlistdError, NotAllowedError, NotRunningError, UsageError

_JOURNAL = "journalctl -u banlistd"


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
    """The daemon answered with an error of its own: its words, its exit code, and the document that brought them."""

    def __init__(self, message: str, hint: str, code: int, problems: tuple[str, ...], document: Any) -> None:
        super().__init__(message, hint)
        self.code = code
        self.problems = problems
        self.document = document


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, socket_path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._socket_path = socket_path
        self._seconds = timeout

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self._seconds)
        self.sock.connect(self._socket_path)


def ask(socket_path: str, question: Question) -> Any:
    """The daemon's JSON document.

    Raises DaemonError for an answer that tells of an error, NotRunningError where nobody answers, NotAllowedError, and
    AnswerError for an answer that is no JSON.
    """
    status, body = _exchange(socket_path, question)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        if status >= http.client.INTERNAL_SERVER_ERROR:
            raise AnswerError(f"banlistd met a fault of its own (HTTP {status})", _JOURNAL) from exc
        raise AnswerError("banlistd gave an answer that is no JSON", _JOURNAL) from exc
    if status != http.client.OK:
        raise _daemon_error(status, document)
    return document


def _exchange(socket_path: str, question: Question) -> tuple[int, bytes]:
    connection = UnixConnection(socket_path, question.timeout)
    try:
        connection.request(question.method, _target(question), *_content(question))
        response = connection.getresponse()
        return response.status, response.read()
    except PermissionError as exc:
        raise NotAllowedError(
            f"you may not speak to banlistd (permission denied on {socket_path})",
            "use sudo, or join the group that owns the socket: adduser YOU banlistd, then log in anew",
        ) from exc
    except (TimeoutError, BlockingIOError) as exc:  # late, or too many wait before us
        raise NotRunningError(
            f"banlistd is there, but does not answer on {socket_path}", f"systemctl status banlistd; {_JOURNAL}"
        ) from exc
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as exc:
        raise NotRunningError(
            f"banlistd is not running (no answer on {socket_path})", f"systemctl start banlistd; {_JOURNAL}"
        ) from exc
    except (ConnectionError, http.client.HTTPException) as exc:
        raise NotRunningError(f"banlistd broke off in the middle of its answer on {socket_path}", _JOURNAL) from exc
    except OSError as exc:
        reason = exc.strerror or str(exc)  # "AF_UNIX path too long" comes without a number
        raise UsageError(f"cannot use the socket {socket_path}: {reason}", "choose another --runtime DIR") from exc
    finally:
        connection.close()


def _target(question: Question) -> str:
    # An argument that is no UTF-8 reaches us with lone surrogates; the daemon will refuse what replaces them.
    query = urllib.parse.urlencode(question.query, errors="replace")
    return f"{question.path}?{query}" if query else question.path


def _content(question: Question) -> tuple[bytes | None, dict[str, str]]:
    if question.body is None:
        return None, {}
    return json.dumps(question.body).encode(), {"Content-Type": "application/json"}


def _daemon_error(status: int, document: Any) -> BanlistdError:
    try:
        fault = document["error"]
        return DaemonError(
            str(fault["message"]),
            str(fault["hint"]),
            min(max(int(fault["exit_code"]), 1), 255),  # whatever it is, it is no success
            tuple(str(problem) for problem in fault.get("problems", ())),
            document,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return AnswerError(f"banlistd refused in words that this tool does not know (HTTP {status})", _JOURNAL)
