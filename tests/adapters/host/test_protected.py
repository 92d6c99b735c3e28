"""What must not be locked out is found: in a real network namespace, on real connections, in files written for the test."""

import asyncio
import socket
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread

import pytest

from banlistd.adapters.host import protected, route_netlink
from banlistd.adapters.host.addresses import read_span
from banlistd.adapters.host.protected import LinuxHost, ports_by_host
from banlistd.adapters.host.resolver import ASK_AGAIN, MAX_ADDRESSES, MAX_AT_ONCE, RETRY, Names
from banlistd.adapters.netlink.messages import attribute, nested, text_attribute
from banlistd.core.addresses.text import span_text
from banlistd.errors import LedgerError
from banlistd.model import AnswerPort, Family, Protected
from support.fakes import FakeClock
from support.network_namespace import in_network_namespace


async def no_names(hosts: Sequence[str], *, ask: bool = True) -> Mapping[str, Sequence[str]]:
    return {}


def find(
    root: Path, urls: Sequence[str] = (), known: Mapping[str, Sequence[str]] | None = None, **environment: str
) -> dict[str, str]:
    """Reasons by address."""

    async def lookup(hosts: Sequence[str], *, ask: bool = True) -> Mapping[str, Sequence[str]]:
        return {host: (known or {}).get(host, ()) for host in hosts}

    found = asyncio.run(LinuxHost(lookup, environment, root).protected(urls))
    assert list(found) == sorted(found, key=lambda item: (item.family, item.first))
    return reasons(found)


def reasons(found: Sequence[Protected]) -> dict[str, str]:
    answer = {span_text(item.span): item.reason for item in found}
    assert len(answer) == len(found)
    return answer


def write(root: Path, place: str, text: str) -> None:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_text(text, encoding="utf-8")


@in_network_namespace
def test_addresses_and_gateways_of_all_interfaces_and_tables_are_found(tmp_path: Path) -> None:
    for words in (
        "link add one type veth peer name two",
        "address add 192.0.2.2/24 dev one",
        "address add 198.51.100.1 peer 198.51.100.2 dev two",
        "address add 2001:db8::2/64 dev one nodad",
        "link set one up",
        "link set two up",
        "route add default via 192.0.2.1",
        "route add 203.0.113.0/25 nexthop via 192.0.2.3 nexthop via 192.0.2.4",
        "route add 203.0.113.128/25 via 192.0.2.5 table 77",
        "route add 203.0.112.0/24 via inet6 2001:db8::6 dev one",
        "route add default via 2001:db8::1",
        "route add 2001:db8:1::/48 nexthop via 2001:db8::3 nexthop via 2001:db8::4",
    ):
        command_ip(words)
    found = find(tmp_path)
    assert found["127.0.0.1"] == "address of lo"
    assert found["::1"] == "address of lo"
    assert found["192.0.2.2"] == found["2001:db8::2"] == "address of one"
    assert found["198.51.100.1"] == found["198.51.100.2"] == "address of two"
    gateways = {address for address, reason in found.items() if reason == "gateway"}
    assert gateways >= {f"192.0.2.{last}" for last in (1, 3, 4, 5)}
    assert gateways >= {f"2001:db8::{last}" for last in (1, 3, 4, 6)}


def command_ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True)


@in_network_namespace
def test_an_interface_may_have_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    command_ip("link add w\udcff0 type veth peer name two")
    command_ip("address add 192.0.2.2/32 dev w\udcff0")
    assert find(tmp_path)["192.0.2.2"] == "address of w\N{REPLACEMENT CHARACTER}0"


@in_network_namespace
def test_a_tcp_connection_to_port_22_protects_nobody(tmp_path: Path) -> None:
    command_ip("address add 192.0.2.2/32 dev lo")
    with (
        closing(socket.create_server(("192.0.2.2", 22))) as listener,
        closing(socket.create_connection(("192.0.2.2", 22), timeout=60, source_address=("127.0.0.9", 0))),
        closing(listener.accept()[0]),
    ):
        assert "127.0.0.9" not in find(tmp_path)


