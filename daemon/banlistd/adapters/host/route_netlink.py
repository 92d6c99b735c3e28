"""The addresses, gateways and networks of this network namespace, over rtnetlink. Every answer is bounded.

Names are those of linux/rtnetlink.h and linux/if_addr.h.
"""

import os
import re
import socket
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from banlistd.adapters.netlink.dumping import dump_of
from banlistd.adapters.netlink.messages import attribute, attributes, decode_text, text_attribute

NETLINK_ROUTE = 0

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWROUTE, RTM_DELROUTE = 24, 25
RTM_GETROUTE = 26
RTM_GETNEXTHOP = 106

RTM_GETNEIGH = 30
AF_BRIDGE = 7
NTF_SELF = 2
NDA_LLADDR = 2
IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MASTER = 10
IFLA_LINKINFO = 18
IFLA_EXT_MASK = 29
IFLA_XDP = 43
IFLA_XDP_ATTACHED = 2
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
IFLA_BR_NF_CALL_IPTABLES = 36
IFLA_BR_NF_CALL_IP6TABLES = 37
RTEXT_FILTER_SKIP_STATS = 1 << 3
IFLA_IPTUN_REMOTE = 3
IFLA_GRE_REMOTE = 7
IFLA_VTI_REMOTE = 5
IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6 = 2, 16
IFLA_GENEVE_REMOTE, IFLA_GENEVE_REMOTE6 = 2, 7
REMOTES: Mapping[str, Sequence[int]] = {
    **dict.fromkeys(("ipip", "sit", "ip6tnl"), (IFLA_IPTUN_REMOTE,)),
    **dict.fromkeys(("gre", "gretap", "erspan", "ip6gre", "ip6gretap", "ip6erspan"), (IFLA_GRE_REMOTE,)),
    **dict.fromkeys(("vti", "vti6"), (IFLA_VTI_REMOTE,)),
    "vxlan": (IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6),
    "geneve": (IFLA_GENEVE_REMOTE, IFLA_GENEVE_REMOTE6),
}
"""The attributes of a tunnel's data that name its other end, by the kind of the link."""

_TUNNEL = re.compile(b"|".join(re.escape(text_attribute(IFLA_INFO_KIND, kind)) for kind in REMOTES))

IFA_ADDRESS = 1
IFA_LOCAL = 2
RTA_DST = 1
RTA_OIF = 4
RTA_GATEWAY = 5
RTA_MULTIPATH = 9
RTA_VIA = 18
RTA_NH_ID = 30
NHA_ID = 1
NHA_GROUP = 2
NHA_OIF = 5
NHA_GATEWAY = 6

RTM_F_CLONED = 0x200
RTN_UNICAST = 1
RTN_BLACKHOLE = 6
RTN_UNREACHABLE = 7
RTPROT_DHCP = 16

PROOF_LINKS = ("blprove0", "blprove1")
"""The links of `banlistctl prove`, which say nothing of where the rest of the world is."""

LOOPBACK = 1  # the index of `lo` in every network namespace

_OCTETS4 = 4
MULTICAST4, MULTICAST6 = range(224, 240), 0xFF
"""The first octet of the addresses of groups."""

_IFADDRMSG = struct.Struct("=BBBBI")
_IFINFOMSG = struct.Struct("=BxHiII")
_RTMSG = struct.Struct("=BBBBBBBBI")
_NDMSG = struct.Struct("=BxxxiHBB")
_MAC = 6
_RTNEXTHOP = struct.Struct("=HBBi")
_NHMSG = struct.Struct("=BBBBI")
_NEXTHOP_GRP = struct.Struct("=IBBH")
_VERSIONS = (socket.AF_INET, socket.AF_INET6)

_Hop = tuple[int, bytes]
"""The index of an interface, and the gateway there; empty without one."""


class Network(NamedTuple):
    """The first octets of an address (4 or 16 octets in all), and how many bits of it count."""

    address: bytes
    bits: int


class InterfaceAddress(NamedTuple):
    """An address of an interface (of a point-to-point link also the other end), and the network that it is in."""

    address: bytes
    interface: int
    network: Network


@dataclass(frozen=True, slots=True)
class Link:
    """An interface. `kind`: as in `ip link add type`, empty for hardware. `master`: the index of its bridge or bond, or 0.

    `calls_rules`: a bridge that sends its packets through the rules of IPv4, whatever the sysctl says. `has_xdp`: an XDP
    program sees what it receives. `calls_rules6`: as `calls_rules`, of IPv6.
    """

    index: int
    name: str
    kind: str
    master: int = 0
    address: bytes = b""
    calls_rules: bool = False
    has_xdp: bool = False
    calls_rules6: bool = False


