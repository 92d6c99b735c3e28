"""What reading a body comes to, and the basket in which a parser collects it."""

from array import array
from dataclasses import dataclass

import numpy as np

from banlistd.core.addresses.arrays import distinct, without
from banlistd.core.addresses.sets import Addresses, AddressSet, no_addresses, subtract
from banlistd.core.addresses.timed import NEVER, TimedEntries, spread
from banlistd.core.feeds.parsed_list import SAMPLES, sample_text
from banlistd.formats import Format
from banlistd.model import Family, Rejected, Span

_V4, _V6 = Family.IPV4, Family.IPV6


@dataclass(frozen=True, slots=True)
class Parsed:
    """One body, read.

    `entries4`, `entries6`: distinct entries as they were written, before overlapping ones are merged. `rejected`: lines (of
    a JSON document: values) that should have had an address and did not; `samples`: the first five of them. `looks_like`:
    "html" for a web page, else empty. `form`: how it was read, with everything that was found out by looking at it.
    `timed`: every entry with its end, where some of them end.
    """

    addresses: AddressSet
    entries4: int
    entries6: int
    rejected: int
    samples: tuple[Rejected, ...]
    lines: int
    looks_like: str
    form: Format
    timed: TimedEntries | None = None

    @property
    def entries(self) -> int:
        return self.entries4 + self.entries6


class _Column:
    """First and last addresses of one family, one block behind the other; no `last` while all are single."""

    __slots__ = ("_capacity", "_count", "_first", "_last")

    def __init__(self, family: Family, capacity: int) -> None:
        self._capacity = capacity
        self._first = no_addresses(family)
        self._last: Addresses | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, first: Addresses, last: Addresses | None) -> None:
        if not len(first):
            return
        if not self._count:
            # Pages of it that are never written to cost nothing. Blocks that waited to be joined would leave 4 MB of holes in
            # the heap for each million addresses, and need as much again while they are joined.
            self._first = np.empty(self._capacity, dtype=self._first.dtype)
        count, self._count = self._count, self._count + len(first)
        if self._count > len(self._first):
            self._first = _grown(self._first, count, self._count)
            self._last = _grown(self._last, count, self._count) if self._last is not None else None
        if last is not None and self._last is None:
            self._last = np.empty_like(self._first)
            self._last[:count] = self._first[:count]
        self._first[count : self._count] = first
        if self._last is not None:
            self._last[count : self._count] = first if last is None else last

    def ends(self) -> tuple[Addresses, Addresses | None]:
        """All of it. What was not needed goes back to the system, and nothing is copied."""
        first, last = self._first, self._last
        first.resize(self._count, refcheck=False)
        if last is not None:
            last.resize(self._count, refcheck=False)
        return first, None if last is None or np.array_equal(first, last) else last


def _grown(column: Addresses, count: int, wanted: int) -> Addresses:
    grown = np.empty(max(wanted, 2 * len(column)), dtype=column.dtype)
    grown[:count] = column[:count]
    return grown


