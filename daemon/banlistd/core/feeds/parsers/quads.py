"""Lines that begin with a dotted quad or an IPv4 network, read many at a time with arrays. All other lines are only named.

What is read here is a part of what `lines.reading_of` reads, and means the same: a test holds the two against each other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.sets import Addresses, no_addresses
from banlistd.core.feeds.parsers.bare_quads import (
    HOST_BITS,
    MAX_BITS,
    MAX_BITS_WIDTH,
    QUAD_MARKS,
    Octets,
    Positions,
    joined,
    read_bare,
)
from banlistd.core.feeds.parsers.tails import may_say_more
from banlistd.model import Family

_OTHER, _END, _BLANK, _SLASH, _SEPARATOR = range(5)
_TERMS = np.full(256, _OTHER, dtype=np.uint8)
_TERMS[list(b"\n#")] = _END
_TERMS[list(b",;|")] = _SEPARATOR
_TERMS[list(b" \t")] = _BLANK
_TERMS[ord("/")] = _SLASH

# What may follow one blank for the rest of the line to be mere words: visible ASCII, but no dash, which makes a range.
_WORDS = np.zeros(256, dtype=np.bool_)
_WORDS[0x21:0x7F] = True
_WORDS[ord("-")] = False
_WORDS[ord("\n")] = True

# The first bytes of lines that say nothing; blanks before a comment are the slow way's business.
_SILENT = np.zeros(256, dtype=np.bool_)
_SILENT_BYTES = frozenset(b"\n#;")
_SILENT[list(_SILENT_BYTES)] = True

_FEED = ord("\n")
_MAX_DIGIT = np.uint8(9)
_MAX_WIDTH = 3
_MAX_OCTET = 255
_NONE_UNREAD = np.empty((0, 3), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Scan:
    """What one block holds: `first` and `last` (None: all are single), how many lines, and those that were not read.

    `unread`: shape (n, 3), without empty lines and comments: index of the line in the block, where it begins, where it ends
    (its line feed).
    """

    first: Addresses
    last: Addresses | None
    lines: int
    unread: Positions


def scan_bare(block: bytes) -> tuple[Addresses, Addresses | None] | None:
    """First and last addresses of a block of lines that are an address or a network each, and nothing else; None for others."""
    text = np.frombuffer(block, dtype=np.uint8)
    digits, mask, at = _digits_of(text)
    return read_bare(text, digits, mask, at)


def _digits_of(text: Octets) -> tuple[Octets, Octets, Positions]:
    """The value of each digit, else 0; all bits of a digit, none of anything else; where the other bytes are."""
    digits = text - np.uint8(ord("0"))  # wraps: whatever is no digit becomes more than 9
    other = digits > _MAX_DIGIT
    mask = other.view(np.uint8) - np.uint8(1)
    digits &= mask
    return digits, mask, np.flatnonzero(other)


def scan(block: bytes, longest: int) -> Scan:
    """Read a block that ends with a line feed. Lines of more than `longest` bytes are left unread."""
    text = np.frombuffer(block, dtype=np.uint8)
    if b"." not in block:
        return _scan_without_quads(text)
    digits, mask, at = _digits_of(text)
    begin = _preamble(block)
    known = int(at.searchsorted(begin)) if begin else 0
    bare = read_bare(text[begin:], digits[begin:], mask[begin:], at[known:] - begin if begin else at)
    if bare is not None:
        first, last = bare
        return Scan(first, last, block.count(b"\n", 0, begin) + len(first), _NONE_UNREAD)
    return _scan_lines(text, _marks_of(text, digits, mask, at), longest)


def _scan_without_quads(text: Octets) -> Scan:
    ends = np.flatnonzero(text == _FEED)
    starts = np.concatenate([[0], ends[:-1] + 1])
    unread = np.flatnonzero(~_SILENT[text[starts]])
    return Scan(no_addresses(Family.IPV4), None, len(ends), np.column_stack([unread, starts[unread], ends[unread]]))


def _preamble(block: bytes) -> int:
    """How many bytes of the block are comments and empty lines before the first line that is none."""
    at = 0
    while at < len(block) and block[at] in _SILENT_BYTES:
        at = block.index(b"\n", at) + 1
    return at


@dataclass(frozen=True, slots=True)
class _Marks:
    """Every byte that is no digit: where, which, how many digits precede it, and the number of their last three."""

    at: Positions
    chars: NDArray[np.uint8]
    widths: Positions
    numbers: NDArray[np.uint16]


def _marks_of(text: Octets, digits: Octets, mask: Octets, at: Positions) -> _Marks:
    low, hundreds = digits.copy(), np.zeros_like(digits)
    low[1:] += digits[:-1] * np.uint8(10)
    hundreds[2:] = digits[:-2] & mask[1:-1]
    last = at - 1
    numbers = low.take(last, mode="wrap").astype(np.uint16)
    numbers += hundreds.take(last, mode="wrap") * np.uint16(100)
    return _Marks(at, text.take(at), np.diff(at, prepend=-1) - 1, numbers)


def _scan_lines(text: NDArray[np.uint8], marks: _Marks, longest: int) -> Scan:
    feeds = np.flatnonzero(marks.chars == ord("\n"))
    ends = marks.at[feeds]
    starts = np.concatenate([[0], ends[:-1] + 1])
    heads = np.concatenate([[0], feeds[:-1] + 1])  # the first mark of each line

    read = (feeds - heads >= QUAD_MARKS - 1) & (ends - starts <= longest)
    lines = np.flatnonzero(read)
    head = heads[lines]
    # Of every mark whether it might be the first of an address, then only of those that are the first of a line.
    octets = ((marks.widths - 1).view(np.uint64) < _MAX_WIDTH) & (marks.numbers <= _MAX_OCTET)
    dots = octets & (marks.chars == ord("."))
    good = (dots[:-3] & dots[1:-2] & dots[2:-1] & octets[3:])[head]
    first = joined(marks.numbers[head[:, np.newaxis] + np.arange(QUAD_MARKS)].astype(np.uint8).reshape(-1))

    close = head + (QUAD_MARKS - 1)
    kinds = _TERMS[marks.chars[close]]
    last = None
    slashed = kinds == _SLASH
    if slashed.any():
        host_bits, good_bits = _host_bits(marks, close, slashed)
        good &= good_bits
        first &= ~host_bits
        last = first | host_bits
        close = close + slashed
        kinds = np.where(slashed, _TERMS[marks.chars[close]], kinds)
    tailed = np.flatnonzero(kinds != _END)
    if len(tailed):
        good[tailed] &= _is_mere_text(text, marks, close[tailed], kinds[tailed], feeds[lines[tailed]])

    read[lines[~good]] = False
    read |= _SILENT[text[starts]]
    unread = np.flatnonzero(~read)
    return Scan(
        first[good],
        None if last is None else last[good],
        len(feeds),
        np.column_stack([unread, starts[unread], ends[unread]]) if len(unread) else _NONE_UNREAD,
    )


def _is_mere_text(
    text: NDArray[np.uint8], marks: _Marks, close: Positions, kinds: NDArray[np.uint8], feeds: Positions
) -> NDArray[np.bool_]:
    """Of each address, whether nothing that follows it in its line changes what the line says.

    `close`: the mark behind the address. `kinds`: of these marks. `feeds`: the mark that ends the line.
    """
    at = marks.at[close] + 1
    following = text.take(at, mode="clip")
    spaced = (kinds == _SEPARATOR) & (following == ord(" "))
    if spaced.any():
        at += spaced
        following = text.take(at, mode="clip")
    mere = _WORDS.take(following) & ((kinds == _BLANK) | (kinds == _SEPARATOR))
    number_ends = close + spaced
    number_ends += 1
    # Of a line that ends in a number behind its address, no more has to be known.
    said = np.flatnonzero(
        mere & (number_ends != feeds) & ~(_SILENT.take(following) & ((kinds == _BLANK) | (following == _FEED)))
    )
    if len(said):
        ends = marks.at.take(number_ends[said], mode="clip")
        mere[said] = ~may_say_more(text, at[said], ends) & ~_ends_in_range(text, marks, feeds[said])
    return np.asarray(mere)


def _ends_in_range(text: Octets, marks: _Marks, feeds: Positions) -> NDArray[np.bool_]:
    """Whether a line ends as `-a.b.c.d` or `- a.b.c.d`, as one of a P2P list does whose name begins with an address; or with
    an IPv6 address, which may be the end of such a range.
    """
    found = marks.chars.take(feeds - 1) == ord(".")
    dotted = np.flatnonzero(found)
    if len(dotted):
        last = feeds[dotted]
        before = marks.chars.take(last - QUAD_MARKS)
        is_spaced = (before == ord(" ")) & (marks.chars.take(last - QUAD_MARKS - 1) == ord("-"))
        found[dotted] = (before == ord("-")) | is_spaced
    if not bool((marks.chars == ord(":")).any()):
        return np.asarray(found)
    ends = marks.at.take(feeds)
    # A group has at most four digits; `:00` is the end of a time.
    colons = [text.take(ends - place) == ord(":") for place in range(1, 6)]
    others = colons[0] | colons[1] | colons[3] | colons[4]
    return np.asarray(found | others)


def _host_bits(marks: _Marks, close: Positions, slashed: NDArray[np.bool_]) -> tuple[Addresses, NDArray[np.bool_]]:
    """For each line the host bits of its network, none for a single address; and whether the prefix length is one."""
    # There is always a mark after the slash, if only the line feed.
    widths, bits = marks.widths[close + slashed], marks.numbers[close + slashed]
    good = ~slashed | ((widths >= 1) & (widths <= MAX_BITS_WIDTH) & (bits <= MAX_BITS))
    return HOST_BITS[np.where(good & slashed, bits, MAX_BITS)], good
