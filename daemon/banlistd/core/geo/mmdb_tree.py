"""The search tree of an mmdb file, walked as a whole with arrays: all networks, and where their records are. Pure.

From the MaxMind DB format, version 2.0 (maxmind.github.io/MaxMind-DB): binary search tree section. The iterator of maxminddb
3.2.0 does not serve: one wrong byte in the tree corrupts its heap and aborts the process (measured), a tree whose nodes share
children keeps it busy for ever, and it is five times as slow.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.sets import DTYPES, WIDTHS, Addresses, from_numbers, no_addresses
from banlistd.model import Family

_BITS = 128
_WORD = 64
_V4_DEPTH = 96
_SIXTEEN = 16
"""Bytes between the tree and the data section."""

_WORDS = np.dtype(">u8")

# A file in which two nodes share their children is legal, and one in which they do so again and again is a bomb.
_MAX_LEAVES_PER_NODE = 4
_SOME_LEAVES = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """Networks of one family, in any order, with the pointers to their records. Shapes (n,); `pointer` is uint32."""

    first: Addresses
    last: Addresses
    pointer: NDArray[np.uint32]


def leaves_of(body: bytes, node_count: int, record_size: int, ip_version: int) -> Mapping[Family, Leaves]:
    """Every network of a tree that has a record. The space of IPv4 is found where the format has it, below ::/96, and its other
    forms (::ffff:0:0/96, 2002::/16) are left out.

    Raises ValueError for a body that is no such tree.
    """
    children = _children(body, node_count, record_size)
    bits = WIDTHS[Family.IPV4] if ip_version == 4 else _BITS  # noqa: PLR2004 - the version's own number
    four = _start_of_four(children, node_count) if bits == _BITS else -1
    node = np.zeros(1, dtype=np.uint32)
    high, low = np.zeros(1, dtype=np.uint64), np.zeros(1, dtype=np.uint64)
    found: list[tuple[NDArray[np.uint64], NDArray[np.uint64], int, NDArray[np.uint32]]] = []
    limit, leaves = _MAX_LEAVES_PER_NODE * node_count + _SOME_LEAVES, 0
    for depth in range(bits):
        node, high, low = _descend(children, node, high, low, depth)
        is_leaf = node > node_count
        if is_leaf.any():
            found.append((high[is_leaf], low[is_leaf], depth + 1, node[is_leaf]))
        goes_on = (node < node_count) & ~((node == four) & ((high != 0) | (low != 0)))
        node, high, low = node[goes_on], high[goes_on], low[goes_on]
        leaves += int(is_leaf.sum())
        if leaves + len(node) > limit:
            raise ValueError("the tree has more networks than nodes for them")
        if not len(node):
            break
    if len(node):
        raise ValueError("the tree is deeper than an address is long")
    if bits != _BITS:
        return {Family.IPV4: _of_four(found, shift=_WORD - bits), Family.IPV6: _none(Family.IPV6)}
    return _of_both(found)


def _children(body: bytes, node_count: int, record_size: int) -> NDArray[np.uint32]:
    """Both records of each node: shape (node_count, 2)."""
    if record_size not in {24, 28, 32}:
        raise ValueError(f"records of {record_size} bits are unknown")
    size = record_size * 2 // 8
    if node_count < 1 or node_count * size + _SIXTEEN > len(body):
        raise ValueError("the tree is longer than the file")
    raw = np.frombuffer(body, dtype=np.uint8, count=node_count * size).reshape(node_count, size).astype(np.uint32)
    if record_size == 24:  # noqa: PLR2004 - as the format names them
        left, right = _number(raw[:, 0:3]), _number(raw[:, 3:6])
    elif record_size == 28:  # noqa: PLR2004 - as above; the byte in the middle has the upper four bits of both
        left = (raw[:, 3] >> np.uint32(4)) << np.uint32(24) | _number(raw[:, 0:3])
        right = (raw[:, 3] & np.uint32(15)) << np.uint32(24) | _number(raw[:, 4:7])
    else:
        left, right = _number(raw[:, 0:4]), _number(raw[:, 4:8])
    return np.stack([left, right], axis=1)


def _number(octets: NDArray[np.uint32]) -> NDArray[np.uint32]:
    number = octets[:, 0]
    for column in range(1, octets.shape[1]):
        number = number << np.uint32(8) | octets[:, column]
    return number


def _start_of_four(children: NDArray[np.uint32], node_count: int) -> int:
    """The node of ::/96, or -1 where the tree ends above it."""
    node = 0
    for _ in range(_V4_DEPTH):
        node = int(children[node, 0])
        if node >= node_count:
            return -1
    return node


def _descend(
    children: NDArray[np.uint32], node: NDArray[np.uint32], high: NDArray[np.uint64], low: NDArray[np.uint64], depth: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint64], NDArray[np.uint64]]:
    """One bit further: the left children, then the right ones with their bit set."""
    bit = np.uint64(1 << (_WORD - 1 - depth % _WORD))
    right_high, right_low = (high | bit, low) if depth < _WORD else (high, low | bit)
    both = children[node]
    return (
        np.concatenate([both[:, 0], both[:, 1]]),
        np.concatenate([high, right_high]),
        np.concatenate([low, right_low]),
    )


Found = list[tuple[NDArray[np.uint64], NDArray[np.uint64], int, NDArray[np.uint32]]]


def _none(family: Family) -> Leaves:
    return Leaves(no_addresses(family), no_addresses(family), np.empty(0, dtype=np.uint32))


def _of_four(found: Found, shift: int) -> Leaves:
    """Leaves of a tree of IPv4: their bits are the upper ones of the high word."""
    below = WIDTHS[Family.IPV4]
    first = [(high >> np.uint64(shift)).astype(np.uint32) for high, _, _, _ in found]
    last = [start | np.uint32((1 << (below - depth)) - 1) for start, (_, _, depth, _) in zip(first, found, strict=True)]
    return _joined(Family.IPV4, first, last, [pointer for _, _, _, pointer in found])


def _of_both(found: Found) -> Mapping[Family, Leaves]:
    first4, last4, pointer4 = [], [], []
    first6, last6, pointer6 = [], [], []
    for high, low, depth, pointer in found:
        inside = (high == 0) & (low >> np.uint64(32) == 0) & (depth >= _V4_DEPTH)
        start = low[inside].astype(np.uint32)
        first4.append(start)
        last4.append(start | np.uint32((1 << (_BITS - depth)) - 1 if depth >= _V4_DEPTH else 0))
        pointer4.append(pointer[inside])
        over_four = pointer[(high == 0) & (low == 0)] if depth < _V4_DEPTH else pointer[:0]
        if len(over_four):  # a record of a wider network holds for all of IPv4 too, as the readers have it
            first4.append(from_numbers(Family.IPV4, [0]))
            last4.append(from_numbers(Family.IPV4, [2**32 - 1]))
            pointer4.append(over_four)
        ends_high, ends_low = _ends(high, low, depth)
        first6.append(_sixteen(high[~inside], low[~inside]))
        last6.append(_sixteen(ends_high[~inside], ends_low[~inside]))
        pointer6.append(pointer[~inside])
    return {
        Family.IPV4: _joined(Family.IPV4, first4, last4, pointer4),
        Family.IPV6: _joined(Family.IPV6, first6, last6, pointer6),
    }


def _ends(high: NDArray[np.uint64], low: NDArray[np.uint64], depth: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    below = (1 << (_BITS - depth)) - 1
    return high | np.uint64(below >> _WORD), low | np.uint64(below & (2**_WORD - 1))


def _sixteen(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> Addresses:
    words = np.stack([high, low], axis=1).astype(_WORDS)
    return np.ascontiguousarray(words).view(DTYPES[Family.IPV6]).reshape(-1)


def _joined(family: Family, first: list[Addresses], last: list[Addresses], pointer: list[NDArray[np.uint32]]) -> Leaves:
    if not first:
        return _none(family)
    return Leaves(np.concatenate(first), np.concatenate(last), np.concatenate(pointer))
