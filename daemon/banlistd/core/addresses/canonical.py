"""The canonical bytes of an address set: stored as its snapshot, and hashed as its content hash. Pure.

`BLS1`, four big-endian uint32 counts (hosts4, nets4, hosts6, nets6), then hosts4, first and last of nets4, hosts6, first and
last of nets6, each address in network order.
"""

import hashlib
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from banlistd.model import ContentHash

_Column = NDArray[Any]
"""Addresses, shape (n,), dtype `uint32` (IPv4) or `S16` (IPv6)."""

Columns = tuple[_Column, _Column, _Column, _Column, _Column, _Column]
"""hosts4, first4, last4, hosts6, first6, last6."""

_MAGIC = b"BLS1"
_HEADER = 20
_AT_ONCE = 1 << 16


def encoded(columns: Columns) -> bytes:
    """They exist once, and never beside the columns in network order."""
    made = BytesIO()  # grows without a copy, and gives its bytes away without one
    for part in _parts_of(columns):
        made.write(part)
    return made.getvalue()


def hash_of_columns(columns: Columns) -> ContentHash:
    """The SHA-256 of the canonical bytes, which never exist all at once."""
    digest = hashlib.sha256()
    for part in _parts_of(columns):
        digest.update(part)
    return ContentHash(digest.hexdigest())


def hash_of(encoded_set: bytes) -> ContentHash:
    """The content hash of an encoded address set."""
    return ContentHash(hashlib.sha256(encoded_set).hexdigest())


def columns_of(encoded_set: bytes) -> Columns:
    """The inverse of `encoded`. Raises ValueError for bytes that `encoded` did not make."""
    if encoded_set[:4] != _MAGIC or len(encoded_set) < _HEADER:
        raise ValueError("not an encoded address set")
    hosts4, nets4, hosts6, nets6 = struct.unpack_from("!4I", encoded_set, 4)
    if len(encoded_set) != _HEADER + 4 * (hosts4 + 2 * nets4) + 16 * (hosts6 + 2 * nets6):
        raise ValueError("an encoded address set of the wrong length")
    offsets = np.cumsum([_HEADER, 4 * hosts4, 4 * nets4, 4 * nets4, 16 * hosts6, 16 * nets6]).tolist()
    return (
        _four(encoded_set, offsets[0], hosts4),
        _four(encoded_set, offsets[1], nets4),
        _four(encoded_set, offsets[2], nets4),
        _sixteen(encoded_set, offsets[3], hosts6),
        _sixteen(encoded_set, offsets[4], nets6),
        _sixteen(encoded_set, offsets[5], nets6),
    )


def _parts_of(columns: Columns) -> Iterator[bytes | memoryview]:
    yield _header_of(columns)
    for column in columns:
        for start in range(0, len(column), _AT_ONCE):
            yield _to_network(column[start : start + _AT_ONCE])


def _header_of(columns: Columns) -> bytes:
    hosts4, nets4, _, hosts6, nets6, _ = columns
    return _MAGIC + struct.pack("!4I", len(hosts4), len(nets4), len(hosts6), len(nets6))


def _to_network(addresses: _Column) -> memoryview:
    turned = addresses.astype(">u4") if addresses.dtype == np.uint32 else np.ascontiguousarray(addresses)
    return turned.view(np.uint8).data


def _four(data: bytes, offset: int, count: int) -> _Column:
    return np.frombuffer(data, dtype=">u4", count=count, offset=offset).astype(np.uint32)


def _sixteen(data: bytes, offset: int, count: int) -> _Column:
    return np.frombuffer(data, dtype="S16", count=count, offset=offset)
