"""What is read of a sampled packet: fixed fields of its IP header, and its ports. Pure.

The octets come from outside, so nothing here depends on what they say but for one bounded offset: no option, no extension
header and no payload is read. What is cut off or of another version is no flow.
"""

import struct
from dataclasses import dataclass

from banlistd.model import Direction, Family, SourceId

HIT_GROUP = 47633
"""The NFLOG group of sampled packets: a number that no program has for its default (ulogd 2 has 0 and 1, snort 32)."""

HIT_OCTETS = 64
"""So much of each packet is asked of the kernel: the longest header of IPv4 (60, RFC 791 3.1) and the ports."""

LOG_PREFIX = "banlistd "
"""What the prefix of a packet begins with in the kernel's message; the id of the source follows."""

PORTED = frozenset({6, 17, 33, 132, 136})
"""Protocols whose packets begin with source and destination port: TCP, UDP, DCCP, SCTP, UDP-Lite (IANA)."""

_IPV4 = struct.Struct("!BxxxxxHxB2xII")  # RFC 791 3.1: version and length, fragment, protocol, addresses
_IPV6 = struct.Struct("!B5xBx16s16s")  # RFC 8200 3: version, next header, addresses
_PORTS = struct.Struct("!HH")
_FRAGMENT_OFFSET = 0x1FFF
_WORD = 4


@dataclass(frozen=True, slots=True)
class Flow:
    """Both ends of a packet, as integers. Ports are None where the protocol has none, or the packet is a later fragment."""

    family: Family
    source: int
    destination: int
    protocol: int
    source_port: int | None
    destination_port: int | None


@dataclass(frozen=True, slots=True)
class SampledPacket:
    """A packet that met an entry of a source: by its source address (in) or by its destination (out)."""

    source_id: SourceId
    direction: Direction
    flow: Flow

    @property
    def listed(self) -> int:
        """The address that the firewall looked up."""
        return self.flow.source if self.direction is Direction.IN else self.flow.destination

    @property
    def peer(self) -> int:
        """The address at the other end."""
        return self.flow.destination if self.direction is Direction.IN else self.flow.source


def flow_of(octets: bytes) -> Flow | None:
    """The flow of a packet that begins with an IP header; None where there is none."""
    match octets[0] >> 4 if octets else 0:
        case 4 if len(octets) >= _IPV4.size:
            first, fragment, protocol, source, destination = _IPV4.unpack_from(octets)
            at = (first & 0xF) * _WORD
            whole = at >= _IPV4.size and not fragment & _FRAGMENT_OFFSET
            return Flow(Family.IPV4, source, destination, protocol, *_ports(octets, protocol, at if whole else None))
        case 6 if len(octets) >= _IPV6.size:
            _, protocol, source, destination = _IPV6.unpack_from(octets)
            ends = int.from_bytes(source, "big"), int.from_bytes(destination, "big")
            return Flow(Family.IPV6, *ends, protocol, *_ports(octets, protocol, _IPV6.size))
        case _:
            return None


def _ports(octets: bytes, protocol: int, at: int | None) -> tuple[int | None, int | None]:
    if at is None or protocol not in PORTED or len(octets) < at + _PORTS.size:
        return None, None
    source, destination = _PORTS.unpack_from(octets, at)
    return source, destination