def router(*routes: str) -> None:
    """`wan` with a network outside, `lan` with one inside."""
    for name in ("wan", "lan"):
        command_ip(f"link add {name} type veth peer name {name}-peer")
        command_ip(f"link set {name} up")
        command_ip(f"link set {name}-peer up")
    command_ip("address add 198.51.100.2/24 dev wan")
    command_ip("address add 203.0.113.1/24 dev lan")
    command_ip("address add 2001:db8:1::1/64 dev lan nodad")
    for route in routes:
        command_ip(f"route add {route}")


def networks(found: Mapping[str, str]) -> dict[str, str]:
    return {address: reason for address, reason in found.items() if reason.startswith(("network of", "delegated"))}


INSIDE = {"203.0.113.0/24": "network of lan", "2001:db8:1::/64": "network of lan"}


@in_network_namespace
@pytest.mark.parametrize(
    "route",
    ["default via 198.51.100.1", "default dev wan", "0.0.0.0/1 via 198.51.100.1", "default via 198.51.100.1 table 77"],
)
def test_networks_inside_are_protected_and_those_on_the_way_out_are_not(tmp_path: Path, route: str) -> None:
    router(route)
    assert networks(find(tmp_path)) == INSIDE


@in_network_namespace
@pytest.mark.parametrize("says", [1, 0], ids=["the routes say it too", "the routes name their next hops alone"])
def test_next_hops_that_routes_share_are_gateways_and_lead_out(tmp_path: Path, says: int) -> None:
    Path("/proc/sys/net/ipv4/nexthop_compat_mode").write_text(str(says), encoding="ascii")
    router()
    for words in (
        "nexthop add id 7 via 198.51.100.1 dev wan",
        "nexthop add id 8 via 198.51.100.3 dev wan",
        "nexthop add id 9 group 7/8",
        "nexthop add id 10 via 2001:db8:1::9 dev lan",
        "nexthop add id 11 dev lan",
        "nexthop add id 12 blackhole",
        "route add default nhid 9",
        "route add 192.0.2.0/26 nhid 7",
        "route add 192.0.2.64/26 nhid 11",
        "route add 192.0.2.128/26 nhid 12",
        "route add 2001:db8:2::/48 nhid 10",
    ):
        command_ip(words)
    found = find(tmp_path)
    gateways = {address for address, reason in found.items() if reason == "gateway"}
    assert gateways == {"198.51.100.1", "198.51.100.3", "2001:db8:1::9"}
    assert networks(found) == {**INSIDE, "192.0.2.64/26": "network of lan"}


@in_network_namespace
def test_without_a_default_route_gatewayed_routes_lead_out(tmp_path: Path) -> None:
    router("192.0.2.0/24 via 198.51.100.1")
    assert networks(find(tmp_path)) == INSIDE


@in_network_namespace
def test_a_host_that_cannot_tell_inside_from_outside_protects_no_network(tmp_path: Path) -> None:
    router()
    assert networks(find(tmp_path)) == {}


@in_network_namespace
def test_the_prefix_that_dhcp_delegated_and_on_link_routes_are_protected(tmp_path: Path) -> None:
    router(
        "default via 198.51.100.1",
        "unreachable 2001:db8:ff00::/56 proto dhcp",
        "unreachable 2001:db8:bad::/48",
        "192.0.2.64/26 dev lan",
        "192.0.2.128/26 via 203.0.113.9",
    )
    assert networks(find(tmp_path)) == {
        **INSIDE,
        "192.0.2.64/26": "network of lan",
        "2001:db8:ff00::/56": "delegated prefix",
    }


