"""What reading a body comes to, and the basket in which a parser collects it."""

from array import array
from dataclasses import dataclass

import numpy as np

from banlistd.core.addresses import Addresses, AddressSet, subtract
from banlistd.core.hosts import distinct, without
from banlistd.core.parsers.spans import Span
from banlistd.model import Family, Format, Rejected

SAMPLES = 5
SAMPLE_LENGTH = 80
_V4, _V6 = Family.IPV4, Family.IPV6
_Block = tuple[Addresses, Addresses | None]


@dataclass(frozen=True, slots=True)
class Parsed:
    """One body, read.

    `entries4`, `entries6`: distinct entries as they were written, before overlapping ones are merged. `rejected`: lines (of
    a JSON document: values) that should have held an address and did not; `samples`: the first five of them. `looks_like`:
    "html" for a web page, else empty. `form`: how it was read, with everything that was found out by looking at it.
    """

    addresses: AddressSet
    entries4: int
    entries6: int
    rejected: int
    samples: tuple[Rejected, ...]
    lines: int
    looks_like: str
    form: Format

    @property
    def entries(self) -> int:
        return self.entries4 + self.entries6


class Harvest:
    """Collects addresses and rejected lines; grows by 4 bytes an IPv4 address, so that millions fit."""

    __slots__ = ("_blocks", "_excluded", "_first4", "_first6", "_last4", "_last6", "rejected", "samples")

    def __init__(self) -> None:
        self._blocks: dict[Family, list[_Block]] = {_V4: [], _V6: []}
        self._first4, self._last4 = array("I"), array("I")
        self._first6, self._last6 = bytearray(), bytearray()
        self._excluded: list[Span] = []
        self.rejected = 0
        self.samples: list[Rejected] = []

    def add_block(self, family: Family, first: Addresses, last: Addresses | None) -> None:
        """Ranges as arrays; no `last` means single addresses."""
        self._blocks[family].append((first, last))

    def add(self, span: Span) -> None:
        family, first, last = span
        if family is _V4:
            self._first4.append(first)
            self._last4.append(last)
        else:
            self._first6 += first.to_bytes(16, "big")
            self._last6 += last.to_bytes(16, "big")

    def exclude(self, span: Span) -> None:
        """Addresses that the list itself takes out again, wherever else it names them."""
        self._excluded.append(span)

    def reject(self, line: int, text: str, reason: str) -> None:
        self.rejected += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(Rejected(line, printable(text), reason))

    def parsed(self, lines: int, looks_like: str, form: Format) -> Parsed:
        first4, last4 = _columns(
            [*self._blocks[_V4], (np.array(self._first4, dtype=np.uint32), np.array(self._last4, dtype=np.uint32))]
        )
        first6, last6 = _columns(
            [*self._blocks[_V6], (np.frombuffer(self._first6, dtype="S16"), np.frombuffer(self._last6, dtype="S16"))]
        )
        addresses = AddressSet.of(first4, last4, first6, last6)
        entries4 = len(addresses.hosts4) if last4 is None else _distinct_pairs(first4, last4)
        entries6 = len(addresses.hosts6) if last6 is None else _distinct_pairs(first6, last6)
        if self._excluded:
            addresses = _without(addresses, self._excluded)
        return Parsed(addresses, entries4, entries6, self.rejected, tuple(self.samples), lines, looks_like, form)


def _columns(blocks: list[_Block]) -> tuple[Addresses, Addresses | None]:
    firsts = np.concatenate([first for first, _ in blocks])
    if all(last is None or np.array_equal(first, last) for first, last in blocks):
        return firsts, None
    return firsts, np.concatenate([first if last is None else last for first, last in blocks])


def printable(text: str) -> str:
    """The beginning of a foreign text, harmless in a log or on a terminal."""
    return text[:SAMPLE_LENGTH].encode("unicode_escape").decode("ascii")[:SAMPLE_LENGTH]


def _distinct_pairs(first: Addresses, last: Addresses) -> int:
    if not len(first):
        return 0
    if first.dtype == np.uint32:
        return len(distinct(first.astype(np.uint64) << np.uint64(32) | last))
    # As 32 bytes that sort like the pair; sorting is only there to find the equal ones.
    return len(distinct(np.column_stack([first, last]).view("S32").reshape(-1)))


def _without(addresses: AddressSet, excluded: list[Span]) -> AddressSet:
    taken_out = Harvest()
    for span in excluded:
        taken_out.add(span)
    holes = taken_out.parsed(0, "", Format()).addresses
    columns: list[Addresses] = []
    for family in (Family.IPV4, Family.IPV6):
        hole = holes.ranges(family)
        hosts = without(addresses.hosts(family), hole.first, hole.last)
        nets = subtract(addresses.nets(family), hole)
        columns += [np.concatenate([hosts, nets.first]), np.concatenate([hosts, nets.last])]
    return AddressSet.of(*columns)
