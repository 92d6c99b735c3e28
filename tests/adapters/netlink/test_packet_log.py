"""Samples of real packets over NFLOG, in a network namespace."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from banlistd.adapters.netlink.packet_log import (
    NFULA_PACKET_HDR,
    NFULA_PAYLOAD,
    NFULA_PREFIX,
    NflogPackets,
    sample_of,
)
from banlistd.core.ruleset.evidence.packets import HIT_GROUP, SampledPacket
from banlistd.errors import FirewallError
from banlistd.model import Direction, Family, SourceId
from support.network_namespace import in_network_namespace, nft

RULE = f'log prefix "banlistd alpha " group {HIT_GROUP} snaplen 64'


def sampling(hook: str, match: str, rule: str = RULE) -> None:
    nft("add table inet t; add chain inet t c { type filter hook " + hook + " priority -300; }")
    nft(f"add rule inet t c {match} {rule}")


def send(family: socket.AddressFamily, to: str, count: int = 1, size: int = 1) -> int:
    """Datagrams to the discard port; the port that they come from."""
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(bytes(size), (to, 9))
        return int(sender.getsockname()[1])


async def arrived(packets: NflogPackets, count: int) -> Sequence[SampledPacket]:
    found: list[SampledPacket] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += await packets.packets()
    return found


@in_network_namespace
async def test_a_packet_that_meets_a_rule_is_a_sample() -> None:
    sampling("prerouting", "udp dport 9")
    packets = NflogPackets()
    listening = asyncio.ensure_future(arrived(packets, 2))
    await asyncio.sleep(0)  # the socket is open once it waits
    ports = send(socket.AF_INET, "127.0.0.1"), send(socket.AF_INET6, "::1", size=1400)
    four, six = await listening
    packets.close()
    assert {four.source_id, six.source_id} == {SourceId("alpha")}
    assert {four.direction, six.direction} == {Direction.IN}
    assert (four.flow.family, four.listed, four.peer) == (Family.IPV4, *[int(ip_address("127.0.0.1"))] * 2)
    assert (six.flow.family, six.listed, six.peer) == (Family.IPV6, 1, 1)
    assert [(one.flow.protocol, one.flow.source_port, one.flow.destination_port) for one in (four, six)] == [
        (17, ports[0], 9),
        (17, ports[1], 9),
    ]


@in_network_namespace
async def test_what_goes_out_is_a_sample_of_its_destination_and_other_prefixes_are_none() -> None:
    sampling("output", "ip daddr 127.0.0.9")
    nft(f'add rule inet t c ip daddr 127.0.0.8 log prefix "other " group {HIT_GROUP}')
    packets = NflogPackets()
    listening = asyncio.ensure_future(arrived(packets, 1))
    await asyncio.sleep(0)
    for end in ("127.0.0.8", "127.0.0.9"):
        send(socket.AF_INET, end)
    (sample,) = await listening
    packets.close()
    assert (sample.direction, sample.listed) == (Direction.OUT, int(ip_address("127.0.0.9")))


@in_network_namespace
async def test_samples_that_are_not_read_in_time_are_lost_and_counted_and_the_rest_arrives() -> None:
    sampling("prerouting", "udp dport 9")
    packets = NflogPackets()
    listening = asyncio.ensure_future(arrived(packets, 1))
    await asyncio.sleep(0)
    send(socket.AF_INET, "127.0.0.1")
    await listening
    sent = 30_000
    await asyncio.to_thread(send, socket.AF_INET, "127.0.0.1", sent)
    found = 0
    async with asyncio.timeout(60):
        while found + packets.lost < sent:
            found += len(await packets.packets())
            if found + packets.lost < sent:  # the numbers of the next samples say what was lost before
                send(socket.AF_INET, "127.0.0.1")
                sent += 1
    packets.close()
    assert packets.lost > 0
    assert found > 100


@in_network_namespace
async def test_a_group_that_another_program_reads_is_named_and_is_read_once_it_is_free() -> None:
    first, second = NflogPackets(), NflogPackets()
    listening = asyncio.ensure_future(first.packets())
    await asyncio.sleep(0)
    with pytest.raises(FirewallError, match=f"another program reads the NFLOG group {HIT_GROUP}"):
        await second.packets()
    listening.cancel()
    first.close()
    sampling("prerouting", "udp dport 9")
    listening = asyncio.ensure_future(second.packets())
    await asyncio.sleep(0)
    send(socket.AF_INET, "127.0.0.1")
    assert len(await listening) == 1
    second.close()


HEADER = struct.pack("!HBx", 0x0800, 0)
PACKET = bytes.fromhex("45000014000000004011000000000000") + bytes(4)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {NFULA_PREFIX: b"banlistd alpha \0", NFULA_PACKET_HDR: HEADER},
        {NFULA_PREFIX: b"banlistd alpha \0", NFULA_PACKET_HDR: HEADER[:3], NFULA_PAYLOAD: PACKET},
        {NFULA_PREFIX: b"banlist\0", NFULA_PACKET_HDR: HEADER, NFULA_PAYLOAD: PACKET},
        {NFULA_PREFIX: b"banlistd alpha \0", NFULA_PACKET_HDR: HEADER, NFULA_PAYLOAD: PACKET[:10]},
    ],
)
def test_a_message_that_lacks_something_is_no_sample(fields: dict[int, bytes]) -> None:
    whole = {NFULA_PREFIX: b"banlistd alpha \0", NFULA_PACKET_HDR: HEADER, NFULA_PAYLOAD: PACKET}
    assert sample_of(whole) is not None
    assert sample_of(fields) is None