@in_network_namespace
def test_the_other_ends_of_tunnels_are_protected_wholly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router("default via 198.51.100.1")
    for words in (
        "link add v4 type vxlan id 1 remote 192.0.2.77 dstport 4789 dev wan",
        "link add v6 type vxlan id 2 remote 2001:db8:9::77 dstport 4790 dev wan",
        "link add many type vxlan id 3 group 239.1.1.1 dstport 4791 dev wan",
        "link add any type vxlan dstport 4792 external",
    ):
        command_ip(words)
    monkeypatch.setattr(protected, "PAUSES", 0)
    host = LinuxHost(no_names, {}, tmp_path)
    before = asyncio.run(host.protected(()))
    found = [item for item in before if "tunnel" in item.reason]
    assert [(span_text(item.span), item.reason, item.scope, item.learned) for item in found] == [
        ("192.0.2.77", "remote of tunnel v4", "everything", True),
        ("2001:db8:9::77", "remote of tunnel v6", "everything", True),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(route_netlink, "NETLINK_ROUTE", 31)
        assert asyncio.run(host.protected(())) == before
    command_ip("link del v4")
    assert "192.0.2.77" not in reasons(asyncio.run(host.protected(())))
    monkeypatch.setattr(protected, "PAUSES", 1e9)
    asyncio.run(host.protected(()))
    command_ip("link del v6")
    assert "2001:db8:9::77" in reasons(asyncio.run(host.protected(())))


REMOTE4, REMOTE6 = bytes((192, 0, 2, 77)), bytes.fromhex("20010db8000900000000000000000077")


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        *((kind, 3) for kind in ("ipip", "sit", "ip6tnl")),
        *((kind, 7) for kind in ("gre", "gretap", "erspan", "ip6gre", "ip6gretap", "ip6erspan")),
        *((kind, 5) for kind in ("vti", "vti6")),
        ("geneve", 2),
        ("geneve", 7),
    ],
)
def test_each_kind_of_tunnel_names_its_other_end(kind: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As linux/if_tunnel.h and linux/if_link.h lay the attributes out: this kernel may have none of these tunnels."""

    def tunnels_with(remote: bytes) -> list[tuple[str, bytes]]:
        about = nested(18, text_attribute(1, kind), nested(2, attribute(1, b"\7\0\0\0"), attribute(number, remote)))
        answer = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 5, 0, 0) + text_attribute(3, "tun5") + about
        monkeypatch.setattr(route_netlink, "dump_of", lambda *_: iter([answer]))
        return [*route_netlink.tunnels()]

    remote = REMOTE6 if kind.startswith("ip6") or kind == "vti6" or (kind, number) == ("geneve", 7) else REMOTE4
    assert tunnels_with(remote) == [("tun5", remote)]
    for none in (bytes(len(remote)), b"\xff" * len(remote) if len(remote) == 16 else b"\xef\1\1\1"):
        assert tunnels_with(none) == []


@in_network_namespace
def test_networks_inside_outlast_the_default_route(tmp_path: Path) -> None:
    router("default via 198.51.100.1")
    host = LinuxHost(no_names, {}, tmp_path)
    before = asyncio.run(host.protected(()))
    command_ip("route del default")
    assert networks(reasons(asyncio.run(host.protected(())))) == networks(reasons(before)) == INSIDE


@in_network_namespace
def test_what_cannot_be_read_for_once_stays_protected(tmp_path: Path) -> None:
    router("default via 198.51.100.1")
    host = LinuxHost(no_names, {}, tmp_path)
    before = asyncio.run(host.protected(()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(route_netlink, "NETLINK_ROUTE", 31)
        assert asyncio.run(host.protected(())) == before
    assert networks(reasons(before)) == INSIDE


def test_resolvers_are_found_also_behind_a_stub(tmp_path: Path) -> None:
    write(tmp_path, "etc/resolv.conf", "# nameserver 192.0.2.9\nnameserver 127.0.0.53\nnameserver fe80::7%eth0\nnameserver x\n")
    write(tmp_path, "run/systemd/resolve/resolv.conf", "search lan\nnameserver\t192.0.2.53\nnameserver 2001:db8::53")
    found = find(tmp_path)
    assert {address for address, reason in found.items() if "resolver" in reason} == {
        "127.0.0.53",
        "192.0.2.53",
        "2001:db8::53",
        "fe80::7",
    }


def test_the_hosts_of_feeds_and_of_the_proxy_to_them_are_found(tmp_path: Path) -> None:
    known = {"lists.example": ("192.0.2.10", "2001:db8::10"), "proxy.example": ("192.0.2.20",)}
    urls = (
        "https://user:secret@lists.example:8443/a",
        "https://lists.example/b",
        "http://192.0.2.30/",
        "http://[2001:db8::30]/",
    )
    found = find(tmp_path, urls, known, https_proxy="proxy.example:3128")
    assert found["192.0.2.10"] == found["2001:db8::10"] == "host of feed lists.example"
    assert found["192.0.2.20"] == "host of proxy proxy.example"
    assert found["192.0.2.30"] == "host of feed 192.0.2.30"
    assert found["2001:db8::30"] == "host of feed 2001:db8::30"
    assert "192.0.2.20" not in find(tmp_path, (), known, https_proxy="proxy.example:3128")


def test_a_url_without_a_host_is_left_out() -> None:
    urls = ["http://[half/", "file:///etc/passwd", "", "mqtt://broker.example:1883", "no url", "http://192.0.2.1:x/"]
    assert ports_by_host(urls) == {"broker.example": (AnswerPort("tcp", 1883),)}


def test_an_address_is_read_from_octets_and_text_and_without_its_scope() -> None:
    one = (Family.IPV4, 0xC0000201, 0xC0000201)
    assert read_span("192.0.2.1") == read_span(bytes([192, 0, 2, 1])) == read_span("::ffff:192.0.2.1") == one
    assert read_span("fe80::7%eth0") == (Family.IPV6, int(ip_address("fe80::7")), int(ip_address("fe80::7")))
    for none in ("0.0.0.0", "::", b"x", "no address", ""):
        assert read_span(none) is None


def test_a_network_is_read_with_its_bits() -> None:
    assert read_span("192.0.2.77", 24) == (Family.IPV4, 0xC0000200, 0xC00002FF)
    for address, bits in (("fe80::1", 64), ("ff00::", 8), ("127.0.0.1", 8), (b"", 0), ("192.0.2.1", 33)):
        assert read_span(address, bits) is None


@in_network_namespace
def test_an_address_of_the_host_that_is_a_resolver_too_is_there_once_and_needed_for_everything(tmp_path: Path) -> None:
    write(tmp_path, "etc/resolv.conf", "nameserver 127.0.0.1\nnameserver 192.0.2.53\n")
    found = {span_text(item.span): item for item in asyncio.run(LinuxHost(no_names, {}, tmp_path).protected(()))}
    own, resolver = found["127.0.0.1"], found["192.0.2.53"]
    assert (own.reason, own.learned, own.scope) == ("address of lo, resolver", False, "everything")
    assert (resolver.reason, resolver.learned, resolver.scope) == ("resolver", True, "answers from udp 53, tcp 53, tcp 853")


@in_network_namespace
def test_time_servers_and_dhcp_servers_are_found_where_they_are_addresses(tmp_path: Path) -> None:
    write(tmp_path, "etc/systemd/timesyncd.conf", "[Time]\n#NTP=192.0.2.9\nNTP=192.0.2.1 time.example 2001:db8::1\n")
    write(tmp_path, "etc/systemd/timesyncd.conf.d/a.conf", "[Time]\nFallbackNTP=192.0.2.2\n")
    write(tmp_path, "etc/chrony/chrony.conf", "pool pool.example iburst\nserver 192.0.2.3 iburst\n# server 192.0.2.9\n")
    write(tmp_path, "run/systemd/netif/leases/2", "# lease\nADDRESS=192.0.2.8\nSERVER_ADDRESS=192.0.2.4\n")
    write(tmp_path, "var/lib/dhcp/dhclient.eth0.leases", "lease {\n  option dhcp-server-identifier 192.0.2.5;\n}\n")
    found = asyncio.run(LinuxHost(no_names, {}, tmp_path).protected(()))
    scopes = {span_text(item.span): (item.reason, item.scope) for item in found if item.learned}
    time, dhcp = ("time server", "answers from udp 123"), ("DHCP server", "answers from udp 67")
    assert scopes == {
        **dict.fromkeys(("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"), time),
        **dict.fromkeys(("192.0.2.4", "192.0.2.5"), dhcp),
    }


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "etc/resolv.conf").mkdir(parents=True)
    write(tmp_path, "etc/ssh", "a file where a folder should be")
    write(tmp_path, "run/systemd/resolve/resolv.conf", "\0\udcff nameserver \x1b[31m".encode("utf-8", "replace").decode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(route_netlink, "NETLINK_ROUTE", 31)
        assert find(tmp_path) == {}


@in_network_namespace
def test_a_router_with_the_whole_internet_in_its_tables_is_read_in_part_and_in_time(tmp_path: Path) -> None:
    command_ip("link add one type veth peer name two")
    command_ip("address add 192.0.2.2/24 dev one")
    command_ip("link set two up")
    command_ip("link set one up")
    batch = tmp_path / "routes"
    lines = (f"route add 20.{n >> 8}.{n & 255}.0/24 via 192.0.2.3" for n in range(30_000))
    batch.write_text("route add default via 192.0.2.1\n" + "\n".join(lines), encoding="ascii")
    command_ip(f"-batch {batch}")
    shares = []
    for _ in range(3):  # a busy machine may keep the processor from one of them
        began = time.perf_counter()
        command_ip("route show table all")
        listed = time.perf_counter()
        found = find(tmp_path)
        shares.append((time.perf_counter() - listed) / (listed - began))
    # Some 0.1 s for each on a machine that is idle.
    assert min(shares) < 10
    assert found["192.0.2.1"] == "gateway"
    assert found["192.0.2.3"] == "gateway"


class Resolver:
    """In the place of the system's: answers what it is told, or nothing until it is let go."""

    def __init__(self) -> None:
        self.answers: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.open = Event()
        self.open.set()

    def __call__(self, host: str, *_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        self.asked.append(host)
        assert self.open.wait(20)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_AGAIN, "silent")
        return [(0, 0, 0, "", (address, 0)) for address in self.answers[host]]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    return made


async def until(names: Names, expected: Mapping[str, Sequence[str]]) -> None:
    """Answers come from threads, when they come."""
    async with asyncio.timeout(60):
        while await names.addresses([*expected]) != expected:  # noqa: ASYNC110 - threads end without an event
            await asyncio.sleep(0)


def test_a_name_is_asked_for_once_in_a_while_and_keeps_what_it_had(resolver: Resolver) -> None:
    async def story() -> None:
        clock = FakeClock()
        names = Names(clock)
        resolver.answers = {"a": ["192.0.2.1"]}
        assert await names.addresses(["a", "b"]) == {"a": ("192.0.2.1",), "b": ()}
        assert await names.addresses(["a", "b"]) == {"a": ("192.0.2.1",), "b": ()}
        assert sorted(resolver.asked) == ["a", "b"]
        clock.time += RETRY
        resolver.answers = {"b": ["192.0.2.2"]}
        await until(names, {"a": ("192.0.2.1",), "b": ("192.0.2.2",)})
        clock.time += ASK_AGAIN
        resolver.answers = {"a": ["192.0.2.3"]}
        await names.addresses(["a", "b"])
        await until(names, {"a": ("192.0.2.1", "192.0.2.3"), "b": ("192.0.2.2",)})

    asyncio.run(story())


def test_a_name_for_which_no_thread_can_start_is_asked_for_later(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> None:
        clock = FakeClock()
        names = Names(clock)
        resolver.answers = {"a": ["192.0.2.1"]}
        with monkeypatch.context() as patched:
            patched.setattr(Thread, "start", refused)
            assert await names.addresses(["a"]) == {"a": ()}
        clock.time += RETRY
        await until(names, {"a": ("192.0.2.1",)})

    asyncio.run(story())


def test_what_an_earlier_process_was_connected_to_is_known_and_not_asked_for(resolver: Resolver) -> None:
    async def story() -> None:
        resolver.answers = {"a": ["192.0.2.2"]}
        names = Names(FakeClock(), known={"a": ("192.0.2.1",)})
        assert await names.addresses(["a", "b"], ask=False) == {"a": ("192.0.2.1",), "b": ()}
        assert await names.addresses(["a"]) == {"a": ("192.0.2.1",)}
        assert resolver.asked == []

    asyncio.run(story())


def test_a_connection_replaces_what_the_name_service_gave(resolver: Resolver) -> None:
    async def story() -> None:
        clock = FakeClock()
        names = Names(clock)
        resolver.answers = {"a": [f"192.0.2.{n}" for n in range(1, 65)]}
        assert len((await names.addresses(["a"]))["a"]) == MAX_ADDRESSES
        names.note_connection("a", "192.0.2.50")
        clock.time += ASK_AGAIN
        assert await names.addresses(["a"]) == {"a": ("192.0.2.50",)}
        for n in range(1, 10):
            names.note_connection("a", f"198.51.100.{n}")
        assert await names.addresses(["a"]) == {"a": tuple(f"198.51.100.{n}" for n in range(6, 10))}
        assert resolver.asked == ["a"]

    asyncio.run(story())


def test_connections_are_written_down_when_they_change_and_not_before(resolver: Resolver) -> None:
    async def story() -> None:
        written: list[Mapping[str, Sequence[str]]] = []

        async def keep(names: Mapping[str, Sequence[str]]) -> None:
            written.append(names)

        names = Names(FakeClock(), known={"a": ("192.0.2.1",), "gone": ("192.0.2.9",)}, keep=keep)
        resolver.answers = {"b": ["192.0.2.2"]}
        names.note_connection("a", "192.0.2.1")
        for _ in range(3):
            await names.addresses(["a", "b"])
            await names.wait_until_idle()
        assert written == [{"a": ("192.0.2.1",)}]
        names.note_connection("b", "192.0.2.3")
        await names.addresses(["a", "b"])
        await names.wait_until_idle()
        assert written[1:] == [{"a": ("192.0.2.1",), "b": ("192.0.2.3",)}]

    asyncio.run(story())


def test_a_ledger_that_takes_nothing_keeps_no_name_from_being_known(resolver: Resolver) -> None:
    async def story() -> None:
        async def keep(_: Mapping[str, Sequence[str]]) -> None:
            raise LedgerError("the disk is full")

        names = Names(FakeClock(), keep=keep)
        names.note_connection("a", "192.0.2.1")
        assert await names.addresses(["a"]) == {"a": ("192.0.2.1",)}
        await names.wait_until_idle()

    asyncio.run(story())


def test_a_silent_name_service_is_not_waited_for_and_the_names_come_later(resolver: Resolver) -> None:
    async def story() -> None:
        names = Names(FakeClock(), deadline=0.01)
        resolver.answers = {f"h{n}": ["192.0.2.1"] for n in range(40)}
        resolver.open.clear()
        assert set((await names.addresses([*resolver.answers])).values()) == {()}
        assert len(resolver.asked) < 40
        names = Names(FakeClock(), deadline=3600)
        waiting = asyncio.ensure_future(names.addresses(["h1"]))
        await asyncio.sleep(0)
        assert await names.addresses(["h1"]) == {"h1": ()}, "only who asks first waits"
        waiting.cancel()
        resolver.open.set()
        await until(names, dict.fromkeys(resolver.answers, ("192.0.2.1",)))

    asyncio.run(story())


def test_a_silent_name_service_is_waited_for_once_however_many_names_there_are(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = []
    wait = asyncio.wait

    async def noted(futures: Sequence[asyncio.Future[None]], *, timeout: float) -> object:  # noqa: ASYNC109 - as asyncio's own
        waits.append(len(futures))
        return await wait(futures, timeout=timeout)

    async def story() -> None:
        names, hosts = Names(clock := FakeClock(), deadline=0.01), [f"h{n}" for n in range(40)]
        monkeypatch.setattr(asyncio, "wait", noted)
        resolver.open.clear()
        await names.addresses(hosts)
        resolver.open.set()  # they fail at last, and others are asked for
        async with asyncio.timeout(60):
            while len(resolver.asked) < len(hosts):
                await names.addresses(hosts)
                await asyncio.sleep(0)
        assert waits == [MAX_AT_ONCE]
        clock.time += ASK_AGAIN
        await names.addresses(["another"])
        assert waits == [MAX_AT_ONCE, 1]

    asyncio.run(story())


def test_lookup_may_outlive_the_daemon(resolver: Resolver) -> None:
    resolver.open.clear()
    assert asyncio.run(Names(FakeClock(), deadline=0.01).addresses(["a"])) == {"a": ()}
    resolver.open.set()


def test_the_systems_own_resolver_knows_this_host() -> None:
    known = asyncio.run(Names(FakeClock()).addresses(["localhost", "a..b", "x" * 300]))
    assert set(known["localhost"]) & {"127.0.0.1", "::1"}
    assert known["a..b"] == known["x" * 300] == ()
