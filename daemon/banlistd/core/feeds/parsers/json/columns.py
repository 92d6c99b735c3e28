"""Many JSON values of one place at once, read with arrays. What is read here means the same as `values.spans_in` of each."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from banlistd.core.addresses.sets import Addresses
from banlistd.core.feeds.parsers.quads import scan_bare

AT_ONCE = 8192
FEWEST = 64
"""Values; for fewer, arrays are no gain."""

_MOST_WORDS = 2048
"""Different values of a column that has no addresses."""


def parts_of_column(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[at : at + AT_ONCE] for at in range(0, len(values), AT_ONCE))


def bare_quads(values: Sequence[Any]) -> tuple[Addresses, Addresses] | None:
    """First and last addresses of texts each of which is one IPv4 address or network and nothing else; None for others."""
    if set(map(type, values)) != {str}:
        return None
    text = "\n".join(values)
    if not text.isascii() or text.count("\n") != len(values) - 1:
        return None
    found = scan_bare(text.encode("ascii") + b"\n")
    if found is None:
        return None
    first, last = found
    return first, first if last is None else last


def count_masks(first: Addresses, last: Addresses) -> int:
    """How many single addresses are written as netmasks are (`values.is_netmask`)."""
    host = ~first[first == last]
    return int(np.count_nonzero(((host & (host + np.uint32(1))) == 0) & (host >> np.uint32(24) == 0)))


def column_of(rows: Sequence[dict[str, Any]], key: str) -> list[Any]:
    return [row[key] for row in rows]


def few_words(values: Sequence[Any]) -> Sequence[str] | None:
    """The different texts of a column, in order; None where it has others than texts, or many."""
    if set(map(type, values)) != {str}:
        return None
    words = list(dict.fromkeys(values))
    return words if len(words) <= _MOST_WORDS else None


def same_keys(rows: Sequence[Any]) -> tuple[str, ...] | None:
    """The keys of objects that all have the same ones, in the same order."""
    if set(map(type, rows)) != {dict}:
        return None
    first = list(rows[0])
    return tuple(first) if all(list(row) == first for row in rows) else None
