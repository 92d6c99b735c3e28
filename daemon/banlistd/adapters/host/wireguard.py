"""Where the peers of WireGuard's interfaces are, as the kernel knows them: a peer moves only with a packet that authenticates.

Names are those of linux/genetlink.h and linux/wireguard.h. A WireGuard outside the kernel is not seen.
"""

import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from itertools import islice

from banlistd.adapters.host.route_netlink import links_of, name_of
from banlistd.adapters.netlink.dumping import dump_of
from banlistd.adapters.netlink.messages import attribute, attributes, decode_text, each_attribute

NETLINK_GENERIC = 16
GENL_ID_CTRL = 0x10
CTRL_CMD_GETFAMILY = 3
CTRL_ATTR_FAMILY_ID = 1
CTRL_ATTR_FAMILY_NAME = 2
WG_CMD_GET_DEVICE = 0
WGDEVICE_A_IFINDEX = 1
WGDEVICE_A_PEERS = 8
WGPEER_A_ENDPOINT = 4

_HEADER = struct.Struct("=BBH")  # struct genlmsghdr: command, version, reserved
_PORT = struct.Struct("!2xH")  # of struct sockaddr_in and sockaddr_in6, behind the family
# Where the address is in them, and its length, in octets.
_PLACES: Mapping[int, tuple[int, int]] = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}

MAX_ENDPOINTS = 1000


def endpoints() -> Iterator[tuple[str, bytes, int]]:
    """Name of the interface, address (4 or 16 octets) and UDP port of each peer's endpoint. Raises OSError.

    None where the kernel has no WireGuard. All families are listed, because the kernel would load a module to find one by name.
    """
    family = next((number for name, number in _families() if name == "wireguard"), None)
    if family is not None:
        yield from islice((one for index in links_of("wireguard") for one in _endpoints_of(family, index)), MAX_ENDPOINTS)


def _families() -> Iterator[tuple[str, int]]:
    for payload in dump_of(NETLINK_GENERIC, GENL_ID_CTRL, _HEADER.pack(CTRL_CMD_GETFAMILY, 1, 0)):
        found = attributes(payload[_HEADER.size :])
        number = int.from_bytes(found.get(CTRL_ATTR_FAMILY_ID, b""), sys.byteorder)
        yield decode_text(found.get(CTRL_ATTR_FAMILY_NAME, b"")), number


def _endpoints_of(family: int, index: int) -> Iterator[tuple[str, bytes, int]]:
    body = _HEADER.pack(WG_CMD_GET_DEVICE, 1, 0) + attribute(WGDEVICE_A_IFINDEX, struct.pack("=I", index))
    for payload in dump_of(NETLINK_GENERIC, family, body):
        peers = attributes(payload[_HEADER.size :]).get(WGDEVICE_A_PEERS, b"")
        for _, peer in each_attribute(peers):
            # A peer whose networks fill more than one answer comes again, without its endpoint.
            place = read_endpoint(attributes(peer).get(WGPEER_A_ENDPOINT, b""))
            if place is not None:
                yield name_of(index), *place


def read_endpoint(octets: bytes) -> tuple[bytes, int] | None:
    """Address and port in a struct sockaddr_in or sockaddr_in6; None for another one."""
    start, length = _PLACES.get(int.from_bytes(octets[:2], sys.byteorder), (0, 0))
    if not length or len(octets) < start + length:
        return None
    return octets[start : start + length], _PORT.unpack_from(octets)[0]
