"""Blocks that hold nothing but `a.b.c.d` and `a.b.c.d/n`, a line each: what most long lists are, read in octets alone.

Octets that are worked on in a row cost a tenth of a nanosecond each, an index of eight a half (measured), so all that can be
said of the digits without looking for them is said before.
"""

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.sets import Addresses

Octets = NDArray[np.uint8]
Positions = NDArray[np.int64]

# Three dots and what ends the last octet, as they lie in memory, read as one little-endian word.
_BARE = np.uint32(int.from_bytes(b"...\n", "little"))
_SLASHED = np.uint32(int.from_bytes(b".../", "little"))

HOST_BITS = np.array([(1 << (32 - bits)) - 1 for bits in range(33)], dtype=np.uint32)
MAX_BITS_WIDTH = 2
MAX_BITS = 32
QUAD_MARKS = 4
_MAX_HUNDREDS = 2
_EVERY_BIT = 255


def read_bare(text: Octets, digits: Octets, mask: Octets, at: Positions) -> tuple[Addresses, Addresses | None] | None:
    """First and last addresses of a text that ends with a line feed; no `last` where all are single, None where any line is
    more than a bare address or network.

    `digits`: the value of each byte that is a digit, else 0; `mask`: 255 for it, else 0; `at`: the places of all other bytes.
    """
    if _is_all_single(text, at):
        numbers = _numbers(digits, mask, at)
        return None if numbers is None else (joined(numbers), None)
    return _read_networks(text.take(at), digits, mask, at)


def _is_all_single(text: Octets, at: Positions) -> bool:
    """Whether the marks are three dots and a line feed, in turns, and no others."""
    lines, rest = divmod(len(at), QUAD_MARKS)
    if not lines or rest or np.count_nonzero(text == ord(".")) != lines * (QUAD_MARKS - 1):
        return False
    return bool((text.take(at[QUAD_MARKS - 1 :: QUAD_MARKS]) == ord("\n")).all())


def _read_networks(chars: Octets, digits: Octets, mask: Octets, at: Positions) -> tuple[Addresses, Addresses] | None:
    """The same where some lines are networks. `chars`: what is at the places of `at`."""
    lengths = np.flatnonzero(chars == ord("/")) + 1
    if not len(lengths) or bool((chars[lengths] != ord("\n")).any()):
        return None
    stays = np.ones(len(chars), dtype=np.bool_)
    stays[lengths] = False
    quads = chars[stays]
    if len(quads) % QUAD_MARKS or int((at[lengths] - at[lengths - 1]).max()) > MAX_BITS_WIDTH + 1:
        return None
    words = quads.view("<u4")
    slashed = words == _SLASHED
    if not bool((slashed | (words == _BARE)).all()):
        return None
    numbers = _numbers(digits, mask, at)
    if numbers is None or int(numbers[lengths].max()) > MAX_BITS:
        return None
    first = joined(numbers[stays])
    host_bits = np.zeros(len(first), dtype=np.uint32)
    host_bits[slashed] = HOST_BITS[numbers[lengths]]
    first &= ~host_bits
    return first, first | host_bits


def joined(octets: Octets) -> Addresses:
    """Four octets to an address."""
    return octets.view(">u4").astype(np.uint32)


def _numbers(digits: Octets, mask: Octets, at: Positions) -> Octets | None:
    """The number before each mark; None unless it is one to three digits, and at most 255, before all of them."""
    # Of octets `min` and `max` are a third of what `all` and `any` are (measured).
    if not mask[0] or not int((mask[1:] | mask[:-1]).min(initial=_EVERY_BIT)):
        return None
    pairs = mask[1:] & mask[:-1]
    if int((pairs[2:] & pairs[:-2]).max(initial=0)):
        return None
    # A number is one place further on than its last digit, where its mark is.
    sums = np.empty(len(digits) + 1, dtype=np.uint8)
    sums[1] = digits[0]
    np.multiply(digits[:-1], np.uint8(10), out=sums[2:])
    sums[2:] += digits[1:]
    hundreds = digits[:-2] & pairs[1:]
    if int(hundreds.max(initial=0)) > _MAX_HUNDREDS:
        return None
    hundreds *= np.uint8(100)
    sums[3:] += hundreds
    # Of 256 and more nothing is left but what is beyond 256, which is less than the hundreds alone.
    return None if bool((sums[3:] < hundreds).any()) else sums.take(at)
