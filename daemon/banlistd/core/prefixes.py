"""Ranges as networks of the usual notation, for what knows no ranges."""

from collections.abc import Iterator


def prefixes(first: int, last: int, width: int, shortest: int = 0) -> Iterator[tuple[int, int]]:
    """The fewest networks that make up a range, in order: their first addresses and prefix lengths.

    `first`, `last`: integers, inclusive. `width`: 32 or 128. `shortest`: no prefix length is shorter than this.
    """
    while first <= last:
        aligned = (first & -first).bit_length() - 1 if first else width
        room = (last - first + 1).bit_length() - 1
        bits = min(aligned, room, width - shortest)
        yield first, width - bits
        first += 1 << bits
