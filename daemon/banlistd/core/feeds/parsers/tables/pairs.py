"""Whether two columns of addresses are the ends of ranges: never because they are two, only where more says so."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from banlistd.core.feeds.parsers.tables.rows import network_with, run_of
from banlistd.model import Span

_ENOUGH_NETWORKS = 3
_LEAST_NETWORK = 4
"""Addresses. Two neighbours of an event are a /31 now and then."""

_LEAST_COUNT = 8
_ENOUGH_COUNTS = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """A row, and the range that two of its columns would be."""

    span: Span
    row: Sequence[str]
    columns: tuple[int, int]

    @property
    def width(self) -> int:
        """Addresses, both ends included."""
        return self.span[2] - self.span[1] + 1

    @property
    def is_network(self) -> bool:
        return not self.width & (self.width - 1) and not self.span[1] & (self.width - 1)


def matching_size(pairs: Sequence[Pair]) -> tuple[str, int] | None:
    """The third column that says how large the ranges are: its key, and its position. A few odd rows may disagree."""
    if not pairs:
        return None
    for column in range(len(pairs[0].row)):
        if column in pairs[0].columns:
            continue
        low = pairs[0].columns[0]
        lengths = [pair for pair in pairs if network_with(pair.row[low], pair.row[column]) == pair.span]
        if _most(lengths, pairs) and any(pair.width >= _LEAST_NETWORK for pair in lengths):
            return "prefix", column
        counts = [pair for pair in pairs if run_of(pair.row[low], pair.row[column]) == pair.span]
        if _most(counts, pairs) and sum(pair.width >= _LEAST_COUNT for pair in counts) >= _ENOUGH_COUNTS:
            return "count", column
    return None


def _most(some: Sequence[Pair], pairs: Sequence[Pair]) -> bool:
    return len(some) == len(pairs) or (len(some) >= _ENOUGH_NETWORKS and len(some) * 2 > len(pairs))


def fits_networks(pairs: Sequence[Pair]) -> bool:
    """Whether each pair is exactly one network, in at least three rows, and none is over another."""
    networks = {pair.span for pair in pairs if pair.width >= _LEAST_NETWORK}
    return len(networks) >= _ENOUGH_NETWORKS and all(pair.is_network for pair in pairs) and are_disjoint(pairs)


def are_disjoint(pairs: Sequence[Pair]) -> bool:
    return not any(_overlaps(pairs))


def overlap(pairs: Sequence[Pair]) -> bool:
    """Whether more than half are over the one before: the addresses between two that met have nothing to do with them."""
    overlaps = _overlaps(pairs)
    return not overlaps or 2 * sum(overlaps) > len(overlaps)


def _overlaps(pairs: Sequence[Pair]) -> list[bool]:
    spans = sorted({pair.span for pair in pairs})
    return [one[0] is other[0] and one[2] >= other[1] for one, other in itertools.pairwise(spans)]
