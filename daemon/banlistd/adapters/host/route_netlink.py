"""What the kernel knows of our own addresses, gateways and TCP peers, over rtnetlink and sock_diag. Every answer is bounded.

Names are those of linux/rtnetlink.h, linux/if_addr.h, linux/sock_diag.h and linux/inet_diag.h.
"""

import errno
import socket
import struct
from collections.abc import Iterator

from banlistd.adapters.netlink.messages import (
    HEADER,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    attributes,
    each_attribute,
)

NETLINK_ROUTE = 0
NETLINK_SOCK_DIAG = 4

RTM_GETADDR = 22
RTM_GETROUTE = 26
SOCK_DIAG_BY_FAMILY = 20

IFA_ADDRESS = 1
IFA_LOCAL = 2
RTA_GATEWAY = 5
RTA_MULTIPATH = 9
RTA_VIA = 18

TCP_ESTABLISHED = 1

_IFADDRMSG = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")
_RTNEXTHOP = struct.Struct("=HBBi")
_DIAG_REQUEST = struct.Struct("=BBBxI")
_SOCKID = struct.Struct("!HH16s16s12x")  # ports, addresses, interface and cookie
_DIAG_STATES = struct.Struct("=BBBB")

_VERSIONS = (socket.AF_INET, socket.AF_INET6)
_LENGTHS = {socket.AF_INET: 4, socket.AF_INET6: 16}

# A router with the whole internet in its tables has a million routes, but few gateways; the default routes come first.
MAX_ANSWERS = 20_000
_SECONDS = 1.0
_RECEIVE = 1 << 16


def interface_addresses() -> Iterator[tuple[bytes, str]]:
    """Each address of each interface of this network namespace (4 or 16 octets) and the interface's name.

    Of a point-to-point link the other end comes as well. Raises OSError.
    """
    for payload in _dump(NETLINK_ROUTE, RTM_GETADDR, _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        index = _IFADDRMSG.unpack_from(payload)[4]
        found = attributes(payload[_IFADDRMSG.size :])
        for address in {found.get(IFA_LOCAL), found.get(IFA_ADDRESS)} - {None}:
            yield address or b"", _name_of(index)


def _name_of(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:  # it has gone since
        return f"interface {index}"


def gateways() -> Iterator[bytes]:
    """The next hop of each route of each table, 4 or 16 octets; one may come several times. Raises OSError."""
    for version in _VERSIONS:
        for payload in _dump(NETLINK_ROUTE, RTM_GETROUTE, _RTMSG.pack(version, 0, 0, 0, 0, 0, 0, 0, 0)):
            yield from _next_hops(payload[_RTMSG.size :])


def _next_hops(data: bytes) -> Iterator[bytes]:
    for kind, payload in each_attribute(data):
        if kind == RTA_GATEWAY:
            yield payload
        elif kind == RTA_VIA:
            yield payload[2:]  # behind the family of the gateway, which need not be the route's
        elif kind == RTA_MULTIPATH:
            at = 0
            while at + _RTNEXTHOP.size <= len(payload):
                length = _RTNEXTHOP.unpack_from(payload, at)[0]
                if length < _RTNEXTHOP.size:
                    return
                yield from _next_hops(payload[at + _RTNEXTHOP.size : at + length])
                at += length + -length % 4


def peers(port: int) -> Iterator[bytes]:
    """The other end (4 or 16 octets) of each established TCP connection to a local port. Raises OSError."""
    for version in _VERSIONS:
        # The kernel itself leaves out other ports (inet_diag_dump_icsk).
        asked = _DIAG_REQUEST.pack(version, socket.IPPROTO_TCP, 0, 1 << TCP_ESTABLISHED) + _SOCKID.pack(port, 0, b"", b"")
        for payload in _dump(NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, asked):
            local, _, _, remote = _SOCKID.unpack_from(payload, _DIAG_STATES.size)
            if local == port:
                yield remote[: _LENGTHS[version]]


def _dump(protocol: int, kind: int, body: bytes) -> Iterator[bytes]:
    """The payload of each answer. One that changed while it was read is as good: it is read again soon."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as wire:
        wire.settimeout(_SECONDS)
        wire.bind((0, 0))
        wire.send(HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body)
        left = MAX_ANSWERS
        while left > 0:
            data, at = wire.recv(_RECEIVE), 0
            while at + HEADER.size <= len(data):
                length, answer, *_ = HEADER.unpack_from(data, at)
                payload = data[at + HEADER.size : at + length]
                if answer == NLMSG_DONE or length < HEADER.size:
                    return
                if answer == NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("=i", payload)[0] or errno.EPROTO, "the kernel refused a dump")
                yield payload
                left -= 1
                at += length + -length % 4
