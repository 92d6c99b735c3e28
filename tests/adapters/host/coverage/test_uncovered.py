"""Traffic that passes no rule: what is found on constructed links, and on those of a real kernel."""

import asyncio
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from banlistd.adapters.host.coverage.uncovered import (
    UncoveredTraffic,
    remark_on_flowtable,
    remarks_on_bridges,
    remarks_on_guests,
)
from banlistd.adapters.host.route_netlink import Link, links
from banlistd.model import Remark
from support.network_namespace import NetworkNamespace, in_network_namespace

BRIDGE = Link(1, "br0", "bridge", address=b"bridge")
UPLINK = Link(2, "eth0", "", 1, b"uplink")
GUEST = Link(3, "vnet0", "tun", 1, b"guest0")
CONTAINER = Link(4, "veth0", "veth", 1, b"guest1")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@pytest.mark.parametrize(
    ("ports", "call_rules", "remarks"),
    [
        ((UPLINK, GUEST, CONTAINER), False, ["(vnet0, veth0): its packets pass no rule"]),
        ((UPLINK, GUEST), None, ["(vnet0): its packets pass no rule unless net.bridge.bridge-nf-call-iptables is 1"]),
        ((UPLINK, GUEST), True, []),
        ((UPLINK,), False, []),
        ((GUEST, CONTAINER), False, []),
    ],
    ids=["not called", "hidden by the unit", "called", "no guest", "routed guests, as Docker's"],
)
def test_a_bridge_between_guests_and_the_network_is_remarked_on(
    ports: Sequence[Link], call_rules: bool | None, remarks: Sequence[str]
) -> None:
    found = [remark.message for remark in remarks_on_bridges((BRIDGE, *ports), call_rules)]
    assert found == [f"bans do not cover the guests on bridge br0 {remark}" for remark in remarks]


def test_a_bridge_with_a_setting_of_its_own_is_covered() -> None:
    bridge = Link(1, "br0", "bridge", calls_rules=True)
    assert list(remarks_on_bridges((bridge, UPLINK, GUEST), call_rules=False)) == []


def test_a_bridge_that_shows_packets_of_ipv4_alone_is_remarked_on() -> None:
    ports = (UPLINK, GUEST)
    for call_rules6, doubt in ((False, ""), (None, " unless net.bridge.bridge-nf-call-ip6tables is 1")):
        (remark,) = remarks_on_bridges((BRIDGE, *ports), True, call_rules6)
        assert remark.message.endswith(f"(vnet0): its IPv6 packets pass no rule{doubt}")
    own = Link(1, "br0", "bridge", calls_rules=True, calls_rules6=True)
    assert list(remarks_on_bridges((own, *ports), False, False)) == []


def test_guests_with_a_tap_on_a_link_are_remarked_on_together() -> None:
    taps = [Link(number, f"tap{number}", "macvtap", address=bytes([2, number])) for number in range(5)]
    (remark,) = remarks_on_guests([UPLINK, *taps], [(2, tap.address) for tap in taps])
    assert remark.message.startswith("bans do not cover the guests of tap0, tap1, tap2 and 2 more:")


def test_a_macvlan_of_this_host_itself_is_covered() -> None:
    own = Link(5, "mv0", "macvlan", address=b"macvl0")
    assert list(remarks_on_guests([UPLINK, own], [(2, b"macvl0")])) == []


def test_a_flowtable_is_named_and_its_name_cannot_break_a_line() -> None:
    assert "ft" in remark_on_flowtable("fw4", "ft").message
    assert "\n" not in remark_on_flowtable("a\nb", "c\x1b[31m").message
    assert "\x1b" not in remark_on_flowtable("a\nb", "c\x1b[31m").message


@in_network_namespace
async def test_a_macvlan_in_another_namespace_is_found() -> None:
    uncovered = UncoveredTraffic()
    try:
        ip("link", "add", "g0", "type", "veth", "peer", "name", "g1")
        ip("link", "set", "g0", "up")
        assert await uncovered.remarks() == []
        with NetworkNamespace() as guest:
            ip("link", "add", "mv0", "link", "g0", "type", "macvlan", "mode", "bridge")
            ip("link", "set", "mv0", "netns", guest.path)
            guest.run(lambda: ip("link", "set", "mv0", "up"))
            (remark,) = await uncovered.remarks()
            assert remark.message.startswith("bans do not cover the macvlan guests on g0:")
    finally:
        uncovered.close()


@in_network_namespace
def test_links_are_read_with_their_kind_and_their_bridge() -> None:
    ip("link", "add", "br0", "type", "bridge", "nf_call_iptables", "1", "nf_call_ip6tables", "1")
    ip("link", "add", "g0", "type", "veth", "peer", "name", "g1")
    ip("link", "set", "g0", "master", "br0")
    found = {link.name: link for link in links()}
    assert (found["br0"].kind, found["br0"].calls_rules, found["br0"].master) == ("bridge", True, 0)
    assert found["br0"].calls_rules6
    assert (found["g0"].kind, found["g0"].master, found["g1"].master) == ("veth", found["br0"].index, 0)
    assert len(found["g0"].address) == 6


def test_the_settings_of_bridges_are_looked_up(tmp_path: Path) -> None:
    setting = tmp_path / "proc/sys/net/bridge/bridge-nf-call-iptables"
    uncovered = UncoveredTraffic(tmp_path)
    assert uncovered.bridges_call_rules() is None
    (tmp_path / "sys/module").mkdir(parents=True)
    assert uncovered.bridges_call_rules() is False
    (tmp_path / "sys/module/br_netfilter").mkdir()
    assert uncovered.bridges_call_rules() is None
    setting.parent.mkdir(parents=True)
    for text, answer in (("1\n", True), ("0\n", False)):
        setting.write_text(text)
        assert uncovered.bridges_call_rules() is answer


def test_those_who_ask_before_a_look_begins_share_it_and_no_one_gets_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    began, may_end, looks = threading.Semaphore(0), threading.Semaphore(0), list[int]()

    def look(_: UncoveredTraffic) -> Sequence[Remark]:
        number = len(looks)
        looks.append(number)
        began.release()
        may_end.acquire()
        return [Remark(str(number), "")]

    monkeypatch.setattr(UncoveredTraffic, "_remarks", look)

    async def ask() -> list[Sequence[Remark]]:
        traffic = UncoveredTraffic()
        both = [asyncio.ensure_future(traffic.remarks()) for _ in range(2)]
        await asyncio.to_thread(began.acquire)
        late = [asyncio.ensure_future(traffic.remarks()) for _ in range(2)]
        await asyncio.sleep(0)
        for _ in range(2):
            may_end.release()
        return await asyncio.gather(*both, *late)

    found = asyncio.run(ask())
    assert [remark.message for remarks in found for remark in remarks] == ["0", "0", "1", "1"]
