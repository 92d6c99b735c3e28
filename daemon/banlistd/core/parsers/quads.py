"""Lines that begin with a dotted quad or an IPv4 network, read many at a time with arrays. All other lines are only named.

What is read here is a part of what `plain.span_of_line` reads, and means the same: a test holds the two against each other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses import Addresses

Positions = NDArray[np.int64]

# Three dots and a line feed, as they lie in memory, read as one little-endian word.
_DOTS_AND_LINE_FEED = np.uint32(int.from_bytes(b"...\n", "little"))

_OTHER, _END, _BLANK, _SLASH = range(4)
_TERMS = np.full(256, _OTHER, dtype=np.uint8)
_TERMS[list(b"\n,;#|")] = _END
_TERMS[list(b" \t")] = _BLANK
_TERMS[ord("/")] = _SLASH

# What may stand after one blank for the rest of the line to be mere words: visible ASCII, but no dash, which makes a range.
_WORDS = np.zeros(256, dtype=np.bool_)
_WORDS[0x21:0x7F] = True
_WORDS[ord("-")] = False
_WORDS[ord("\n")] = True

# The first bytes of lines that say nothing; blanks before a comment are the slow way's business.
_SILENT = np.zeros(256, dtype=np.bool_)
_SILENT[list(b"\n#;")] = True

_HOST_BITS = np.array([(1 << (32 - bits)) - 1 for bits in range(33)], dtype=np.uint32)
_MAX_DIGIT = np.uint8(9)
_MAX_WIDTH = 3
_MAX_OCTET = 255
_MAX_BITS_WIDTH = 2
_MAX_BITS = 32
_QUAD_MARKS = 4
_NONE_UNREAD = np.empty((0, 3), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Scan:
    """What one block holds: `first` and `last` (None: all are single), and the lines that were not read.

    `unread`: shape (n, 3), without empty lines and comments: index of the line in the block, where it begins, where it ends
    (its line feed).
    """

    first: Addresses
    last: Addresses | None
    unread: Positions


def scan(block: bytes, longest: int) -> Scan:
    """Read a block that ends with a line feed. Lines of more than `longest` bytes are left unread."""
    text = np.frombuffer(block, dtype=np.uint8)
    digits = text - np.uint8(ord("0"))  # wraps: whatever is no digit becomes more than 9
    other = digits > _MAX_DIGIT
    marks = np.flatnonzero(other)
    chars = text.take(marks)
    widths = np.diff(marks, prepend=-1) - 1
    digits *= ~other
    numbers = _numbers_before(marks, digits, other)
    if (
        len(marks) % _QUAD_MARKS == 0
        and bool((chars.view("<u4") == _DOTS_AND_LINE_FEED).all())
        and int(widths.min()) >= 1
        and int(widths.max()) <= _MAX_WIDTH
        and int(numbers.max()) <= _MAX_OCTET
    ):
        return Scan(_joined(numbers.reshape(-1, _QUAD_MARKS)), None, _NONE_UNREAD)
    return _scan_lines(text, _Marks(marks, chars, widths, numbers), longest)


@dataclass(frozen=True, slots=True)
class _Marks:
    """Every byte that is no digit: where, which, how many digits stand before it, and the number of their last three."""

    at: Positions
    chars: NDArray[np.uint8]
    widths: Positions
    numbers: NDArray[np.uint16]


def _numbers_before(
    marks: Positions, digits: NDArray[np.uint8], other: NDArray[np.bool_]
) -> NDArray[np.uint16]:
    # Summed for every byte, then taken where wanted: streaming beats three scattered reads (35 to 41 ms for a million).
    sums = digits.astype(np.uint16)
    sums[1:] += digits[:-1] * np.uint16(10)
    sums[2:] += digits[:-2] * ~other[1:-1] * np.uint16(100)
    return sums.take(marks - 1, mode="wrap")


def _joined(octets: NDArray[np.uint16]) -> Addresses:
    return np.ascontiguousarray(octets, dtype=np.uint8).view(">u4").reshape(-1).astype(np.uint32)


def _scan_lines(text: NDArray[np.uint8], marks: _Marks, longest: int) -> Scan:
    feeds = np.flatnonzero(marks.chars == ord("\n"))
    ends = marks.at[feeds]
    starts = np.concatenate([[0], ends[:-1] + 1])
    heads = np.concatenate([[0], feeds[:-1] + 1])  # the first mark of each line

    read = (feeds - heads >= _QUAD_MARKS - 1) & (ends - starts <= longest)
    lines = np.flatnonzero(read)
    quads = heads[lines, np.newaxis] + np.arange(_QUAD_MARKS)
    widths, numbers = marks.widths[quads], marks.numbers[quads]
    good = (marks.chars[quads[:, :3]] == ord(".")).all(axis=1)
    good &= ((widths >= 1) & (widths <= _MAX_WIDTH) & (numbers <= _MAX_OCTET)).all(axis=1)
    first = _joined(numbers)

    close = quads[:, 3]
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
    following = text.take(marks.at[close] + 1, mode="clip")
    good &= (kinds == _END) | ((kinds == _BLANK) & _WORDS[following])

    read[lines[~good]] = False
    read |= _SILENT[text[starts]]
    unread = np.flatnonzero(~read)
    return Scan(
        first[good],
        None if last is None else last[good],
        np.column_stack([unread, starts[unread], ends[unread]]) if len(unread) else _NONE_UNREAD,
    )


def _host_bits(
    marks: _Marks, close: Positions, slashed: NDArray[np.bool_]
) -> tuple[Addresses, NDArray[np.bool_]]:
    """For each line the host bits of its network, none for a single address; and whether the prefix length is one."""
    # There is always a mark after the slash, if only the line feed.
    widths, bits = marks.widths[close + slashed], marks.numbers[close + slashed]
    good = ~slashed | ((widths >= 1) & (widths <= _MAX_BITS_WIDTH) & (bits <= _MAX_BITS))
    return _HOST_BITS[np.where(good & slashed, bits, _MAX_BITS)], good
