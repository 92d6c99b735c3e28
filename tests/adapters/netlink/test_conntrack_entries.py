"""Entries of connections as arrays: what they say is what each of them says by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from banlistd.adapters.netlink.conntrack_entries import (
    CTA_ID,
    CTA_STATUS,
    CTA_TUPLE_ORIG,
    CTA_TUPLE_REPLY,
    CTA_ZONE,
    ConnectionEntries,
)
from banlistd.adapters.netlink.messages import HEADER, NFGENMSG, attribute, attributes, framed, nested
from banlistd.core.addresses.sets import FAMILIES, from_numbers
from banlistd.core.ruleset.newly_banned import PacketEnds
from banlistd.model import Family

NUMBERS = {Family.IPV4: 2, Family.IPV6: 10}
KIND = 1 << 8
WITH_PORTS, ICMP, ESP = (6, 17, 132), 1, 50

Tuple = tuple[int, int, int, int]
"""Source and destination, with the port of each."""


@dataclass(frozen=True)
class Entry:
    family: Family
    protocol: int
    there: Tuple
    back: Tuple
    zone: int | None
    status: int
    identity: int

    def message(self) -> bytes:
        zone = [] if self.zone is None else [attribute(CTA_ZONE, pack("!H", self.zone))]
        parts = [
            nested(CTA_TUPLE_ORIG, *self._parts(self.there)),
            nested(CTA_TUPLE_REPLY, *self._parts(self.back)),
            *zone,
            attribute(CTA_STATUS, pack("!I", self.status)),
            attribute(CTA_ID, pack("!I", self.identity)),
        ]
        return framed(KIND, 0, 1, NFGENMSG.pack(NUMBERS[self.family], 0, 0) + b"".join(parts))

    def name(self) -> bytes:
        zone = b"" if self.zone is None else attribute(CTA_ZONE, pack("!H", self.zone))
        there = nested(CTA_TUPLE_ORIG, *self._parts(self.there))
        return NFGENMSG.pack(NUMBERS[self.family], 0, 0) + there + attribute(CTA_ID, pack("!I", self.identity)) + zone

    def _parts(self, ends: Tuple) -> Sequence[bytes]:
        source, target, source_port, target_port = ends
        octets, first = (4, 1) if self.family is Family.IPV4 else (16, 3)
        where = nested(1, *(attribute(first + at, end.to_bytes(octets, "big")) for at, end in enumerate((source, target))))
        what = [attribute(1, bytes((self.protocol,)))]
        if self.protocol in WITH_PORTS:
            what += [attribute(2, pack("!H", source_port)), attribute(3, pack("!H", target_port))]
        elif self.protocol == ICMP:
            what += [attribute(4, pack("!H", source_port)), attribute(5, b"\x08"), attribute(6, b"\0")]
        return where, nested(2, *what)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    family = draw(st.sampled_from(FAMILIES))
    address, port = st.integers(0, 2 ** (32 if family is Family.IPV4 else 128) - 1), st.integers(0, 2**16 - 1)
    ends = st.tuples(address, address, port, port)
    number = st.integers(0, 2**32 - 1)
    protocol = st.sampled_from((*WITH_PORTS, ICMP, ESP))
    return Entry(family, draw(protocol), draw(ends), draw(ends), draw(st.none() | port), draw(number), draw(number))


def block_of(messages: Sequence[bytes]) -> tuple[bytes, np.typing.NDArray[np.int64]]:
    sizes = [len(message) for message in messages]
    return b"".join(messages), np.cumsum([0, *sizes[:-1]], dtype=np.int64)[: len(messages)]


@given(st.lists(entries(), max_size=20))
def test_the_arrays_say_what_each_entry_says(given_entries: list[Entry]) -> None:
    for family in FAMILIES:
        mine = [entry for entry in given_entries if entry.family is family]
        found = ConnectionEntries(family, *block_of([entry.message() for entry in given_entries]))
        assert len(found) == len(mine)
        tracked = found.connections
        assert tracked.protocol.tolist() == [entry.protocol for entry in mine]
        assert tracked.related.tolist() == [bool(entry.status & 1) for entry in mine]
        assert found.answered().tolist() == [entry.status & 6 == 6 for entry in mine]
        for ends, wanted in ((tracked.there, [each.there for each in mine]), (tracked.back, [each.back for each in mine])):
            assert_same(family, ends, wanted, [entry.protocol in WITH_PORTS for entry in mine])
        odd = np.arange(len(mine)) % 2 == 1
        assert found.names(odd) == [entry.name() for entry in mine[1::2]]


def assert_same(family: Family, ends: PacketEnds, wanted: Sequence[Tuple], has_ports: Sequence[bool]) -> None:
    for place, addresses in ((0, ends.source), (1, ends.target)):
        assert addresses.tolist() == from_numbers(family, [each[place] for each in wanted]).tolist()
    for place, ports in ((2, ends.source_port), (3, ends.target_port)):
        assert ports.tolist() == [each[place] if has else 0 for each, has in zip(wanted, has_ports, strict=True)]


@given(st.lists(st.binary(max_size=120), min_size=1, max_size=6), st.data())
def test_entries_that_are_none_are_left_out(payloads: list[bytes], data: st.DataObject) -> None:
    """Whatever a message has: nothing is read outside of the data, and only whole entries are named."""
    entry = data.draw(entries())
    cut = entry.message()[: data.draw(st.integers(HEADER.size, len(entry.message()) - 1)) & ~3]
    messages = [framed(KIND, 0, 1, payload + bytes(-len(payload) % 4)) for payload in payloads]
    messages.append(framed(KIND, 0, 1, cut[HEADER.size :]))
    for family in FAMILIES:
        found = ConnectionEntries(family, *block_of(messages))
        for name in found.names(np.ones(len(found), dtype=np.bool_)):
            assert attributes(name[NFGENMSG.size :])[CTA_TUPLE_ORIG]  # without it, all connections would end
