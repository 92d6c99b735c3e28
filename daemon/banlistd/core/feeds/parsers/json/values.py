"""One JSON value -> the addresses in it, also where something is joined to them: a port, a protocol, the end of a range."""

import re
from typing import Any

from banlistd.core.feeds.parsers.spans import address_of, network_of, quad, span_between, span_of
from banlistd.core.feeds.parsers.text import LONGEST_LINE
from banlistd.model import Family, Span

_PROTOCOL = r"(?:tcp|udp|sctp|icmp|icmp6|icmpv6)"
_JOINED = re.compile(
    r"\[?(\d{1,3}(?:\.\d{1,3}){3}(?![\d.])|[0-9A-Fa-f.:]++)\]?(?:/\d{1,3})?"
    rf"(?:\|\d{{0,5}}|[:#]\d{{1,5}}|/{_PROTOCOL}|\s{{0,4}}\((?:{_PROTOCOL}[/: ]?)?\d{{0,5}}\)|\s{{1,4}}{_PROTOCOL}|)"
    rf"(?:[/: |]{{1,4}}(?:{_PROTOCOL}|\d{{1,5}}))?",
    re.ASCII | re.IGNORECASE,
)
_LOOSE = re.compile(r".*\s\d{1,3}", re.ASCII)
"""`198.51.100.0 24` is not an address with a port."""

_SEVERAL = re.compile("[,;\n]")
_MOST = 1000
_WRITTEN = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])|(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){3,7}(?![\w:])", re.ASCII
)


_MOST_KEPT, _LONGEST_KEPT = 16_384, 50
_kept: dict[str, tuple[Span, ...]] = {}
"""A value is looked at, then read. Not `lru_cache`, whose misses take a microsecond once it is full (measured)."""

_POSSIBLE = re.compile(r"[0-9A-Fa-f:.\[\]/|()#,;\s\-TtPpUuSsIiMmVv]*+")
"""Only of these signs addresses are written, and what may be joined to them."""


def spans_in(value: object) -> tuple[Span, ...]:
    """The addresses that a string is; none where it says anything else."""
    if not isinstance(value, str) or len(value) > LONGEST_LINE or ("." not in value and ":" not in value):
        return ()
    found = _kept.get(value)
    if found is None:
        found = _spans_in(value)
        if len(value) <= _LONGEST_KEPT:
            if len(_kept) >= _MOST_KEPT:
                _kept.clear()
            _kept[value] = found
    return found


_LENGTHS = {str(bits): (1 << (32 - bits)) - 1 for bits in range(33)}
"""The host bits of a network, by the length of its prefix as it is written."""


def _spans_in(value: str) -> tuple[Span, ...]:
    # What most values are, in one step: `a.b.c.d` and `a.b.c.d/n`.
    address, _, length = value.partition("/")
    number = quad(address)
    if number is not None:
        host = _LENGTHS.get(length) if len(address) < len(value) else 0
        if host is not None:
            return ((Family.IPV4, number & ~host, number | host),)
    if _POSSIBLE.fullmatch(value) is None:
        return ()
    text = value.strip()
    span = span_of(text) or _joined(text)
    if span is not None:
        return (span,)
    parts = _SEVERAL.split(text, _MOST) if any(sign in text for sign in ",;\n") else []
    spans = [span_of(part.strip()) for part in parts]
    whole = tuple(span for span in spans if span is not None and not is_netmask(span))
    return whole if len(whole) == len(parts) > 1 else ()


def _joined(text: str) -> Span | None:
    found = _JOINED.fullmatch(text)
    if found is None or _LOOSE.fullmatch(text):
        return None
    word = text[: found.end(1) + 4]
    length = re.match(r"\[?[0-9A-Fa-f.:]++\]?/(\d{1,3})(?!\w)", word, re.ASCII)
    return network_of(f"{found[1]}/{length[1]}") if length else address_of(found[1])


def excepted_in(value: object) -> Span | None:
    """What a list takes out again: `!address`, or `address nomatch`."""
    if not isinstance(value, str) or len(value) > LONGEST_LINE or ("!" not in value and "nomatch" not in value):
        return None
    text = value.strip()
    if text.startswith("!"):
        return span_of(text[1:].strip())
    return span_of(text.removesuffix("nomatch").strip()) if text.endswith(" nomatch") else None


def holds_an_address(value: object) -> bool:
    """Whether a text has an address somewhere."""
    return isinstance(value, str) and len(value) <= LONGEST_LINE and _WRITTEN.search(value) is not None


def range_of(low: object, high: object) -> Span | None:
    """The range between two values."""
    if not isinstance(low, str) or not isinstance(high, str) or max(len(low), len(high)) > LONGEST_LINE:
        return None
    return span_between(low, high)


def network_at(address: object, length: Any) -> Span | None:
    """The network of an address and a prefix length (24, "24", "/24") or a netmask."""
    if not isinstance(address, str) or len(address) > LONGEST_LINE:
        return None
    text = address.strip()
    if "/" in text:
        return network_of(text)
    if isinstance(length, bool) or not isinstance(length, int | str):
        return None
    written = str(length).strip().removeprefix("/") if isinstance(length, str) or 0 <= length <= 128 else ""  # noqa: PLR2004 - bits
    return network_of(f"{text}/{written}")


def is_netmask(span: Span) -> bool:
    """Whether an address is written as a netmask is: ones, more than a few, then zeros."""
    family, first, last = span
    if first != last:
        return False
    bits, most = (32, 8) if family is Family.IPV4 else (128, 16)
    host = ~first & ((1 << bits) - 1)
    return not host & (host + 1) and host >> (bits - most) == 0


def is_hostmask(span: Span) -> bool:
    """Whether an address is written as the mask of the other bits is: zeros, then ones."""
    family, first, last = span
    return family is Family.IPV4 and first == last and 0 < first < 1 << 24 and not first & (first + 1)
