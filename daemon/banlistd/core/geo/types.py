"""Where addresses belong: country and network operator, per network. Values, and how two of them become one. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from banlistd.core.addresses.sets import WIDTHS
from banlistd.model import Family

_T = TypeVar("_T")
Row = tuple[int, int, _T]
"""First and last of a range, inclusive, and what is known of it."""


class By(StrEnum):
    """What bans are counted by."""

    COUNTRY = "country"
    ASN = "asn"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an address belongs. Empty strings and None: not known.

    `country`: two letters, as in ISO 3166-1, though databases have some of their own (EU, XK).
    """

    country: str = ""
    country_name: str = ""
    asn: int | None = None
    organisation: str = ""

    @property
    def is_known(self) -> bool:
        return bool(self.country) or self.asn is not None

    @property
    def is_complete(self) -> bool:
        return bool(self.country) and self.asn is not None

    def filled(self, other: "Origin") -> "Origin":
        """What is not known here, as the other has it. A name goes with its code."""
        if self.is_complete or not other.is_known:
            return self
        place = self if self.country else other
        operator = self if self.asn is not None else other
        return Origin(place.country, place.country_name, operator.asn, operator.organisation)


@dataclass(frozen=True, slots=True)
class Located:
    """What one place says of one network; an origin that knows nothing: it does not know."""

    family: Family
    first: int
    last: int
    origin: Origin = Origin()

    def filled(self, other: "Located") -> "Located":
        """What both say of an address that is in both networks: it is valid where they overlap."""
        return Located(self.family, max(self.first, other.first), min(self.last, other.last), self.origin.filled(other.origin))


@dataclass(frozen=True, slots=True)
class GeoEntry:
    """A network (both ends inclusive) whose origin is known, until `expires_at` (seconds since the epoch)."""

    family: Family
    first: int
    last: int
    origin: Origin
    expires_at: float


@dataclass(frozen=True, slots=True)
class GeoNegEntry:
    """A network that no resolver knows; it is asked for again after `expires_at`."""

    family: Family
    first: int
    last: int
    expires_at: float


def nowhere(family: Family) -> Located:
    """Nothing, said of all addresses: what asking begins with."""
    return Located(family, 0, 2 ** WIDTHS[family] - 1)


def overlaid(rows: Iterable[Row[_T]], newer: Sequence[Row[_T]]) -> list[Row[_T]]:
    """Sorted disjoint `rows` after newer ones, in any order, were laid over them one by one.

    A newer row takes its whole range. What it covers is gone; what sticks out on either side stays, cut to that.
    """
    kept = list(rows)
    firsts = [row[0] for row in kept]
    for first, last, known in newer:
        begin, end = bisect_left(firsts, first), bisect_right(firsts, last)
        if begin and kept[begin - 1][1] >= first:
            begin -= 1
        pieces: list[Row[_T]] = [(first, last, known)]
        if begin < end:
            low, high = kept[begin], kept[end - 1]
            pieces = [(low[0], first - 1, low[2])] * (low[0] < first) + pieces
            pieces += [(last + 1, high[1], high[2])] * (high[1] > last)
        kept[begin:end] = pieces
        firsts[begin:end] = [piece[0] for piece in pieces]
    return kept
