"""Addresses and ranges as text: every message, sample and answer of the daemon shows the same range in the same way. Pure."""

from typing import Any

from banlistd.core.addresses.sets import WIDTHS, from_numbers, to_number, to_text
from banlistd.model import Family, Span


def span_text(span: Span) -> str:
    """`192.0.2.7`, `192.0.2.0/24` where the range is one network, else both ends: `192.0.2.1 - 192.0.2.3`."""
    family, first, last = span
    start, end = (to_text(family, address) for address in from_numbers(family, [first, last]))
    size = last - first + 1
    if size == 1:
        return start
    if size & (size - 1) == 0 and first % size == 0:
        return f"{start}/{WIDTHS[family] - size.bit_length() + 1}"
    return f"{start} - {end}"


def range_text(family: Family, first: Any, last: Any) -> str:
    """The same for two elements of `Addresses` arrays, both inclusive."""
    return span_text((family, to_number(first), to_number(last)))
