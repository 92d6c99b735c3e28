"""Who is logged in from elsewhere: the remote addresses of sessions that authenticated, from logind, or from utmp without it.

A TCP connection is no login: who merely connects to sshd is not here.
"""

import asyncio
import ctypes
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from banlistd.adapters.host.addresses import is_address, read_span
from banlistd.model import Family

# A greeter's session is there before anybody logged in.
_CLASSES = frozenset({"user", "user-early", "user-light"})

_UTMP = struct.Struct("=h2xi32s4s32s256shhiii16s20x")  # struct utmp of <bits/utmp.h>
_USER_PROCESS = 7
_MAX_UTMP = 1 << 20
_MAX_SESSIONS = 4096


class SystemLogins:
    """The `Logins` of `ports`. `root`: where the file system begins; logind is asked where its state is there.

    `environment`: the daemon's own; sshd gives its SSH_CONNECTION to a daemon that is started by hand.
    """

    def __init__(self, environment: Mapping[str, str], root: Path = Path("/")) -> None:
        self._environment = environment
        self._root = root

    async def current(self) -> Sequence[tuple[Family, int]]:
        spans = [read_span(address) for address in await asyncio.to_thread(self._hosts)]
        return tuple(dict.fromkeys(span[:2] for span in spans if span is not None))

    def _hosts(self) -> Sequence[bytes | str]:
        own = self._environment.get("SSH_CONNECTION", "").split()[:1]
        try:
            hosts = list(logind_hosts()) if (self._root / "run/systemd/sessions").is_dir() else None
        except OSError:
            hosts = None
        # sshd with UseDNS gives logind a name; utmp has the address.
        if hosts is None or not all(is_address(host) for host in hosts):
            return [*own, *(hosts or ()), *self._utmp()]
        return [*own, *hosts]

    def _utmp(self) -> Iterator[bytes]:
        try:
            with (self._root / "run/utmp").open("rb") as file:
                data = file.read(_MAX_UTMP)
        except OSError:
            return
        for at in range(0, len(data) - _UTMP.size + 1, _UTMP.size):
            kind, *_, octets = _UTMP.unpack_from(data, at)
            if kind == _USER_PROCESS and any(octets):
                yield octets if any(octets[4:]) else octets[:4]


def logind_hosts() -> Iterator[str]:
    """The remote host of each session of a user that is not ending, as sd-login(3) has it. Raises OSError."""
    for session in session_ids()[:_MAX_SESSIONS]:
        if session_text("class", session) in _CLASSES and session_text("state", session) != "closing":
            host = session_text("remote_host", session)
            if host:
                yield host


def session_ids() -> Sequence[bytes]:
    """All sessions that logind knows. Raises OSError."""
    found = ctypes.POINTER(ctypes.c_void_p)()
    count = libsystemd().sd_get_sessions(ctypes.byref(found))
    if count < 0:
        raise OSError(-count, "logind's sessions cannot be read")
    pointers = [found[at] for at in range(count)]
    ids = [ctypes.string_at(pointer) for pointer in pointers if pointer]
    for pointer in (*pointers, ctypes.cast(found, ctypes.c_void_p)):
        _free()(pointer)
    return ids


def session_text(what: str, session: bytes) -> str:
    """`class`, `state` or `remote_host` of a session; empty where it has none, or has ended. Raises OSError."""
    answer = ctypes.c_void_p()
    ask = getattr(libsystemd(), f"sd_session_get_{what}")
    if ask(session, ctypes.byref(answer)) < 0 or not answer.value:
        return ""
    text = ctypes.string_at(answer.value).decode("utf-8", "replace")
    _free()(answer)
    return text


@cache
def libsystemd() -> Any:
    """The library. Raises OSError where there is none."""
    return ctypes.CDLL("libsystemd.so.0")


@cache
def _free() -> Any:
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]
    free.restype = None
    return free