class Harvest:
    """Collects addresses and rejected lines; grows by 4 bytes an IPv4 address, so that millions fit.

    `capacity`: room for so many entries that come in arrays; more fit as well. `lines`: how many lines the parser counted.
    """

    __slots__ = (
        *("_columns", "_excluded", "_first4", "_first6", "_last4", "_last6", "_points4", "_points6", "_untils"),
        *("lines", "rejected", "samples"),
    )

    def __init__(self, capacity: int = 0) -> None:
        self._columns = {family: _Column(family, capacity) for family in (_V4, _V6)}
        self._first4, self._last4 = array("I"), array("I")
        self._first6, self._last6 = bytearray(), bytearray()
        self._excluded: Harvest | None = None
        self._points4, self._points6, self._untils = array("Q"), array("Q"), array("Q")
        self.lines = 0
        self.rejected = 0
        self.samples: list[Rejected] = []

    def add_block(self, family: Family, first: Addresses, last: Addresses | None) -> None:
        """Ranges as arrays; no `last` means single addresses."""
        self._columns[family].add(first, last)

    def add(self, span: Span) -> None:
        family, first, last = span
        if family is _V4:
            self._first4.append(first)
            self._last4.append(last)
        else:
            self._first6 += first.to_bytes(16, "big")
            self._last6 += last.to_bytes(16, "big")

    def end_at(self, until: int) -> None:
        """What is added from here on ends then, in seconds since the epoch. Without a call nothing ends."""
        if until != (self._untils[-1] if self._untils else NEVER):
            self._points4.append(len(self._first4))
            self._points6.append(len(self._first6) // 16)
            self._untils.append(until)

    @property
    def entries(self) -> int:
        """How many were added, those that are there twice too."""
        return sum(len(column) for column in self._columns.values()) + len(self._first4) + len(self._first6) // 16

    def exclude(self, span: Span) -> None:
        """Addresses that the list itself takes out again, wherever else it names them."""
        if self._excluded is None:
            self._excluded = Harvest()
        self._excluded.add(span)

    def reject(self, line: int, text: str, reason: str) -> None:
        self.rejected += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(Rejected(line, sample_text(text), reason))

    def take_over(self, other: "Harvest") -> None:
        """All that another one has collected, in place of what this one has."""
        for slot in self.__slots__:
            setattr(self, slot, getattr(other, slot))

    def parsed(self, lines: int, looks_like: str, form: Format) -> Parsed:
        self.add_block(_V4, np.array(self._first4, dtype=np.uint32), np.array(self._last4, dtype=np.uint32))
        self.add_block(_V6, np.frombuffer(self._first6, dtype="S16"), np.frombuffer(self._last6, dtype="S16"))
        (first4, last4), (first6, last6) = (self._columns[family].ends() for family in (_V4, _V6))
        timed = self._timed(first4, last4, first6, last6) if self._untils else None
        addresses = AddressSet.of(first4, last4, first6, last6)
        entries4 = len(addresses.hosts4) if last4 is None else _distinct_pairs(first4, last4)
        entries6 = len(addresses.hosts6) if last6 is None else _distinct_pairs(first6, last6)
        if self._excluded is not None:
            addresses = _without(addresses, self._excluded.parsed(0, "", form).addresses)
        return Parsed(addresses, entries4, entries6, self.rejected, tuple(self.samples), lines, looks_like, form, timed)

    def _timed(self, first4: Addresses, last4: Addresses | None, first6: Addresses, last6: Addresses | None) -> TimedEntries:
        """What came in arrays is before what came one by one, and does not end."""
        blocks4, blocks6 = len(first4) - len(self._first4), len(first6) - len(self._first6) // 16
        until4 = spread([blocks4 + point for point in self._points4], self._untils, len(first4))
        until6 = spread([blocks6 + point for point in self._points6], self._untils, len(first6))
        ends4, ends6 = first4 if last4 is None else last4, first6 if last6 is None else last6
        return TimedEntries(first4, ends4, until4, first6, ends6, until6)


def _distinct_pairs(first: Addresses, last: Addresses) -> int:
    if not len(first):
        return 0
    if first.dtype == np.uint32:
        return len(distinct(first.astype(np.uint64) << np.uint64(32) | last))
    # As 32 bytes that sort like the pair; sorting is only there to find the equal ones.
    return len(distinct(np.column_stack([first, last]).view("S32").reshape(-1)))


def _without(addresses: AddressSet, holes: AddressSet) -> AddressSet:
    columns: list[Addresses] = []
    for family in (Family.IPV4, Family.IPV6):
        hole = holes.ranges(family)
        hosts = without(addresses.hosts(family), hole.first, hole.last)
        nets = subtract(addresses.nets(family), hole)
        columns += [np.concatenate([hosts, nets.first]), np.concatenate([hosts, nets.last])]
    return AddressSet.of(*columns)
