"""One written address, network or range -> the first and the last address of it, or None. Nothing else is looked at here.

Semantics are those of inet_pton, with one exception: octets may be padded with zeros to three digits and are decimal,
as eMule's DAT files and DShield write them. inet_aton's octal, hexadecimal and short forms are no addresses.
"""

import re
import socket

from banlistd.model import Family, Span

_V4 = Family.IPV4
_V6 = Family.IPV6
_QUAD = 4
_OCTETS = {f"{octet:0{width}}": octet for octet in range(256) for width in (1, 2, 3)}
"""Every way to write an octet; looking one up takes half the time of a pattern and int()."""
_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?", re.ASCII)
_PORT_BEHIND_BAR = re.compile(r"([0-9A-Fa-f:.]+)\|[0-9]{1,5}", re.ASCII)
"""As MISP writes `ip-dst|port`."""

_ALL_ONES = 0xFFFF_FFFF
_EMBEDDED = 96
"""Bits before an IPv4 address that is written as such at the end of an IPv6 address."""
_MAPPED = 0xFFFF
"""The upper 96 bits of an IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2)."""
_HOST_BITS = {_V4: [(1 << (32 - n)) - 1 for n in range(33)], _V6: [(1 << (128 - n)) - 1 for n in range(129)]}


def span_of(token: str) -> Span | None:
    """`a`, `a/24`, `a/255.255.255.0`, `a-b`, `a:port`, `[a]:port`, `[a]`, `a|port`; set host bits are masked away."""
    if "." not in token and ":" not in token:
        return None
    if "-" in token:
        low, _, high = token.partition("-")
        return span_between(low, high)
    if "/" in token:
        return network_of(token)
    span = address_of(token)
    if span is None and (":" in token or token[0] == "["):
        port = _PORT.fullmatch(token)
        return address_of(port[1] or port[2]) if port else None
    if span is None and "|" in token:
        port = _PORT_BEHIND_BAR.fullmatch(token)
        return address_of(port[1]) if port else None
    return span


def network_of(token: str) -> Span | None:
    """`address/length` or `address/netmask`."""
    address, _, length = token.partition("/")
    if ":" in address:
        number, family = _hextets(address), _V6
    else:
        number, family = quad(address), _V4
    if number is None:
        return None
    if length.isdecimal() and length.isascii() and len(length) <= 3:  # noqa: PLR2004 - no prefix has more than three digits
        bits = int(length)
        if bits >= len(_HOST_BITS[family]):
            return None
        host = _HOST_BITS[family][bits]
        if "." in address and family is _V6 and bits < _EMBEDDED and number & host:
            return None  # `::ffff:192.0.2.0/24`: the length may be that of the embedded address
    else:
        mask = quad(length) if family is _V4 else None
        if mask is None:
            return None
        host = mask ^ _ALL_ONES
        if host & (host + 1):  # the ones of a netmask are adjacent
            return None
    first = number & ~host
    return _unmapped((family, first, first | host))


def span_between(low: str, high: str) -> Span | None:
    """The range between two bare addresses of one family; None if they are in the wrong order."""
    low, high = low.strip(), high.strip()
    first4, last4 = quad(low), quad(high)
    if first4 is not None and last4 is not None:
        return (_V4, first4, last4) if first4 <= last4 else None
    first, last = address_of(low), address_of(high)
    if first is None or last is None or first[0] is not last[0] or first[1] > last[1]:
        return None
    return first[0], first[1], last[1]


def address_of(token: str) -> Span | None:
    """A bare address and nothing else."""
    number = quad(token)
    if number is not None:
        return _V4, number, number
    number = _hextets(token) if ":" in token else None
    return None if number is None else _unmapped((_V6, number, number))


def quad(token: str) -> int | None:
    """Four decimal octets of one to three digits."""
    if token.count(".") != _QUAD - 1:  # an exception takes ten times as long
        return None
    try:
        a, b, c, d = token.split(".")
        return _OCTETS[a] << 24 | _OCTETS[b] << 16 | _OCTETS[c] << 8 | _OCTETS[d]
    except KeyError:  # no octet
        return None


def _hextets(token: str) -> int | None:
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, token), "big")
    except (OSError, ValueError):  # a NUL or a lone surrogate is a ValueError
        return None


def _unmapped(span: Span) -> Span:
    """IPv4-mapped addresses are IPv4 addresses. All of them together (::ffff:0:0/96, in every list of bogons) are not
    all of IPv4: they stay what they are on the wire.
    """
    family, first, last = span
    if family is _V6 and first >> 32 == _MAPPED == last >> 32 and last - first < _ALL_ONES:
        return _V4, first & _ALL_ONES, last & _ALL_ONES
    return span


_SHORT = re.compile(r"((?:[0-9]{1,3}\.){3})([0-9]{1,3})-([0-9]{1,3})", re.ASCII)
_WILDCARD = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3}){0,2})((?:\.\*){1,3})", re.ASCII)


def short_range_of(token: str) -> Span | None:
    """`1.2.3.4-9`: the last octets of a range."""
    short = _SHORT.fullmatch(token) if "-" in token else None
    return None if short is None else span_between(short[1] + short[2], short[1] + short[3])


def wildcard_of(token: str) -> Span | None:
    """`1.2.3.*`, and `1.2.*` or `1.2.*.*`: all addresses that begin so."""
    if not token.endswith("*"):
        return None
    found = _WILDCARD.fullmatch(token)
    return None if found is None else prefix_of(found[1]) if found[1].count(".") + found[2].count(".") <= _QUAD - 1 else None


def prefix_of(token: str) -> Span | None:
    """`1.2.3` or `1.2.3.`: all addresses that begin with these octets."""
    octets = token.removesuffix(".").split(".")
    lacking = _QUAD - len(octets)
    first, last = quad(".".join(octets + ["0"] * lacking)), quad(".".join(octets + ["255"] * lacking))
    return None if first is None or last is None else (_V4, first, last)


_LONGEST_MASK_HOST = (1 << 24) - 1


def host_bits_of_mask(token: str) -> int | None:
    """The host bits of a netmask (255.255.255.0) or of a wildcard mask (0.0.0.255), /8 or longer; None for another token."""
    number = quad(token)
    if number is None:
        return None
    host = number if number <= _LONGEST_MASK_HOST else number ^ _ALL_ONES
    return host if host <= _LONGEST_MASK_HOST and not host & (host + 1) else None


def is_one_network(low: Span, high: Span) -> bool:
    """Whether two single addresses are the ends of one network of at least four addresses."""
    size = high[1] - low[1] + 1
    bare = low[1] == low[2] and high[1] == high[2] and low[0] is high[0]
    return bare and size >= _QUAD and not size & (size - 1) and not low[1] & (size - 1)


_MAX_COLONS = 9
"""An IPv6 address has eight groups; colons further to the left belong to the name."""


def range_at_end(text: str) -> Span | None:
    """The range of `name:first-last`. Where a name's end could be a group of an IPv6 address, the narrowest reading."""
    head, dash, high = text.rpartition("-")
    first, last = quad(head[head.rfind(":") + 1 :].strip()) if ":" in head else None, quad(high.strip())
    if first is not None and last is not None and first <= last:
        return _V4, first, last
    if not dash or address_of(high.strip()) is None:
        return None
    best: Span | None = None
    at = len(head)
    for _ in range(_MAX_COLONS):
        at = head.rfind(":", 0, at)
        if at < 0:
            break
        span = span_between(head[at + 1 :], high)
        if span is not None and (best is None or span[1] > best[1]):
            best = span
        if span is not None and span[0] is Family.IPV4:
            break
    return best
