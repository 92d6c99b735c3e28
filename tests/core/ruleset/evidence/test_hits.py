"""Samples become hits: which entry they met, and how few hits a flood makes."""

from ipaddress import ip_address

import pytest

from adapters.firewalls.holdings import addresses
from banlistd.core.ruleset.evidence.hits import Gathered, entry_with, meeting_of
from banlistd.core.ruleset.evidence.packets import Flow, SampledPacket
from banlistd.model import ContentHash, Direction, Family, SourceId, Span

LIST = addresses("198.51.100.7", "203.0.113.0/24", "2001:db8:bad::/48", "0.0.0.0/8")
HASH = ContentHash("a" * 64)


def span(family: Family, first: str, last: str) -> Span:
    return family, int(ip_address(first)), int(ip_address(last))


def sample(listed: str, *, way: Direction = Direction.IN, source_port: int = 40_000, port: int = 22) -> SampledPacket:
    address = ip_address(listed)
    family = Family.IPV4 if address.version == 4 else Family.IPV6
    here = int(ip_address("192.0.2.1" if address.version == 4 else "2001:db8::1"))
    ends = (int(address), here) if way is Direction.IN else (here, int(address))
    return SampledPacket(SourceId("a"), way, Flow(family, *ends, 6, source_port, port))


@pytest.mark.parametrize(
    ("listed", "entry"),
    [
        ("198.51.100.7", span(Family.IPV4, "198.51.100.7", "198.51.100.7")),
        ("203.0.113.255", span(Family.IPV4, "203.0.113.0", "203.0.113.255")),
        ("2001:db8:bad::9", span(Family.IPV6, "2001:db8:bad::", "2001:db8:bad:ffff:ffff:ffff:ffff:ffff")),
        ("64:ff9b::203.0.113.9", span(Family.IPV4, "203.0.113.0", "203.0.113.255")),
        ("2002:c633:6407::1", span(Family.IPV4, "198.51.100.7", "198.51.100.7")),
        ("198.51.100.8", None),
        ("2001:db8:900d::1", None),
    ],
)
def test_the_entry_is_found_that_has_the_address(listed: str, entry: Span | None) -> None:
    meeting = meeting_of(sample(listed), (HASH, LIST))
    assert (meeting.entry, meeting.content_hash) == (entry, HASH)


def test_a_destination_is_not_looked_for_within_its_ipv6_form() -> None:
    assert meeting_of(sample("64:ff9b::203.0.113.9", way=Direction.OUT), (HASH, LIST)).entry is None
    meeting = meeting_of(sample("203.0.113.9", way=Direction.OUT), (HASH, LIST))
    assert meeting.entry == span(Family.IPV4, "203.0.113.0", "203.0.113.255")
    assert meeting.address == int(ip_address("203.0.113.9"))


def test_a_source_without_content_has_no_entry_and_no_version() -> None:
    meeting = meeting_of(sample("198.51.100.7"), None)
    assert (meeting.entry, meeting.content_hash) == (None, None)
    assert entry_with(LIST, Family.IPV4, 0) == span(Family.IPV4, "0.0.0.0", "0.255.255.255")


def test_samples_of_one_connection_are_one_hit_whatever_their_source_port() -> None:
    gathered = Gathered(10)
    for second, source_port in enumerate((40_000, 40_001, 40_002)):
        packet = sample("198.51.100.7", source_port=source_port)
        gathered.add(meeting_of(packet, (HASH, LIST)), packet.flow.source_port, 100.0 + second)
    (hit,) = gathered.hits.values()
    assert (hit.samples, hit.first_at, hit.last_at, hit.source_port) == (3, 100.0, 102.0, 40_002)


def test_a_flood_of_flows_takes_no_more_room_and_the_rest_is_counted() -> None:
    gathered = Gathered(10)
    for port in range(100):
        gathered.add(meeting_of(sample("198.51.100.7", port=port), (HASH, LIST)), 1, 0.0)
    assert (len(gathered.hits), gathered.lost) == (10, 90)
    gathered.add(meeting_of(sample("198.51.100.7", port=0), (HASH, LIST)), 1, 0.0)
    assert gathered.lost == 90
