"""The CSV of Debian's tor-geoipdb (/usr/share/tor/geoip and geoip6) -> a table of countries. Pure.

Lines of `first,last,CC`, inclusive; IPv4 as decimal numbers, IPv6 as text; comments begin with "#"; ?? is an unknown country.
"""

import socket

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.sets import FAMILIES, Addresses
from banlistd.core.geo.tables import Codes, GeoTable, Layer, layer_of
from banlistd.model import Family

_COMMENT, _NEWLINE, _COMMA = 0x23, 0x0A, 0x2C
_ALL_ONES = 2**32 - 1
_UNKNOWN = tuple(ord(a) << 8 | ord(b) for a, b in ("??", "ZZ", "XX"))
_BLANKS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ?\n", b" " * 28)
_TAIL = 3
"""Bytes of a line from its last comma on."""


def table_of(body: bytes) -> GeoTable:
    """Raises ValueError for what is not such a file."""
    lines = _without_comments(body)
    if not lines:
        raise ValueError("it has no range")
    layer = _layer(lines)
    return GeoTable({family: layer if layer.family is family else Layer.none(family) for family in FAMILIES})


def family_of(head: bytes) -> Family:
    """Of which family the ranges are, from the beginning of a file."""
    return Family.IPV6 if b":" in _without_comments(head).partition(b",")[0] else Family.IPV4


def _without_comments(body: bytes) -> bytes:
    """The lines that follow the comments at the beginning; further ones are no ranges."""
    at = 0
    while at < len(body) and body[at] in (_COMMENT, _NEWLINE):
        end = body.find(b"\n", at)
        at = len(body) if end < 0 else end + 1
    lines = body[at:]
    return lines if not lines or lines.endswith(b"\n") else lines + b"\n"


def _layer(lines: bytes) -> Layer:
    octets = np.frombuffer(lines, dtype=np.uint8)
    ends = np.flatnonzero(octets == _NEWLINE)
    lengths = np.diff(ends, prepend=-1)
    if int(lengths.min()) <= _TAIL or not bool((octets[ends - _TAIL] == _COMMA).all()):
        raise ValueError("a line is not first,last,COUNTRY")
    code = (octets[ends - 2].astype(np.uint32) << np.uint32(8)) | octets[ends - 1]
    for unknown in _UNKNOWN:
        code[code == unknown] = 0
    family = family_of(lines)
    first, last = _six(lines, len(ends)) if family is Family.IPV6 else _four(lines, len(ends))
    if not bool((first <= last).all()) or not bool((last[:-1] < first[1:]).all()):
        raise ValueError("its ranges overlap, or are not in order")
    return layer_of(family, first, last, _letters_only(code))


def _letters_only(code: Codes) -> Codes:
    """Codes that are two capital letters, or 0."""
    high, low = code >> np.uint32(8), code & np.uint32(0xFF)
    if not bool(((code == 0) | (_is_letter(high) & _is_letter(low))).all()):
        raise ValueError("a country is not two letters")
    return code


def _is_letter(octet: Codes) -> NDArray[np.bool_]:
    return np.asarray((octet >= ord("A")) & (octet <= ord("Z")))


def _four(lines: bytes, count: int) -> tuple[Addresses, Addresses]:
    text = lines.translate(_BLANKS)
    if text.translate(None, b"0123456789, "):
        raise ValueError("a line of IPv4 has more than numbers and a country")
    try:
        numbers = np.array(text.replace(b",", b" ").split(), dtype="S10").astype(np.int64)
    except (ValueError, OverflowError) as exc:
        raise ValueError("a number is too long for an address") from exc
    if len(numbers) != 2 * count or int(numbers.max()) > _ALL_ONES:
        raise ValueError("a line is not two numbers and a country")
    pairs = numbers.reshape(-1, 2).astype(np.uint32)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def _six(lines: bytes, count: int) -> tuple[Addresses, Addresses]:
    words = lines.decode("ascii", "replace").translate({_NEWLINE: ","}).split(",")
    if len(words) != 3 * count + 1:
        raise ValueError("a line is not two addresses and a country")
    try:
        packed = [socket.inet_pton(socket.AF_INET6, word) for at in (0, 1) for word in words[at:-1:3]]
    except (OSError, ValueError) as exc:
        raise ValueError("an address of IPv6 cannot be read") from exc
    addresses = np.array(packed, dtype="S16")
    return addresses[:count], addresses[count:]
