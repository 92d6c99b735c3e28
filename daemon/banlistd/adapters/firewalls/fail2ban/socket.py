"""The protocol of fail2ban's server: pickled lists of strings over its unix socket, each followed by an end mark.

An answer creates only lists, tuples, dicts, strings and numbers. A pickle may name any class and call it. Here every name
except `str`, which fail2ban writes its addresses with, becomes an inert object that only stores its arguments.

Why not `fail2ban-client`: each run costs 50 to 80 ms, this 0.2 ms (measured, fail2ban 1.0.2); a command line has a length limit
and this has none; and both need the same right, to write to the socket.
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

# The version of pickle: every Python that fail2ban runs on reads it.
_PROTOCOL = 2

# In octets. A million addresses are 25 MB (measured: 22 octets for an IPv4 address).
_LARGEST_ANSWER = 1 << 27
_CHUNK = 1 << 18

# Seconds. fail2ban gives a command of an action 60 s, and carries out a batch of them before it answers.
_DEADLINE = 600.0

_CREDENTIALS = struct.Struct("=iII")  # struct ucred of <linux/socket.h>: pid, uid, gid
_LONGEST_TYPE_NAME = 200

# Errors of the unpickler for bytes that are no pickle, or for a pickle that wants more than we allow.
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
    """One connection. Every failure raises FirewallError, also a command that fail2ban refuses."""

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
            pass  # fail2ban has closed the connection already
        finally:
            self._socket.close()

    def ask(self, *command: str) -> Any:
        """The answer of fail2ban to a command: plain lists, tuples, dicts, strings, numbers, or None."""
        try:
            self._socket.sendall(pickle.dumps(list(command), _PROTOCOL) + _END)
            answer = self._receive()
        except OSError as error:
            raise self._fault(error) from error
        match unpickled(answer):
            case (0, value) | [0, value]:
                return value
            case (_, reason) | [_, reason]:
                raise FirewallError(f"fail2ban refused {' '.join(command[:3])}: {_shown(reason)}", "see fail2ban's log")
            case other:
                raise FirewallError(f"fail2ban gave an answer of unknown form: {_shown(other)}")

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
        """Only a server of root or of our own user may report what is banned."""
        _, uid, _ = _CREDENTIALS.unpack(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        if uid not in (0, os.geteuid()):
            raise FirewallError(f"another user answers on {self._path} (uid {uid})", "fail2ban runs as root")

    def _fault(self, error: OSError) -> FirewallError:
        reason = error.strerror or str(error)
        if isinstance(error, TimeoutError):
            return FirewallError(f"fail2ban does not answer on {self._path}", "one of its actions may hang: see its log")
        if isinstance(error, PermissionError):
            return FirewallError(
                f"no permission to use fail2ban's socket {self._path}", "packaging/fail2ban/README.md says how"
            )
        return FirewallError(f"fail2ban does not answer on {self._path}: {reason}", "is it running? systemctl start fail2ban")


def unpickled(answer: bytes) -> Any:
    """The plain value of a pickle. Raises FirewallError for bytes that are no pickle, or a pickle of other objects."""
    try:
        return _Reader(io.BytesIO(answer)).load()
    except _UNREADABLE as error:
        raise FirewallError(f"fail2ban's answer cannot be read: {_shown(error)}") from error


class _Shell:
    """Replaces any object: accepts any arguments, does nothing."""

    def __new__(cls, *arguments: object, **_: object) -> Self:
        shell = super().__new__(cls)
        shell.arguments = arguments
        return shell

    arguments: tuple[object, ...]

    def __setstate__(self, state: object) -> None:
        return None

    def __str__(self) -> str:
        plain = (argument for argument in self.arguments if isinstance(argument, str | int | float))
        return f"{type(self).__name__}: {', '.join(map(str, plain))}"


class _Reader(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) in {("builtins", "str"), ("__builtin__", "str"), ("__builtin__", "unicode")}:
            return _text
        return type(global_name[:_LONGEST_TYPE_NAME], (_Shell,), {})


def _text(value: object = "") -> str:
    """`str` for text only: of a list that contains itself many times, `str` would make gigabytes."""
    if not isinstance(value, str):
        raise pickle.UnpicklingError("only text may be made into text")
    return value


def _shown(value: object) -> str:
    return quoted(str(value) if isinstance(value, str | _Shell | Exception) else type(value).__name__)
