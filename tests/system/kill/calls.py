"""The system calls at which a crash counts: each that changes something which outlives the process that makes it.

A process that is killed between two of them leaves behind what the first one left. Reads, and questions to the kernel's tables
(`send`, which is sendto), change nothing. What is written through memory alone, SQLite's index of its log, is thrown away
after a crash.
"""

import ctypes
import platform
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

O_CREAT = 0o100


class Call(NamedTuple):
    """`argument`, `mask`: only a call whose argument has one of these bits; none is looked at where the mask is 0."""

    name: str
    numbers: Mapping[str, int]
    argument: int = 0
    mask: int = 0


def _call(name: str, x86_64: int | None, aarch64: int | None, argument: int = 0, mask: int = 0) -> Call:
    numbers = {"x86_64": x86_64, "aarch64": aarch64}
    return Call(name, {machine: number for machine, number in numbers.items() if number is not None}, argument, mask)


# Numbers: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h.
CALLS: Sequence[Call] = (
    _call("write", 1, 64),  # a script for nft, an event for the journal
    _call("pwrite64", 18, 68),  # the database and its log
    _call("fsync", 74, 82),
    _call("fdatasync", 75, 83),
    _call("ftruncate", 77, 46),
    _call("fallocate", 285, 47),
    _call("open", 2, None, 1, O_CREAT),
    _call("openat", 257, 56, 2, O_CREAT),
    _call("mkdir", 83, None),
    _call("mkdirat", 258, 34),
    _call("rename", 82, None),
    _call("renameat", 264, 38),
    _call("renameat2", 316, 276),
    _call("link", 86, None),
    _call("linkat", 265, 37),
    _call("unlink", 87, None),
    _call("unlinkat", 263, 35),
    _call("chmod", 90, None),
    _call("fchmod", 91, 52),
    _call("fchmodat", 268, 53),
    _call("fchown", 93, 55),
    _call("listen", 50, 201),  # the control socket
    _call("sendmsg", 46, 211),  # a batch for the kernel's tables, ours or nft's
    _call("sendmmsg", 307, 269),
    _call("execve", 59, 221),  # nft
    _call("wait4", 61, 260),  # nft's end is seen
    _call("exit_group", 231, 94),
)

# include/uapi/linux/audit.h
_ARCHITECTURES: Mapping[str, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# include/uapi/linux/filter.h: load a word, jump where equal or where bits are set, return.
_LOAD, _IF_EQUAL, _IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
# include/uapi/linux/seccomp.h: struct seccomp_data, and what a filter returns.
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2


def machine_is_known() -> bool:
    return platform.machine() in _ARCHITECTURES


def filter_of(machine: str) -> bytes:
    """A seccomp program that stops at the calls of the table; the tracer reads the index of the call as the event's message."""
    program = [
        _word(_LOAD, 0, 0, _ARCHITECTURE),
        _word(_IF_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        _word(_RETURN, 0, 0, _ALLOW),
        _word(_LOAD, 0, 0, _NUMBER),
    ]
    for index, call in enumerate(CALLS):
        if machine not in call.numbers:
            continue
        stop = [_word(_RETURN, 0, 0, _TRACE | index)]
        if call.mask:
            # Arguments have 64 bits; these machines keep the low half first.
            stop = [
                _word(_LOAD, 0, 0, _ARGUMENTS + 8 * call.argument),
                _word(_IF_SET, 0, 1, call.mask),
                *stop,
                _word(_RETURN, 0, 0, _ALLOW),
            ]
        program += [_word(_IF_EQUAL, 0, len(stop), call.numbers[machine]), *stop]
    return b"".join([*program, _word(_RETURN, 0, 0, _ALLOW)])


def _word(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("words", ctypes.c_char_p))


def install_filter() -> None:
    """Stop the calling process, and all that it starts, at these calls from now on. Somebody must trace it: else they fail."""
    libc = ctypes.CDLL(None, use_errno=True)
    words = filter_of(platform.machine())
    program = _Program(len(words) // 8, words)
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) or libc.prctl(
        _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program), zero, zero
    ):
        raise OSError(ctypes.get_errno(), "no seccomp filter")
