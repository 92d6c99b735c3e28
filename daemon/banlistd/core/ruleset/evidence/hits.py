"""Hits: which flow met which entry of which version of a list. Samples of one flow are one hit. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from banlistd.core.addresses.sets import AddressSet, from_numbers, to_number
from banlistd.core.ruleset.evidence.packets import SampledPacket
from banlistd.core.ruleset.protection import translated_from
from banlistd.model import ContentHash, Direction, Family, SourceId, Span


@dataclass(frozen=True, slots=True)
class Meeting:
    """What samples have in common that are one hit. Addresses are integers of `family`.

    `address`: the listed end of the flow, `peer`: the other. `port`: the destination's, None where there is none.
    `content_hash`: of the content in force; None where the source has none any more. `entry`: the addresses of the entry, which
    are of IPv4 where an IPv6 address contains one (NAT64, 6to4); None where the content in force lacks it already.
    """

    source_id: SourceId
    direction: Direction
    family: Family
    address: int
    peer: int
    protocol: int
    port: int | None
    content_hash: ContentHash | None
    entry: Span | None


@dataclass(frozen=True, slots=True)
class FlowHit:
    """A meeting, how often it was sampled, and when first and last (seconds since the epoch).

    `run_id`: of the import run that brought the content, 0 where there is none. `source_port`: of the newest sample.
    `id`: of a hit that is stored.
    """

    meeting: Meeting
    samples: int
    first_at: float
    last_at: float
    source_port: int | None
    run_id: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class HitChoice:
    """Which hits are asked for: of a source, of a listed address or network, or all; and those that come after a hit.

    `before`: `last_at` and `id` of that hit.
    """

    source_id: SourceId | None = None
    span: Span | None = None
    before: tuple[float, int] | None = None


@dataclass(frozen=True, slots=True)
class HitCount:
    """Of one source: the hits that are stored, their samples, and how many listed addresses they have."""

    hits: int
    samples: int
    addresses: int


class HitBounds(Protocol):
    """What bounds the hits that are stored, as the section `hits:` of the configuration has it."""

    @property
    def keep(self) -> float:
        """Seconds after which a hit is forgotten."""

    @property
    def rows(self) -> int:
        """The most that are kept; the oldest go first."""


@dataclass
class Gathered:
    """Hits that are not written yet, at most `room` different ones. `lost`: samples of others."""

    room: int
    hits: dict[Meeting, FlowHit] = field(default_factory=dict)
    lost: int = 0

    def add(self, meeting: Meeting, source_port: int | None, now: float) -> None:
        before = self.hits.get(meeting)
        if before is not None:
            self.hits[meeting] = replace(before, samples=before.samples + 1, last_at=now, source_port=source_port)
        elif len(self.hits) < self.room:
            self.hits[meeting] = FlowHit(meeting, 1, now, now, source_port)
        else:
            self.lost += 1


def meeting_of(packet: SampledPacket, content: tuple[ContentHash, AddressSet] | None) -> Meeting:
    """`content`: that of the source in force, None where it has none."""
    flow = packet.flow
    content_hash, addresses = content or (None, AddressSet.none())
    return Meeting(
        packet.source_id,
        packet.direction,
        flow.family,
        packet.listed,
        packet.peer,
        flow.protocol,
        flow.destination_port,
        content_hash,
        _entry(addresses, packet),
    )


def _entry(addresses: AddressSet, packet: SampledPacket) -> Span | None:
    family, listed = packet.flow.family, packet.listed
    found = entry_with(addresses, family, listed)
    if found is None and family is Family.IPV6 and packet.direction is Direction.IN:
        within = translated_from(listed)
        found = None if within is None else entry_with(addresses, Family.IPV4, within)
    return found


def entry_with(addresses: AddressSet, family: Family, number: int) -> Span | None:
    """The entry of a list that contains an address."""
    nets, needle = addresses.nets(family), from_numbers(family, [number])
    if nets.contains(needle)[0]:
        at = int(nets.first.searchsorted(needle[0], side="right")) - 1
        return family, to_number(nets.first[at]), to_number(nets.last[at])
    return (family, number, number) if addresses.contains(family, number) else None


PROTOCOLS: Mapping[int, str] = {
    1: "icmp",
    2: "igmp",
    6: "tcp",
    17: "udp",
    33: "dccp",
    41: "ipv6",
    47: "gre",
    50: "esp",
    51: "ah",
    58: "icmpv6",
    132: "sctp",
    136: "udplite",
}
"""Names of protocols (IANA); others are written as numbers."""
