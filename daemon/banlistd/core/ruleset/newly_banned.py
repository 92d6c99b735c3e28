"""Which connections a change bans that were not banned before: they end. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import are_in
from banlistd.core.addresses.sets import Addresses, Ranges, from_numbers
from banlistd.core.ruleset.diff import Change, MapChange
from banlistd.core.ruleset.state import Hook, MapEntries, scopes_of_hooks
from banlistd.model import Family, ServiceEndpoint
from banlistd.scopes.scope import Scope

_BLOCKING = frozenset({Hook.IN, Hook.OUT})

_NUMBERS: Mapping[str, int] = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58, "esp": 50, "ah": 51, "gre": 47}
"""Of SCOPE_PROTOCOLS, by IANA."""


NAT64, PREFIX_6TO4 = 0x0064_FF9B, 0x2002
"""64:ff9b::/96 (RFC 6052) has an IPv4 address in its last 32 bits, 2002::/16 (RFC 3056) behind these 16."""


@dataclass(frozen=True, slots=True, eq=False)
class PacketEnds:
    """Where packets of one direction of connections come from and go to, as they arrive. Shapes (n,); ports are `uint16`."""

    source: Addresses
    target: Addresses
    source_port: NDArray[np.uint16]
    target_port: NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class TrackedConnections:
    """Connections of one family. `there`: of the packets of the end that began it; `back`: of the answers. With NAT these are
    not the same addresses. `protocol`: the number of IANA, `uint8`. `related`: whether another connection has announced it.
    """

    family: Family
    protocol: NDArray[np.uint8]
    there: PacketEnds
    back: PacketEnds
    related: NDArray[np.bool_]


def bans_any(change: Change) -> bool:
    """Whether a change adds elements that may end connections."""
    return any(True for _ in _additions([change]))


def families_banned(changes: Sequence[Change]) -> Sequence[Family]:
    """Those of the elements that may end connections."""
    return sorted({item.map.family for item, _ in _additions(changes)})


def bans_any_ipv4(changes: Sequence[Change]) -> bool:
    """Whether some of these elements are IPv4 addresses that rules look for within the source of an IPv6 packet."""
    return any(item.map.family is Family.IPV4 and not item.map.hook.outward for item, _ in _additions(changes))


def newly_banned(
    changes: Sequence[Change],
    answers: Sequence[ServiceEndpoint],
    tracked: TrackedConnections,
    allowed: Ranges | None = None,
    *,
    translates: bool = False,
) -> NDArray[np.bool_]:
    """For each connection whether one of the changes bans packets of it that were not banned before.

    What is allowed, protected or reserved is in no element. The addresses of `answers` are in elements, but this host talks to
    them: their connections stay. Packets are compared as the rules do: by their source as they arrive; with direction out by
    their destination, before NAT where this host sends them and after it where it forwards them. `translates`: rules also look
    for the IPv4 address within the source of an IPv6 packet, unless that source is `allowed` (IPv6) itself.
    """
    chosen = np.zeros(len(tracked.protocol), dtype=np.bool_)
    hosts = from_numbers(tracked.family, sorted({one.address for one in answers if one.family is tracked.family}))
    for item, scope in _additions(changes):
        is_within = translates and tracked.family is Family.IPV6 and not item.map.hook.outward
        if item.map.family is not tracked.family and not is_within:
            continue
        of_protocol = True if scope is None else _of_protocol(scope, tracked)
        for addresses, ports in _looked_up(item, scope, tracked):
            if item.map.family is tracked.family:
                banned = are_in(addresses, item.add.first, item.add.last)
            else:
                banned = _ipv4_is_in(addresses, item.add)
                banned &= True if allowed is None else ~allowed.contains(addresses)
            banned &= ~are_in(addresses, hosts, hosts)
            chosen |= banned & of_protocol & (True if scope is None else _to_ports(scope, ports))
    return chosen


def _ipv4_is_in(addresses: Addresses, entries: MapEntries) -> NDArray[np.bool_]:
    """For each IPv6 address whether it is of NAT64 or 6to4, and has an IPv4 address of the entries within."""
    words = np.ascontiguousarray(addresses).view(">u4").reshape(-1, 4)
    first = words[:, 0].astype(np.uint32)
    at = np.flatnonzero((first == NAT64) | (first >> 16 == PREFIX_6TO4))
    found = np.zeros(len(addresses), dtype=np.bool_)
    if len(at):
        some = words[at].astype(np.uint32)
        is_6to4 = some[:, 0] != NAT64
        ipv4 = np.where(is_6to4, some[:, 0] << 16 | some[:, 1] >> 16, some[:, 3])
        found[at] = (is_6to4 | ((some[:, 1] | some[:, 2]) == 0)) & are_in(ipv4, entries.first, entries.last)
    return found


def _additions(changes: Sequence[Change]) -> Iterator[tuple[MapChange, Scope | None]]:
    """The maps with new elements that block, and their scope.

    No connection knows its interface: of a scope that asks for one it cannot be said whether a connection is in it.
    """
    for change in changes:
        scopes = scopes_of_hooks(change.sources)
        for item in change.maps:
            scope = scopes.get(item.map.hook)
            blocks = item.map.hook in _BLOCKING or (scope is not None and not (scope.interfaces or scope.except_interfaces))
            if blocks and len(item.add):
                yield item, scope


def _is_asked(item: MapChange, scope: Scope | None, back: bool, target: bool) -> bool:
    """Whether the rules of a map look for its addresses at this end of some packet.

    Of a direction they see the source as it arrives. With direction out they see a destination before NAT, or after it: that is
    the source of the other direction.
    """
    only_new = scope is not None and scope.only_new
    if item.map.hook.outward:
        return back != target if only_new else True
    return not target and not (back and only_new)


def _looked_up(
    item: MapChange, scope: Scope | None, tracked: TrackedConnections
) -> Iterator[tuple[Addresses, NDArray[np.uint16]]]:
    """The addresses that rules look for in a map, and the port that the same packets are addressed to."""
    for back, ends in ((False, tracked.there), (True, tracked.back)):
        if _is_asked(item, scope, back, target=False):
            yield ends.source, ends.source_port if item.map.hook.outward else ends.target_port
        if _is_asked(item, scope, back, target=True):
            yield ends.target, ends.target_port


def _of_protocol(scope: Scope, tracked: TrackedConnections) -> NDArray[np.bool_]:
    numbers = np.array([_NUMBERS[name] for name in scope.protocols], dtype=np.uint8)
    found = np.isin(tracked.protocol, numbers) if scope.protocols else np.ones(len(tracked.protocol), dtype=np.bool_)
    return found & ~tracked.related if scope.only_new else found


def _to_ports(scope: Scope, ports: NDArray[np.uint16]) -> NDArray[np.bool_]:
    if not scope.ports:
        return np.ones(len(ports), dtype=np.bool_)
    first, last = (np.array([span[end] for span in scope.ports], dtype=np.uint16) for end in (0, 1))
    return are_in(ports, first, last)
