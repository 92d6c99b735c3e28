"""Follows a process, its threads and what they start through the calls of calls.py, and kills at one of them.

The calls are counted over the whole family in the order in which they are made. strace cannot: it counts each thread's for
itself, so that a call which two threads make once each is never the second. A call at which its process is killed is not made.
"""

import ctypes
import errno
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from system.kill.calls import CALLS

# include/uapi/linux/ptrace.h
_SEIZE, _CONT, _GETEVENTMSG, _LISTEN = 0x4206, 7, 0x4201, 0x4208
_OPTIONS = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 20  # fork, vfork, clone, exec, seccomp; kill all if we die
_EVENT_SECCOMP, _EVENT_STOP = 7, 128
# include/uapi/linux/wait.h: threads too.
_WALL = 0x40000000

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.ptrace.restype = ctypes.c_long
_LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Victim(StrEnum):
    """Who is killed: `kill -9` of the daemon alone, systemd's whole control group, or the nft that the daemon waits for."""

    DAEMON = "daemon"
    ALL = "all"
    NFT = "nft"


@dataclass(frozen=True, slots=True)
class Watch:
    """At which call, counted from 1, who is killed; at none, where `at` is 0. For an nft only its own calls count."""

    victim: Victim = Victim.DAEMON
    at: int = 0


@dataclass(slots=True)
class Trail:
    """The calls that were met, each `name` of the daemon or `nft name`; those with an nft alive end in `+`."""

    calls: list[str] = field(default_factory=list)
    killed: bool = False


def seize(pid: int) -> None:
    """Raises OSError where tracing is not allowed."""
    _ptrace(_SEIZE, pid, _OPTIONS)


def follow(pid: int, watch: Watch, armed: Callable[[], bool], trail: Trail) -> int:
    """Follow a seized process until it and all that it started have ended; its status, as of os.waitpid.

    Calls count while `armed`.
    """
    result = 0
    families = {pid: pid}
    while True:
        try:
            thread, status = os.waitpid(-1, _WALL)
        except ChildProcessError:
            return result
        if not os.WIFSTOPPED(status):
            families.pop(thread, None)
            result = status if thread == pid else result
            continue
        event, number = status >> 16, os.WSTOPSIG(status)
        if event == _EVENT_SECCOMP and armed():
            family = families.get(thread) or families.setdefault(thread, _family_of(thread))
            _meet(thread, family, pid, families, watch, trail)
        elif event == _EVENT_STOP and thread not in families:
            families[thread] = _family_of(thread)
        _ptrace(_CONT, thread, 0 if event else number)


def _meet(thread: int, family: int, daemon: int, families: dict[int, int], watch: Watch, trail: Trail) -> None:
    if trail.killed:
        return
    of_nft, alive = family != daemon, set(families.values())
    name = CALLS[_event_message(thread)].name
    if of_nft or watch.victim is not Victim.NFT:
        trail.calls.append(("nft " if of_nft else "") + name + ("+" if len(alive) > 1 else ""))
        if len(trail.calls) == watch.at:
            trail.killed = True
            for victim in {Victim.DAEMON: {daemon}, Victim.ALL: alive, Victim.NFT: {family}}[watch.victim]:
                os.kill(victim, signal.SIGKILL)


def _family_of(thread: int) -> int:
    """The process that a thread belongs to; one that is gone already belongs to itself."""
    try:
        status = Path(f"/proc/{thread}/status").read_text()
    except OSError:
        return thread
    return int(next(line for line in status.splitlines() if line.startswith("Tgid:")).split()[1])


def _event_message(thread: int) -> int:
    message = ctypes.c_ulong()
    _ptrace(_GETEVENTMSG, thread, ctypes.addressof(message))
    return message.value


def _ptrace(request: int, thread: int, data: int) -> None:
    ctypes.set_errno(0)
    if _LIBC.ptrace(request, thread, None, data) == -1:
        number = ctypes.get_errno()
        if request == _CONT and number == errno.ESRCH:
            return  # killed meanwhile
        raise OSError(number, os.strerror(number))
