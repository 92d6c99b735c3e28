"""What the daemon and the program that asks name servers say to each other: a packet for each question, one for each answer.

A question is text: a number, the seconds that it may take, the name. An answer has a fixed form, without any text, because
hostile bytes may have taken the program over.
"""

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass

MOST_SENT = 65
"""Of an answer: one more than a name may have, so that too many are seen to be too many."""

_HEAD = struct.Struct("!IBIB")
_ADDRESS = struct.Struct("!B16s")
LARGEST_ANSWER = _HEAD.size + MOST_SENT * _ADDRESS.size

_IP4, _IP6 = 4, 6


@dataclass(frozen=True, slots=True)
class ServerQuestion:
    """`seconds`: how long the answer may take."""

    number: int
    seconds: float
    name: str


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """`is_of_dns` False: name servers say nothing of the name, or are not asked first; the host itself may know it.

    `ttl`: seconds; `addresses`: as text. Both only of an answer that is of name servers.
    """

    number: int
    is_of_dns: bool
    ttl: int = 0
    addresses: tuple[str, ...] = ()


def encoded_question(question: ServerQuestion) -> bytes:
    return f"{question.number} {question.seconds:.3f} {question.name}".encode("ascii")


def decoded_question(octets: bytes) -> ServerQuestion:
    number, seconds, name = octets.decode("ascii").split(" ")
    return ServerQuestion(int(number), float(seconds), name)


def packed_answer(number: int, found: tuple[int, Sequence[str]] | None) -> bytes:
    """`found`: TTL and addresses, the first of which are sent; None: it is for the host."""
    if found is None:
        return _HEAD.pack(number, 0, 0, 0)
    ttl, addresses = found
    sent = addresses[:MOST_SENT]
    return _HEAD.pack(number, 1, ttl, len(sent)) + b"".join(map(_packed, sent))


def unpacked_answer(octets: bytes) -> ServerAnswer:
    """Raises ValueError for anything that is not an answer."""
    if not _HEAD.size <= len(octets) <= LARGEST_ANSWER:
        raise ValueError("an answer of another size")
    number, kind, ttl, count = _HEAD.unpack_from(octets)
    if kind not in (0, 1) or (count > 0) != (kind == 1) or len(octets) != _HEAD.size + count * _ADDRESS.size:
        raise ValueError("an answer of another form")
    places = range(_HEAD.size, len(octets), _ADDRESS.size)
    return ServerAnswer(number, kind == 1, ttl, tuple(_text(*_ADDRESS.unpack_from(octets, place)) for place in places))


def _packed(text: str) -> bytes:
    address = ipaddress.ip_address(text)
    return _ADDRESS.pack(address.version, address.packed.rjust(16, b"\0"))


def _text(version: int, octets: bytes) -> str:
    if version == _IP4 and not any(octets[:12]):
        return str(ipaddress.IPv4Address(octets[12:]))
    if version == _IP6:
        return str(ipaddress.IPv6Address(octets))
    raise ValueError("an address of another kind")
