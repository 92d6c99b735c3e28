"""What the parser process says of a list, in a fixed layout of at most 4 KiB. Nothing in it is trusted, only bounded.

Not JSON and not pickle: the daemon unpacks integers and cut texts, whatever a process that was taken over has written.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from banlistd.core.feeds.completeness import Announced, Unit
from banlistd.core.feeds.parsed_list import LONGEST_NEXT, SAMPLES
from banlistd.model import Rejected


class Status(IntEnum):
    """How a parse ended. What ends without an answer was killed.

    CUT_SHORT: a bad download that may be whole next time. FAULTY: banlistd itself has a fault.
    """

    PARSED = 0
    NOT_A_LIST = 1
    BAD_DOWNLOAD = 2
    OUT_OF_MEMORY = 3
    RESULT_TOO_LARGE = 4
    NOT_CONFINED = 5
    CUT_SHORT = 6
    FAULTY = 7


@dataclass(frozen=True, slots=True)
class Answer:
    """`hosts4` to `nets6`: elements of the arrays in the result file; `timed4`, `timed6`: rows of entries with their ends,
    behind them. The other figures are those of `ParsedList`.

    `message`, `hint`: why there is no list, for `status` other than PARSED.
    """

    status: Status
    hosts4: int = 0
    nets4: int = 0
    hosts6: int = 0
    nets6: int = 0
    entries: int = 0
    rejected: int = 0
    data_lines: int = 0
    is_html: bool = False
    said: Announced | None = None
    samples: tuple[Rejected, ...] = ()
    message: str = ""
    hint: str = ""
    next_page: str = ""
    timed4: int = 0
    timed6: int = 0

    @property
    def octets(self) -> int:
        """How large the result file must be."""
        addresses = 4 * (self.hosts4 + 2 * self.nets4) + 16 * (self.hosts6 + 2 * self.nets6)
        return addresses + 12 * self.timed4 + 36 * self.timed6


_TEXT = 240
_SAMPLE = struct.Struct("<Q84s84s")
_HEAD = struct.Struct(f"<B9Q?qB?{_TEXT}s{_TEXT}sB{LONGEST_NEXT}s")
_COUNTS = ("hosts4", "nets4", "hosts6", "nets6", "entries", "rejected", "data_lines", "timed4", "timed6")
_UNITS = (Unit.ENTRIES, Unit.ADDRESSES)

ANSWER_SIZE = _HEAD.size + SAMPLES * _SAMPLE.size
"""Bytes; every answer has this size."""


def encoded_answer(answer: Answer) -> bytes:
    said = answer.said
    head = _HEAD.pack(
        answer.status,
        answer.hosts4,
        answer.nets4,
        answer.hosts6,
        answer.nets6,
        answer.entries,
        answer.rejected,
        answer.data_lines,
        answer.timed4,
        answer.timed6,
        answer.is_html,
        said.number if said else -1,
        _UNITS.index(said.unit) if said else 0,
        said.at_end if said else False,
        _cut(answer.message),
        _cut(answer.hint),
        len(answer.samples),
        answer.next_page.encode("utf-8", "replace")[:LONGEST_NEXT],
    )
    samples = [_SAMPLE.pack(one.line, _cut(one.text)[:84], _cut(one.reason)[:84]) for one in answer.samples[:SAMPLES]]
    return (head + b"".join(samples)).ljust(ANSWER_SIZE, b"\0")


def decoded_answer(octets: bytes) -> Answer:
    """Raises ValueError for what is no answer."""
    if len(octets) != ANSWER_SIZE:
        raise ValueError("the answer has another size")
    (status, *counts, is_html, number, unit, trailer, message, hint, count, further) = _HEAD.unpack_from(octets)
    if unit >= len(_UNITS) or count > SAMPLES:
        raise ValueError("the answer makes no sense")
    samples = [_SAMPLE.unpack_from(octets, _HEAD.size + at * _SAMPLE.size) for at in range(count)]
    return Answer(
        Status(status),
        **dict(zip(_COUNTS, counts, strict=True)),
        is_html=is_html,
        said=Announced(number, _UNITS[unit], trailer) if number >= 0 else None,
        samples=tuple(Rejected(line, _printable(text), _printable(reason)) for line, text, reason in samples),
        message=_printable(message),
        hint=_printable(hint),
        next_page=_printable(further),
    )


def _cut(text: str) -> bytes:
    return text.encode("utf-8", "replace")[:_TEXT]


def _printable(octets: bytes) -> str:
    text = octets.rstrip(b"\0").decode("utf-8", "ignore")
    if text.isprintable():  # as nearly all are, and the empty one
        return text
    return "".join(sign if sign.isprintable() else "?" for sign in text)
