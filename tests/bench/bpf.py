"""As little of bpf(2) as the flood needs: arrays, a program of XDP, and the call that runs it on packets as on arrived ones.

Numbers and shapes are those of `linux/bpf.h`, instructions those of the kernel's `Documentation/bpf/standardization`.
"""

import ctypes
import os
import socket
import struct
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

DROP, PASS = 1, 2
"""Verdicts of XDP."""

_NUMBERS = {"x86_64": 321, "aarch64": 280}
_ATTRIBUTE = 128
"""Octets of `union bpf_attr`, at least; what is beyond a command's fields is zero."""

_MAP_CREATE, _PROG_LOAD, _PROG_TEST_RUN, _MAP_UPDATE_BATCH = 0, 5, 10, 26
_ARRAY, _XDP = 2, 6
_LIVE_FRAMES = 2
_LIBC = ctypes.CDLL(None, use_errno=True)


class Code(IntEnum):
    """The instructions that are used, with their names of the manual; `_IMM`: the operand is in the instruction."""

    ADD_IMM = 0x07
    JUMP_IF_EQUAL_IMM = 0x15
    LOAD_MAP = 0x18
    JUMP_IF_GREATER = 0x2D
    LOAD_32 = 0x61
    STORE_IMM_32 = 0x62
    STORE_32 = 0x63
    LOAD_16 = 0x69
    STORE_16 = 0x6B
    CALL = 0x85
    EXIT = 0x95
    JUMP_IF_LESS_IMM = 0xA5
    MOVE_IMM = 0xB7
    MOVE = 0xBF


def instruction(code: Code, to: int = 0, by: int = 0, offset: int = 0, value: int = 0) -> bytes:
    """`to` and `by` are registers; of a jump, `offset` counts the instructions that it leaves out."""
    return struct.pack("<BBhi", code, to | by << 4, offset, value)


def load_map(to: int, descriptor: int) -> bytes:
    """The one instruction of two words: the map of a descriptor into a register."""
    return instruction(Code.LOAD_MAP, to, 1, 0, descriptor) + bytes(8)


def array(values: NDArray[np.uint8]) -> int:
    """A new map: values of shape (n, octets), by their numbers from 0. Its descriptor. Raises OSError."""
    count, octets = values.shape
    descriptor = _bpf(_MAP_CREATE, struct.pack("<5I", _ARRAY, 4, octets, count, 0))
    keys, kept = np.arange(count, dtype=np.uint32), np.ascontiguousarray(values)
    _bpf(_MAP_UPDATE_BATCH, struct.pack("<4Q2I2Q", 0, 0, keys.ctypes.data, kept.ctypes.data, count, descriptor, 0, 0))
    return descriptor


def load(instructions: Sequence[bytes]) -> int:
    """The descriptor of a program of XDP. Raises OSError with what the kernel's verifier says."""
    text = b"".join(instructions)
    code, licence, log = ctypes.create_string_buffer(text, len(text)), ctypes.create_string_buffer(b"MIT"), _buffer(2**16)
    places = (ctypes.addressof(code), ctypes.addressof(licence))
    try:
        return _bpf(_PROG_LOAD, struct.pack("<2I2Q2IQ", _XDP, len(text) // 8, *places, 1, len(log), ctypes.addressof(log)))
    except OSError as exc:
        raise OSError(exc.errno, f"{exc.strerror}: {log.value.decode(errors='replace')}") from exc


def run_live(program: int, frame: bytes, interface: str, times: int) -> None:
    """Runs it on so many copies of a frame; those that it passes take the way of packets that this interface received.

    The kernel does all of it before it returns, on the caller's account, 64 packets at a time, as a network card's driver does.
    Needs Linux 5.18 and CAP_NET_ADMIN and CAP_BPF outside user namespaces. Raises OSError.
    """
    data = ctypes.create_string_buffer(frame, len(frame))
    context = _buffer(24)
    struct.pack_into("<6I", context, 0, 0, len(frame), 0, socket.if_nametoindex(interface), 0, 0)
    fields = (program, 0, len(frame), 0, ctypes.addressof(data), 0, times, 0, len(context), 0, ctypes.addressof(context), 0)
    _bpf(_PROG_TEST_RUN, struct.pack("<4I2Q4I2Q3I", *fields, _LIVE_FRAMES, 0, 0))


def _buffer(octets: int) -> "ctypes.Array[ctypes.c_char]":
    return ctypes.create_string_buffer(octets)


def _bpf(command: int, attribute: bytes) -> int:
    found = _LIBC.syscall(_NUMBERS[os.uname().machine], command, ctypes.create_string_buffer(attribute, _ATTRIBUTE), _ATTRIBUTE)
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(found)