@dataclass(frozen=True, slots=True)
class Routes:
    """What the routes of all tables say. `gateways`: next hops, 4 or 16 octets.

    `outside`: the indices of the interfaces that lead to the rest of the world; empty where that cannot be known. `on_link`:
    the networks that an interface reaches without a gateway. `delegated`: the prefixes that DHCP delegated to this host.
    """

    gateways: Sequence[bytes] = ()
    outside: frozenset[int] = frozenset()
    on_link: Sequence[tuple[int, Network]] = ()
    delegated: Sequence[Network] = ()


def interface_addresses() -> Iterator[InterfaceAddress]:
    """Each address of each interface of this network namespace. Raises OSError."""
    for payload in dump_of(NETLINK_ROUTE, RTM_GETADDR, _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        _, bits, _, _, index = _IFADDRMSG.unpack_from(payload)
        found = attributes(payload[_IFADDRMSG.size :])
        network = Network(found.get(IFA_ADDRESS) or found.get(IFA_LOCAL, b""), bits)
        for address in {found.get(IFA_LOCAL), found.get(IFA_ADDRESS)} - {None}:
            yield InterfaceAddress(address or b"", index, network)


def links() -> Iterator[Link]:
    """All links of this network namespace. Raises OSError."""
    for payload in _dumped_links():
        _, _, index, *_ = _IFINFOMSG.unpack_from(payload)
        found = attributes(payload[_IFINFOMSG.size :])
        about = attributes(found.get(IFLA_LINKINFO, b""))
        data = attributes(about.get(IFLA_INFO_DATA, b""))
        yield Link(
            index,
            decode_text(found.get(IFLA_IFNAME, b"")),
            decode_text(about.get(IFLA_INFO_KIND, b"")),
            int.from_bytes(found.get(IFLA_MASTER, b""), sys.byteorder),
            found.get(IFLA_ADDRESS, b""),
            any(data.get(IFLA_BR_NF_CALL_IPTABLES, b"")),
            any(attributes(found.get(IFLA_XDP, b"")).get(IFLA_XDP_ATTACHED, b"")),
            any(data.get(IFLA_BR_NF_CALL_IP6TABLES, b"")),
        )


def _dumped_links() -> Iterator[bytes]:
    short = attribute(IFLA_EXT_MASK, struct.pack("=I", RTEXT_FILTER_SKIP_STATS))
    return dump_of(NETLINK_ROUTE, RTM_GETLINK, _IFINFOMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + short)


def tunnels() -> Iterator[tuple[str, bytes]]:
    """Name and other end (4 or 16 octets) of each tunnel that has a fixed one. Raises OSError.

    Asked for at each import: of thousands of links that are no tunnels nothing is taken apart.
    """
    for payload in _dumped_links():
        if not _TUNNEL.search(payload):
            continue
        found = attributes(payload[_IFINFOMSG.size :])
        about = attributes(found.get(IFLA_LINKINFO, b""))
        data = attributes(about.get(IFLA_INFO_DATA, b""))
        ends = (data.get(remote, b"") for remote in REMOTES.get(decode_text(about.get(IFLA_INFO_KIND, b"")), ()))
        yield from ((decode_text(found.get(IFLA_IFNAME, b"")), end) for end in ends if _is_of_one_host(end))


def _is_of_one_host(address: bytes) -> bool:
    """Not the unspecified one, and none of a group."""
    return any(address) and (address[0] != MULTICAST6 if len(address) > _OCTETS4 else address[0] not in MULTICAST4)


def links_of(kind: str) -> Iterator[int]:
    """The indices of the links of a kind, such as `wireguard`. Raises OSError."""
    return (link.index for link in links() if link.kind == kind)


def guest_addresses() -> Iterator[tuple[int, bytes]]:
    """Index and hardware address: those that a link receives for another device on top of it. Raises OSError.

    A macvlan that lies in another network namespace is seen in no other way.
    """
    for payload in dump_of(NETLINK_ROUTE, RTM_GETNEIGH, _NDMSG.pack(AF_BRIDGE, 0, 0, 0, 0)):
        _, index, _, flags, _ = _NDMSG.unpack_from(payload)
        address = attributes(payload[_NDMSG.size :]).get(NDA_LLADDR, b"")
        if flags & NTF_SELF and len(address) == _MAC and not address[0] & 1:  # else it is one of a group
            yield index, address


def name_of(index: int) -> str:
    """The name of an interface; what of it is no UTF-8 is replaced, as in `links`."""
    try:
        return decode_text(os.fsencode(socket.if_indextoname(index)))
    except OSError:  # it has gone since
        return f"interface {index}"


def routes() -> Routes:
    """All routes of all tables. Raises OSError.

    An interface with a default route leads to the rest of the world. A host without a default route may have routes through
    gateways: then their interfaces do. Half of the address space (`0.0.0.0/1`, as OpenVPN has it) counts as a default.
    """
    gateways: dict[bytes, None] = {}
    on_link: list[tuple[int, Network]] = []
    delegated: list[Network] = []
    default, routed = set[int](), set[int]()
    is_passing, nexthops = cache(_is_passing), cache(_nexthops)
    for version in _VERSIONS:
        for payload in dump_of(NETLINK_ROUTE, RTM_GETROUTE, _RTMSG.pack(version, 0, 0, 0, 0, 0, 0, 0, 0)):
            _, bits, _, _, _, protocol, _, kind, _ = _RTMSG.unpack_from(payload)
            found = attributes(payload[_RTMSG.size :])
            network = Network(found.get(RTA_DST, b""), bits)
            if kind in (RTN_UNREACHABLE, RTN_BLACKHOLE) and protocol == RTPROT_DHCP and network.address:
                delegated.append(network)
            if kind != RTN_UNICAST:
                continue
            shared = found.get(RTA_NH_ID)
            # With net.ipv4.nexthop_compat_mode=0 the route itself does not say more.
            is_short = shared is not None and not found.keys() & {RTA_OIF, RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH}
            for index, gateway in nexthops().get(shared, ()) if is_short else _next_hops(found):
                if is_passing(index):
                    continue
                if gateway:
                    gateways[gateway] = None
                if bits <= 1:
                    default.add(index)
                elif gateway:
                    routed.add(index)
                else:
                    on_link.append((index, network))
    return Routes(tuple(gateways), frozenset((default or routed) - {0, LOOPBACK}), on_link, delegated)


def _nexthops() -> Mapping[bytes | None, Sequence[_Hop]]:
    """What routes may share (ip-nexthop(8)), as their attribute names it. Raises OSError."""
    single: dict[bytes | None, Sequence[_Hop]] = {}
    groups: dict[bytes | None, bytes] = {}
    for payload in dump_of(NETLINK_ROUTE, RTM_GETNEXTHOP, _NHMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        found = attributes(payload[_NHMSG.size :])
        if NHA_GROUP in found:
            groups[found.get(NHA_ID)] = found[NHA_GROUP]
        elif NHA_OIF in found:
            index = int.from_bytes(found[NHA_OIF], sys.byteorder)
            single[found.get(NHA_ID)] = [(index, found.get(NHA_GATEWAY, b""))]
    for name, members in groups.items():
        whole = len(members) - len(members) % _NEXTHOP_GRP.size
        ids = (struct.pack("=I", number) for number, *_ in _NEXTHOP_GRP.iter_unpack(members[:whole]))
        single[name] = [hop for member in ids for hop in single.get(member, ())]
    return single


def _is_passing(index: int) -> bool:
    """Whether a link is of a proof, or has gone since the route was read."""
    try:
        return index > 0 and socket.if_indextoname(index) in PROOF_LINKS
    except OSError:
        return True


def concerns_protection(kind: int, payload: bytes) -> bool:
    """Whether a notice may change the addresses, the default routes or the networks of this host.

    One of a routing daemon's many routes does not; its gateway is found by the next comparison.
    """
    if kind not in (RTM_NEWROUTE, RTM_DELROUTE):
        return kind in (RTM_NEWADDR, RTM_DELADDR, RTM_NEWLINK, RTM_DELLINK)
    if len(payload) < _RTMSG.size:
        return False
    _, bits, *_, flags = _RTMSG.unpack_from(payload)
    found = attributes(payload[_RTMSG.size :])
    is_routed = any(attribute in found for attribute in (RTA_GATEWAY, RTA_VIA, RTA_MULTIPATH, RTA_NH_ID))
    return not flags & RTM_F_CLONED and (bits <= 1 or not is_routed)


def _next_hops(found: Mapping[int, bytes]) -> Iterator[_Hop]:
    """The interface of each next hop of a route, and its gateway (empty without one)."""
    hops = found.get(RTA_MULTIPATH)
    if hops is None:
        # RTA_VIA: behind the family of the gateway, which need not be the route's.
        gateway = found.get(RTA_GATEWAY) or found.get(RTA_VIA, b"")[2:]
        yield int.from_bytes(found.get(RTA_OIF, b""), sys.byteorder), gateway
        return
    at = 0
    while at + _RTNEXTHOP.size <= len(hops):
        length, _, _, index = _RTNEXTHOP.unpack_from(hops, at)
        if length < _RTNEXTHOP.size:
            return
        for _, gateway in _next_hops(attributes(hops[at + _RTNEXTHOP.size : at + length])):
            yield index, gateway
        at += length + -length % 4
