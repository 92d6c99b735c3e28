"""What sees packets before all rules: filters of traffic control, tables at ingress and XDP programs of a real kernel."""

import ctypes
import errno
import os
import platform
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from banlistd.adapters.host.coverage.early_paths import IngressFilter, remarks_on_filters
from banlistd.adapters.host.coverage.uncovered import UncoveredTraffic
from banlistd.adapters.host.route_netlink import IFLA_XDP, NETLINK_ROUTE, Link
from banlistd.adapters.netlink.messages import NFT_MSG_GETCHAIN, NLM_F_ACK, attribute, framed, nested
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NetlinkError
from support.network_namespace import in_network_namespace, nft

UPLINK = Link(1, "eth0", "")
OTHER = Link(2, "wg0", "wireguard")
SHAPER = Link(3, "ifb0", "ifb")

# The numbers of bpf(2), and of what follows, in linux/bpf.h and linux/if_link.h.
SYS_BPF = {"x86_64": 321, "aarch64": 280}
BPF_PROG_LOAD, BPF_PROG_TYPE_XDP = 5, 6
PASS_ON = bytes.fromhex("b700000002000000 9500000000000000")  # r0 = XDP_PASS; exit
RTM_SETLINK = 19
IFLA_XDP_FD, IFLA_XDP_FLAGS, XDP_FLAGS_SKB_MODE = 1, 3, 2


def run(words: str) -> None:
    subprocess.run(words.split(), check=True)


def pair() -> None:
    run("ip link add g0 type veth peer name g1")
    run("ip link set g0 up")


async def messages() -> list[str]:
    uncovered = UncoveredTraffic()
    try:
        return [remark.message for remark in await uncovered.remarks()]
    finally:
        uncovered.close()


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ([IngressFilter("matchall", [2])], ["traffic control redirects packets from eth0 to wg0"]),
        ([IngressFilter("matchall", [3])], []),
        ([IngressFilter("u32")], []),
        ([IngressFilter("bpf")], ["a BPF program of traffic control on eth0"]),
    ],
    ids=["another link", "a link that gives back", "no redirect", "a program"],
)
def test_filters_that_may_pass_packets_by_are_remarked_on(filters: Sequence[IngressFilter], words: Sequence[str]) -> None:
    found = [remark.message for remark in remarks_on_filters([UPLINK, OTHER, SHAPER], {1: filters})]
    assert len(found) == len(words)
    assert all(message.startswith(word) for message, word in zip(found, words, strict=True))


@in_network_namespace
async def test_a_redirect_of_traffic_control_is_found() -> None:
    pair()
    run("tc qdisc add dev g0 clsact")
    run("tc filter add dev g0 ingress protocol ip u32 match u32 0 0 action mirred egress mirror dev g1")
    assert await messages() == []
    run("tc filter add dev g0 ingress protocol ip u32 match u32 0 0 action mirred egress redirect dev g1")
    assert await messages() == ["traffic control redirects packets from g0 to g1 before all rules: those meet no ban"]


@in_network_namespace
async def test_a_table_that_forwards_at_ingress_is_found() -> None:
    pair()
    nft("add table netdev early; add chain netdev early in { type filter hook ingress device g0 priority 0; }")
    assert await messages() == []
    nft('add rule netdev early in fwd to "g1"')
    assert await messages() == ["table netdev early forwards packets at ingress (fwd), before the bans: those meet no ban"]


@in_network_namespace
async def test_chains_are_read_again_only_after_a_change_of_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    pair()
    nft("add table netdev early; add chain netdev early in { type filter hook ingress device g0 priority 0; }")
    asked: list[int] = []
    dump = NetlinkSocket.dump

    def noted(wire: NetlinkSocket, kind: int, *details: Any, **more: Any) -> list[Mapping[int, bytes]]:
        asked.append(kind)
        return dump(wire, kind, *details, **more)

    monkeypatch.setattr(NetlinkSocket, "dump", noted)
    uncovered = UncoveredTraffic()
    try:
        assert await uncovered.remarks() == []
        assert NFT_MSG_GETCHAIN in asked
        asked.clear()
        assert await uncovered.remarks() == []
        assert NFT_MSG_GETCHAIN not in asked
        nft('add rule netdev early in fwd to "g1"')
        assert len(await uncovered.remarks()) == 1
    finally:
        uncovered.close()


@in_network_namespace
async def test_while_commits_follow_each_other_the_chains_are_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    pair()
    nft("add table netdev early; add chain netdev early in { type filter hook ingress device g0 priority 0; }")
    nft('add rule netdev early in fwd to "g1"')
    dump, tries = NetlinkSocket.dump, list[int]()

    def interrupted(wire: NetlinkSocket, kind: int, *details: Any, **more: Any) -> list[Mapping[int, bytes]]:
        if kind != NFT_MSG_GETCHAIN:
            return dump(wire, kind, *details, **more)
        tries.append(details[-1])
        raise NetlinkError(errno.EINTR, "the ruleset changes faster than it can be read", 0)

    uncovered = UncoveredTraffic()
    try:
        before = await uncovered.remarks()
        assert len(before) == 1
        nft("flush chain netdev early in")
        with monkeypatch.context() as during:
            during.setattr(NetlinkSocket, "dump", interrupted)
            assert await uncovered.remarks() == before
            assert tries == [1]
        assert await uncovered.remarks() == []
    finally:
        uncovered.close()


@in_network_namespace
async def test_an_xdp_program_is_found() -> None:
    pair()
    assert await messages() == []
    attach("g0", loaded())
    assert await messages() == ["an XDP program on g0 sees packets before all rules: what it forwards itself meets no ban"]


def loaded() -> int:
    """A file descriptor of a program that passes every packet on."""
    code, licence = ctypes.create_string_buffer(PASS_ON), ctypes.create_string_buffer(b"MIT")
    fields = (BPF_PROG_TYPE_XDP, len(PASS_ON) // 8, ctypes.addressof(code), ctypes.addressof(licence))
    request = ctypes.create_string_buffer(struct.pack("=IIQQ", *fields), 128)
    libc = ctypes.CDLL(None, use_errno=True)
    number = SYS_BPF.get(platform.machine())
    if number is None:
        pytest.skip(f"the number of bpf(2) is not known on {platform.machine()}")
    descriptor = libc.syscall(number, BPF_PROG_LOAD, request, 128)
    if descriptor < 0:
        pytest.skip(f"the kernel loads no XDP program: {os.strerror(ctypes.get_errno())}")
    return int(descriptor)


def attach(name: str, program: int) -> None:
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, socket.if_nametoindex(name), 0, 0)
    what = (
        attribute(IFLA_XDP_FD, struct.pack("=i", program)),
        attribute(IFLA_XDP_FLAGS, struct.pack("=I", XDP_FLAGS_SKB_MODE)),
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as wire:
        wire.send(framed(RTM_SETLINK, NLM_F_ACK, 1, body + nested(IFLA_XDP, *what)))
        (code,) = struct.unpack_from("=i", wire.recv(4096), 16)
    os.close(program)
    assert code == 0, os.strerror(-code)
