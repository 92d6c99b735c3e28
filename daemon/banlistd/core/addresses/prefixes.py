"""Ranges as networks of the usual notation, for a firewall that knows no ranges. Whole arrays at a time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.sets import WIDTHS, Addresses
from banlistd.model import Family

Words = NDArray[np.uint64]

_WORD = 64
_HALF = 32


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """First addresses, prefix lengths, and which range each network is a part of. Shapes (n,); `length` is `uint8`."""

    family: Family
    first: Addresses
    length: NDArray[np.uint8]
    part_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)


def networks_of(family: Family, first: Addresses, last: Addresses, shortest: int = 0) -> Networks:
    """The fewest networks that make up each range, in the order of the ranges, and within one of addresses.

    `first`, `last`: inclusive ends. `shortest`: no prefix length is shorter than this. Each turn of the loop takes one
    network off every range that is left: most ranges of lists are one network, and none is more than 254.
    """
    width = WIDTHS[family]
    high, low = _words_of(first)
    last_high, last_low = _words_of(last)
    left = np.arange(len(first))
    highs, lows, lengths, parts = [], [], [], []
    while len(left):
        bits = np.minimum(_zeros_below(high, low), _room(high, low, last_high, last_low))
        bits = np.minimum(bits, width - shortest)
        highs.append(high)
        lows.append(low)
        lengths.append((width - bits).astype(np.uint8))
        parts.append(left)
        end_high, end_low = _with_ones_below(high, low, bits)
        more = np.flatnonzero((end_high != last_high) | (end_low != last_low))
        left, last_high, last_low = left[more], last_high[more], last_low[more]
        low = end_low[more] + np.uint64(1)
        high = end_high[more] + (low == 0)
    part_of = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    order = np.argsort(part_of, kind="stable")
    starts = [np.concatenate([np.empty(0, dtype=np.uint64), *words])[order] for words in (highs, lows)]
    return Networks(
        family, _from_words(family, *starts), np.concatenate([np.empty(0, dtype=np.uint8), *lengths])[order], part_of[order]
    )


def lasts_of(family: Family, first: Addresses, length: NDArray[np.uint8]) -> Addresses:
    """The last address of each network."""
    return _from_words(family, *_with_ones_below(*_words_of(first), WIDTHS[family] - length.astype(np.int64)))


def _words_of(addresses: Addresses) -> tuple[Words, Words]:
    """Each address as two words, the high and the low one; of IPv4 the high one is zero."""
    if addresses.dtype == np.uint32:
        return np.zeros(len(addresses), dtype=np.uint64), addresses.astype(np.uint64)
    words = np.ascontiguousarray(addresses).view(">u8").reshape(-1, 2).astype(np.uint64)
    return words[:, 0], words[:, 1]


def _from_words(family: Family, high: Words, low: Words) -> Addresses:
    if family is Family.IPV4:
        return low.astype(np.uint32)
    return np.stack([high, low], axis=1).astype(">u8").view("S16").reshape(-1)


def _zeros_below(high: Words, low: Words) -> NDArray[np.int64]:
    """How many zeros an address ends with; 128 for zero itself."""
    return np.where(low != 0, _trailing_zeros(low), _WORD + _trailing_zeros(high))


def _room(high: Words, low: Words, last_high: Words, last_low: Words) -> NDArray[np.int64]:
    """The largest n for which 2**n addresses are left."""
    down = last_low - low
    span_high = last_high - high - (last_low < low)
    span_low = down + np.uint64(1)
    carried = span_low == 0
    span_high = span_high + carried
    # All 2**128 addresses are left where the count itself has come round to zero.
    bits = np.where(span_high != 0, _WORD + _bit_length(span_high), _bit_length(span_low)) - 1
    return np.where(carried & (span_high == 0), 2 * _WORD, bits)


def _with_ones_below(high: Words, low: Words, bits: NDArray[np.int64]) -> tuple[Words, Words]:
    return high | _ones(bits - _WORD), low | _ones(bits)


def _ones(bits: NDArray[np.int64]) -> Words:
    """So many ones, from none to a word of them."""
    count = np.clip(bits, 0, _WORD).astype(np.uint64)
    every = np.uint64(2**_WORD - 1)
    # A shift by the width of the word is not defined.
    return np.where(count == 0, np.uint64(0), every >> ((np.uint64(_WORD) - count) % np.uint64(_WORD)))


def _trailing_zeros(words: Words) -> NDArray[np.int64]:
    """64 for zero."""
    lowest = words & (~words + np.uint64(1))
    return np.where(words == 0, _WORD, _bit_length(lowest) - 1)


def _bit_length(words: Words) -> NDArray[np.int64]:
    """0 for zero. By halves, which a float represents exactly."""
    high, low = words >> np.uint64(_HALF), words & np.uint64(2**_HALF - 1)
    exponents = np.frexp(np.where(high != 0, high, low).astype(np.float64))[1].astype(np.int64)
    return np.where(high != 0, exponents + _HALF, exponents)
