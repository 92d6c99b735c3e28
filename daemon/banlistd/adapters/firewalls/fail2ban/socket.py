"""How fail2ban's server is spoken to: pickled lists of strings over its unix socket, each followed by an end mark.

Law: what comes back makes nothing but lists, tuples, dicts, strings and numbers. A pickle may name any class and call it; here
every name but `str`, which fail2ban writes its addresses with, stands for an empty shell that only remembers its words.

Why not `fail2ban-client`: each run costs 50 to 80 ms, this 0.2 ms (measured, fail2ban 1.0.2); a command line has a limit, which
this has not; and both need the same right, that to write to the socket.
"""

import io
import os
import pickle
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from banlistd.core.printing import quoted
from banlistd.errors import FirewallError

# fail2ban/protocol.py, CSPROTO.
_END = b"<F2B_END_COMMAND>"
_CLOSE = b"<F2B_CLOSE_COMMAND>"

# Every Python that fail2ban runs on reads it.
_PROTOCOL = 2

# A million addresses are 25 MB (measured: 22 bytes for an IPv4 address).
_LARGEST_ANSWER = 1 << 27
_CHUNK = 1 << 18

# fail2ban gives a command of an action 60 s, and carries out a batch of them before it answers.
_DEADLINE = 600.0

_CREDENTIALS = struct.Struct("=iII")  # struct ucred of <linux/socket.h>: pid, uid, gid
_LONGEST_TYPE_NAME = 200

# What the unpickler says of bytes that are no pickle, or of a pickle that wants more than is allowed here.
_UNREADABLE = (
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    EOFError,
    OverflowError,
    ImportError,
    MemoryError,
    RecursionError,
)


class Fail2banSocket:
    """One connection. Raises FirewallError for everything that goes wrong, also for what fail2ban refuses."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> Self:
        try:
            self._socket.settimeout(_DEADLINE)
            self._socket.connect(str(self._path))
            self._refuse_strangers()
        except OSError as error:
            self._socket.close()
            raise self._fault(error) from error
        except FirewallError:
            self._socket.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._socket.sendall(_CLOSE + _END)
        except OSError:
            pass  # it has gone before us
        finally:
            self._socket.close()

    def ask(self, *words: str) -> Any:
        """What fail2ban answers to a command: plain lists, tuples, dicts, strings, numbers, or None."""
        try:
            self._socket.sendall(pickle.dumps(list(words), _PROTOCOL) + _END)
            answer = self._receive()
        except OSError as error:
            raise self._fault(error) from error
        match unpickled(answer):
            case (0, value) | [0, value]:
                return value
            case (_, reason) | [_, reason]:
                raise FirewallError(f"fail2ban refused {' '.join(words[:3])}: {_shown(reason)}", "see fail2ban's log")
            case other:
                raise FirewallError(f"fail2ban gave an answer that is none: {_shown(other)}")

    def _receive(self) -> bytes:
        received = bytearray()
        while not received.endswith(_END):
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                raise ConnectionResetError("fail2ban broke off in the middle of its answer")
            received += chunk
            if len(received) > _LARGEST_ANSWER:
                raise FirewallError(f"fail2ban's answer is larger than {_LARGEST_ANSWER >> 20} MiB")
        return bytes(received.removesuffix(_END))

    def _refuse_strangers(self) -> None:
        """Only root, or whoever we are, may tell us what is banned."""
        _, uid, _ = _CREDENTIALS.unpack(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        if uid not in (0, os.geteuid()):
            raise FirewallError(f"on {self._path} somebody else answers (uid {uid})", "fail2ban runs as root")

    def _fault(self, error: OSError) -> FirewallError:
        reason = error.strerror or str(error)
        if isinstance(error, TimeoutError):
            return FirewallError(f"fail2ban does not answer on {self._path}", "one of its actions may hang: see its log")
        if isinstance(error, PermissionError):
            return FirewallError(f"fail2ban's socket {self._path} is not ours to use", "packaging/fail2ban/README.md says how")
        return FirewallError(f"fail2ban does not answer on {self._path}: {reason}", "is it running? systemctl start fail2ban")


def unpickled(answer: bytes) -> Any:
    """The plain value of a pickle. Raises FirewallError for whatever is no pickle, or wants to be more than plain."""
    try:
        return _Reader(io.BytesIO(answer)).load()
    except _UNREADABLE as error:
        raise FirewallError(f"fail2ban's answer cannot be read: {_shown(error)}") from error


class _Shell:
    """Stands in for any object: takes whatever it is made with, does nothing."""

    def __new__(cls, *words: object, **_: object) -> Self:
        shell = super().__new__(cls)
        shell.words = words
        return shell

    words: tuple[object, ...]

    def __setstate__(self, state: object) -> None:
        return None

    def __str__(self) -> str:
        plain = (word for word in self.words if isinstance(word, str | int | float))
        return f"{type(self).__name__}: {', '.join(map(str, plain))}"


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) in {("builtins", "str"), ("__builtin__", "str"), ("__builtin__", "unicode")}:
            return _text
        return type(global_name[:_LONGEST_TYPE_NAME], (_Shell,), {})


def _text(value: object = "") -> str:
    """`str` for what is text already; of a list that holds itself many times over, `str` would make gigabytes."""
    if not isinstance(value, str):
        raise pickle.UnpicklingError("only text may be made into text")
    return value


def _shown(value: object) -> str:
    return quoted(str(value) if isinstance(value, str | _Shell | Exception) else type(value).__name__)
