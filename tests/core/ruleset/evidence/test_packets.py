"""What is read of a sampled packet: both ends and the ports, whatever its octets are."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.ruleset.evidence.packets import HIT_OCTETS, Flow, SampledPacket, flow_of
from banlistd.model import Direction, Family, SourceId

BAD, HERE = ip_address("198.51.100.7"), ip_address("192.0.2.1")
BAD6, HERE6 = ip_address("2001:db8:bad::7"), ip_address("2001:db8::1")
PORTS = struct.pack("!HH", 40_000, 22)
TCP, UDP, ICMP = 6, 17, 1


def ipv4(protocol: int, after: bytes, *, words: int = 5, fragment: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, 60, 1, fragment, 64, protocol, 0) + BAD.packed + HERE.packed
    return head + bytes(4 * max(words - 5, 0)) + after


def ipv6(protocol: int, after: bytes) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(after), protocol, 64) + BAD6.packed + HERE6.packed + after


def flow4(protocol: int, source_port: int | None, port: int | None) -> Flow:
    return Flow(Family.IPV4, int(BAD), int(HERE), protocol, source_port, port)


@pytest.mark.parametrize(
    ("octets", "flow"),
    [
        (ipv4(TCP, PORTS), flow4(TCP, 40_000, 22)),
        (ipv4(UDP, PORTS, words=15), flow4(UDP, 40_000, 22)),
        (ipv4(ICMP, PORTS), flow4(ICMP, None, None)),
        (ipv4(TCP, PORTS, fragment=0x2000), flow4(TCP, 40_000, 22)),
        (ipv4(TCP, PORTS, fragment=5), flow4(TCP, None, None)),
        (ipv4(TCP, PORTS, words=4), flow4(TCP, None, None)),
        (ipv4(TCP, PORTS[:3]), flow4(TCP, None, None)),
        (ipv6(TCP, PORTS), Flow(Family.IPV6, int(BAD6), int(HERE6), TCP, 40_000, 22)),
        (ipv6(0, PORTS), Flow(Family.IPV6, int(BAD6), int(HERE6), 0, None, None)),
        (ipv6(TCP, b""), Flow(Family.IPV6, int(BAD6), int(HERE6), TCP, None, None)),
    ],
    ids=[
        *("tcp", "longest header", "no ports", "first fragment", "later fragment", "header too short", "ports cut off"),
        *("ipv6", "extension header", "ipv6 cut off"),
    ],
)
def test_a_flow_is_read(octets: bytes, flow: Flow) -> None:
    assert flow_of(octets) == flow
    assert len(octets) <= HIT_OCTETS


@pytest.mark.parametrize("octets", [b"", b"\x45", ipv4(TCP, b"")[:19], ipv6(TCP, b"")[:39], b"\x00" * 64, b"\xff" * 64])
def test_what_is_no_packet_is_no_flow(octets: bytes) -> None:
    assert flow_of(octets) is None


@given(st.binary(max_size=HIT_OCTETS))
def test_no_octets_are_too_odd(octets: bytes) -> None:
    flow = flow_of(octets)
    if flow is not None:
        width = 32 if flow.family is Family.IPV4 else 128
        assert 0 <= flow.source < 1 << width
        assert 0 <= flow.destination < 1 << width
        assert (flow.source_port is None) is (flow.destination_port is None)


def test_the_listed_end_is_the_source_of_what_comes_in_and_the_destination_of_what_goes_out() -> None:
    coming, going = (SampledPacket(SourceId("a"), way, flow4(TCP, 1, 2)) for way in (Direction.IN, Direction.OUT))
    assert (coming.listed, coming.peer) == (int(BAD), int(HERE))
    assert (going.listed, going.peer) == (int(HERE), int(BAD))
