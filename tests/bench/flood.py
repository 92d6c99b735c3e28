"""A flood of small UDP datagrams that one interface receives, each from another address: a program that prints what it sent.

Arguments: interface, its MAC address, destination address, port, CPU seconds, file with the source addresses. Bounded in time
and number, and only ever run in the namespace that is flooded. No sender is measured with it: a program of XDP gives each its
source address, and the kernel takes it as if a network card had received it.
"""

import json
import os
import socket
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.bpf import DROP, PASS, Code, array, instruction, load, load_map, run_live

_AT_ONCE = 8192
"""Packets in one call, which cannot be interrupted: some 5 ms."""

_MAX_PACKETS = 50_000_000
_MAX_SECONDS = 20.0
_PAYLOAD = b"x" * 18  # an Ethernet frame of the least length
_HEADERS = 14 + 20 + 8
_CHECKSUM_AT, _SOURCE_AT = 24, 26
_LOOK_UP = 1  # bpf_map_lookup_elem


def frames(mac: bytes, target: str, port: int, sources: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Shape (n, 60), dtype `uint8`: Ethernet, IPv4 with its checksum, UDP without one."""
    length = _HEADERS + len(_PAYLOAD)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length - 14, 0, 0, 64, socket.IPPROTO_UDP, 0, bytes(4), socket.inet_aton(target))
    udp = struct.pack("!HHHH", 4000, port, 8 + len(_PAYLOAD), 0)
    ethernet = mac + bytes((2, 0, 0, 0, 0, 9)) + b"\x08\x00"
    made = np.tile(np.frombuffer(ethernet + ip + udp + _PAYLOAD, dtype=np.uint8), (len(sources), 1))
    made[:, _SOURCE_AT : _SOURCE_AT + 4] = sources.astype(">u4").view(np.uint8).reshape(-1, 4)
    words = made[:, 14:34].copy().view(">u2").astype(np.uint32).sum(axis=1, dtype=np.uint32)
    words = (words & 0xFFFF) + (words >> 16)
    words = 0xFFFF - ((words & 0xFFFF) + (words >> 16))
    made[:, _CHECKSUM_AT], made[:, _CHECKSUM_AT + 1] = words >> 8, words & 0xFF
    return made


def turning(made: NDArray[np.uint8]) -> int:
    """A program of XDP that makes each packet the next of these frames, which differ in source and checksum only."""
    differences = np.zeros((len(made), 8), dtype=np.uint8)
    differences[:, :4] = made[:, _SOURCE_AT : _SOURCE_AT + 4]
    differences[:, 4:6] = made[:, _CHECKSUM_AT : _CHECKSUM_AT + 2]
    turn, differences_map = array(np.zeros((1, 4), dtype=np.uint8)), array(differences)
    key_below_stack = (
        instruction(Code.MOVE, 2, 10),
        instruction(Code.ADD_IMM, 2, value=-4),
        instruction(Code.CALL, value=_LOOK_UP),
    )
    text = [
        # r7: the packet, if it has 60 octets
        instruction(Code.LOAD_32, 7, 1, 0),
        instruction(Code.LOAD_32, 3, 1, 4),
        instruction(Code.MOVE, 4, 7),
        instruction(Code.ADD_IMM, 4, value=made.shape[1]),
        instruction(Code.JUMP_IF_GREATER, 4, 3, 25),
        # r1: whose turn it is; the next time the next one's
        instruction(Code.STORE_IMM_32, 10, 0, -4, 0),
        load_map(1, turn),
        *key_below_stack,
        instruction(Code.JUMP_IF_EQUAL_IMM, 0, 0, 18, 0),
        instruction(Code.LOAD_32, 1, 0, 0),
        instruction(Code.STORE_32, 10, 1, -4),
        instruction(Code.ADD_IMM, 1, value=1),
        instruction(Code.JUMP_IF_LESS_IMM, 1, 0, 1, len(made)),
        instruction(Code.MOVE_IMM, 1, value=0),
        instruction(Code.STORE_32, 0, 1, 0),
        # r0: its source and checksum
        load_map(1, differences_map),
        *key_below_stack,
        instruction(Code.JUMP_IF_EQUAL_IMM, 0, 0, 6, 0),
        instruction(Code.LOAD_32, 1, 0, 0),
        instruction(Code.STORE_32, 7, 1, _SOURCE_AT),
        instruction(Code.LOAD_16, 1, 0, 4),
        instruction(Code.STORE_16, 7, 1, _CHECKSUM_AT),
        instruction(Code.MOVE_IMM, 0, value=PASS),
        instruction(Code.EXIT),
        instruction(Code.MOVE_IMM, 0, value=DROP),
        instruction(Code.EXIT),
    ]
    return load(text)


def flood(interface: str, made: NDArray[np.uint8], cpu_seconds: float) -> tuple[int, int, float]:
    """Packets that the interface received in all; those of them after the first turn, and the CPU time for these."""
    program, frame = turning(made), made[0].tobytes()
    for begin in range(0, len(made), _AT_ONCE):
        run_live(program, frame, interface, min(_AT_ONCE, len(made) - begin))
    timed, began, end = 0, time.thread_time(), time.perf_counter() + _MAX_SECONDS
    while timed < _MAX_PACKETS and time.perf_counter() < end and time.thread_time() - began < cpu_seconds:
        run_live(program, frame, interface, _AT_ONCE)
        timed += _AT_ONCE
    return len(made) + timed, timed, time.thread_time() - began


def main(arguments: Sequence[str]) -> None:
    interface, mac, target, port, cpu_seconds, file = arguments
    # The kernel's work is done on the core of the caller: the last one that we may use.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sources = np.frombuffer(Path(file).read_bytes(), dtype=np.uint32)
    made = frames(bytes.fromhex(mac.replace(":", "")), target, int(port), sources)
    sent, timed, cpu = flood(interface, made, float(cpu_seconds))
    print(json.dumps({"sent": sent, "timed": timed, "cpu": cpu}))


if __name__ == "__main__":
    main(sys.argv[1:])
