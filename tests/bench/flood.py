"""A flood of small UDP datagrams out of one interface, each from another address: a program that prints what it sent.

Arguments: interface, the neighbour's MAC address, destination address, port, CPU seconds, file with the source addresses.
Bounded in time and number, and only ever run inside a namespace whose one neighbour is another namespace of ours.
Frames are made beforehand and handed to the kernel by sendmmsg(2), past the queue of the interface: what is left of a
packet's cost is mostly the receiver's, whose work the kernel does in the sender's place and on the sender's account.
"""

import ctypes
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Sequence
from ctypes import POINTER, Array, Structure, c_char_p, c_int, c_size_t, c_uint, c_uint32, c_void_p, pointer
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SOL_PACKET = 263
PACKET_QDISC_BYPASS = 20
_AT_ONCE = 64
_MAX_PACKETS = 20_000_000
_MAX_SECONDS = 20.0
_PAYLOAD = b"x" * 18  # an Ethernet frame of the least length
_HEADERS = 14 + 20 + 8

_LIBC = ctypes.CDLL(None, use_errno=True)


class _Iovec(Structure):
    _fields_ = (("base", c_void_p), ("length", c_size_t))


class _Header(Structure):
    """`struct msghdr`; a structure of its own, since its padding is part of the one around it."""

    _fields_ = (
        ("name", c_char_p),
        ("name_length", c_uint32),
        ("vector", POINTER(_Iovec)),
        ("vectors", c_size_t),
        ("control", c_void_p),
        ("control_length", c_size_t),
        ("flags", c_int),
    )


class Message(Structure):
    """`struct mmsghdr`."""

    _fields_ = (("header", _Header), ("sent", c_uint))


def frames(mac: bytes, target: str, port: int, sources: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Shape (n, 60), dtype `uint8`: Ethernet, IPv4 with its checksum, UDP without one."""
    length = _HEADERS + len(_PAYLOAD)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length - 14, 0, 0, 64, socket.IPPROTO_UDP, 0, bytes(4), socket.inet_aton(target))
    udp = struct.pack("!HHHH", 4000, port, 8 + len(_PAYLOAD), 0)
    ethernet = mac + bytes((2, 0, 0, 0, 0, 9)) + b"\x08\x00"
    made = np.tile(np.frombuffer(ethernet + ip + udp + _PAYLOAD, dtype=np.uint8), (len(sources), 1))
    made[:, 26:30] = sources.astype(">u4").view(np.uint8).reshape(-1, 4)
    words = made[:, 14:34].copy().view(">u2").astype(np.uint32).sum(axis=1, dtype=np.uint32)
    words = (words & 0xFFFF) + (words >> 16)
    words = 0xFFFF - ((words & 0xFFFF) + (words >> 16))
    made[:, 24], made[:, 25] = words >> 8, words & 0xFF
    return made


def messages(made: NDArray[np.uint8]) -> Array[Message]:
    """One for each frame; they refer to the octets of `made`, which the caller keeps."""
    count, length = made.shape
    vectors = [_Iovec(made.ctypes.data + number * length, length) for number in range(count)]
    ready: Array[Message] = (Message * count)(*(Message(_Header(vector=pointer(vector), vectors=1)) for vector in vectors))
    return ready


def send(sender: socket.socket, made: Array[Message], at: int) -> int:
    """Hands the kernel up to 64 messages from number `at` on, in one call. Returns how many it took."""
    done = _LIBC.sendmmsg(sender.fileno(), ctypes.byref(made, at * ctypes.sizeof(Message)), min(_AT_ONCE, len(made) - at), 0)
    if done < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(done)


def flood(interface: str, made: NDArray[np.uint8], cpu_seconds: float) -> tuple[int, int, float]:
    """Packets that the kernel took in all; those that it took after the first turn, and the CPU time for these."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        sender.bind((interface, 0))
        ready = messages(made)
        sent = at = 0
        warm, began, end = 0, 0.0, time.perf_counter() + _MAX_SECONDS
        while sent < _MAX_PACKETS and time.perf_counter() < end and (not warm or time.thread_time() - began < cpu_seconds):
            done = send(sender, ready, at)
            sent += done
            at = (at + done) % len(ready)
            if not warm and not at:
                warm, began = sent, time.thread_time()
        return sent, sent - warm, time.thread_time() - began


def main(arguments: Sequence[str]) -> None:
    interface, mac, target, port, cpu_seconds, file = arguments
    # The receiver's work is done on the sender's core: one core does it all, the last one that we may use.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sources = np.frombuffer(Path(file).read_bytes(), dtype=np.uint32)
    made = frames(bytes.fromhex(mac.replace(":", "")), target, int(port), sources)
    sent, timed, cpu = flood(interface, made, float(cpu_seconds))
    print(json.dumps({"sent": sent, "timed": timed, "cpu": cpu}))


if __name__ == "__main__":
    main(sys.argv[1:])
