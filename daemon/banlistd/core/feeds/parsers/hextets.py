"""Lines that are one IPv6 address or network and nothing else, read without a detour; the rest is handed back.

What is read here is a part of what `lines.reading_of` reads, and means the same.
"""

import socket
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.sets import Addresses

_LENGTHS = {str(bits): bits for bits in range(129)} | {f"{bits:02}": bits for bits in range(10)}
_LENGTHS |= {f"{bits:03}": bits for bits in range(100)}
_MASKS = np.array([list(((1 << 128) - (1 << (128 - bits))).to_bytes(16, "big")) for bits in range(129)], dtype=np.uint8)
_MAPPED = bytes(10) + b"\xff\xff"
_ALL_BITS = 128

Line = tuple[int, int, int]
"""Index of the line in its block, where it begins, where it ends."""


def scan_hextets(text: str, lines: Iterable[Line]) -> tuple[Addresses, Addresses | None, list[Line]]:
    """First and last addresses (None: all are single), and the lines that were not read."""
    pton, family, lengths = socket.inet_pton, socket.AF_INET6, _LENGTHS
    packed, bits = bytearray(), bytearray()
    unread: list[Line] = []
    for line in lines:
        address, slash, length = text[line[1] : line[2]].rstrip(" \t").partition("/")
        known = lengths.get(length, -1) if slash else _ALL_BITS
        try:
            number = pton(family, address) if known >= 0 else b""
        except OSError:
            number = b""
        if not number or number.startswith(_MAPPED) or (slash and "." in address):
            unread.append(line)
            continue
        packed += number
        bits.append(known)
    first, last = _ends(packed, np.frombuffer(bytes(bits), dtype=np.uint8))
    return first, last, unread


def _ends(packed: bytearray, bits: NDArray[np.uint8]) -> tuple[Addresses, Addresses | None]:
    if (bits == _ALL_BITS).all():
        return np.frombuffer(bytes(packed), dtype="S16"), None
    octets = np.frombuffer(bytes(packed), dtype=np.uint8).reshape(-1, 16)
    masks = _MASKS[bits]
    first, last = octets & masks, octets | ~masks
    return first.view("S16").reshape(-1), last.view("S16").reshape(-1)
