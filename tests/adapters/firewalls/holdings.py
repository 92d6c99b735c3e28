"""Rosters, contents and holdings for tests of the firewalls."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from banlistd.core.addresses.sets import FAMILIES, AddressSet, from_numbers
from banlistd.core.ruleset.diff import Change, MapChange
from banlistd.core.ruleset.plan import plan
from banlistd.core.ruleset.state import FirewallState, Hook, Kind, MapId
from banlistd.model import (
    Action,
    AnswerPort,
    ContentHash,
    Direction,
    Family,
    Mark,
    Marker,
    PolicyHash,
    ServiceEndpoint,
    SourceId,
    SourceSlot,
)

HOSTS4 = MapId(Hook.IN, Kind.HOSTS, Family.IPV4)
NETS4 = MapId(Hook.IN, Kind.NETS, Family.IPV4)


def owner(mark: int, source_id: str, action: Action = Action.DROP, direction: Direction = Direction.IN) -> SourceSlot:
    return SourceSlot(Mark(mark), SourceId(source_id), action, direction)


ALPHA = owner(1, "alpha")
BETA = owner(2, "beta", Action.REJECT)
DROP = owner(3, "drop")  # a word of nft's language
LOGGED = owner(4, "logged", Action.LOG)
COUNTED = owner(5, "counted", Action.COUNT, Direction.OUT)
BOTH = owner(6, "both", Action.DROP, Direction.BOTH)


def addresses(*texts: str) -> AddressSet:
    """A set of networks in the usual notation."""
    networks = [ipaddress.ip_network(text) for text in texts]
    columns = []
    for version, family in ((4, Family.IPV4), (6, Family.IPV6)):
        chosen = [network for network in networks if network.version == version]
        columns += [from_numbers(family, [int(network[at]) for network in chosen]) for at in (0, -1)]
    return AddressSet.of(*columns)


def services(*texts: str) -> tuple[ServiceEndpoint, ...]:
    """Each as `192.0.2.53 udp 53`."""
    found = []
    for text in texts:
        address, protocol, port = text.split()
        number = ipaddress.ip_address(address)
        family = Family.IPV4 if number.version == 4 else Family.IPV6
        found.append(ServiceEndpoint(family, int(number), AnswerPort(protocol, int(port))))
    return tuple(sorted(found))


def state(
    sources: Sequence[SourceSlot],
    contents: Mapping[str, AddressSet],
    allowed: Iterable[str] = (),
    content_hash: str = "a" * 64,
    answers: Sequence[ServiceEndpoint] = (),
) -> FirewallState:
    passing = addresses(*allowed)
    ranges = {family: passing.ranges(family) for family in FAMILIES}
    markers = [
        Marker(owner.mark, owner.source_id, ContentHash(content_hash), PolicyHash("0123456789abcdef"))
        for owner in sources
        if owner.source_id in contents
    ]
    by_source = {SourceId(source_id): content for source_id, content in contents.items()}
    return plan(sources, by_source, ranges, ranges, markers, answers)


def change_of(held: FirewallState, *maps: MapChange) -> Change:
    """A change that touches only maps."""
    return Change(held.sources, reshape=False, replace=False, maps=maps, allowed=None, markers=(), retired=())


MIXED = addresses("198.51.100.1", "203.0.113.0/24", "1.0.0.0/8", "2001:db8::1", "2001:db8:1::/48", "255.0.0.0/8", "ffff::/16")


def large(turn: int) -> FirewallState:
    """One of two states that differ in a third of 60,000 hosts, and in networks of both families."""
    hosts = np.arange(60_000, dtype=np.uint32) * np.uint32(3) + np.uint32(2**24)
    hosts[40_000:] += np.uint32(turn)
    nets = np.arange(1_000, dtype=np.uint32) * np.uint32(4096) + np.uint32(2**30)
    nets[800:] += np.uint32(256 * turn)
    first6 = from_numbers(Family.IPV6, [(0x2A00_0000 + number) << 96 for number in range(turn, 1_000 + turn)])
    last6 = from_numbers(Family.IPV6, [((0x2A00_0001 + number) << 96) - 1 for number in range(turn, 1_000 + turn)])
    every, ends = np.concatenate([hosts, nets]), np.concatenate([hosts, nets + np.uint32(255)])
    return state([ALPHA], {"alpha": AddressSet.of(every, ends, first6, last6)}, content_hash=f"{turn:064x}")
