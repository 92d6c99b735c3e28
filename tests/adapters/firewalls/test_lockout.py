"""No protected peer is locked out, shown with packets: the guard bans every address, and the world outside is at its gateway.

Neighbours are not written down beforehand, as elsewhere they are: to find them is part of what must go on.
"""

import fcntl
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.host.protected import LinuxHost
from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.host.logins import LoginTable
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.system.clock import SystemClock
from banlistd.core.addresses.canonical import hash_of
from banlistd.core.addresses.sets import AddressSet, to_text
from banlistd.core.config.model import Config, Source
from banlistd.core.feeds.parsers import parse
from banlistd.core.ruleset.plan import plan
from banlistd.core.ruleset.policy import Policy, policy_of
from banlistd.core.ruleset.state import Hook, Kind, MapId
from banlistd.formats import Format
from banlistd.model import Direction, Family, Mark, SourceId
from banlistd.services.enforcer import Enforcer
from banlistd.services.null_objects import NoAnnouncer, NoBootSnapshots, NoConnections
from banlistd.services.protected_host import ProtectedHost
from support.data import real_list
from support.fakes import FakeLogins
from support.network_namespace import NetworkNamespace, packets_in_order, settle, settle_address

FEED = SourceId("feed")
GUARD = ("198.51.100.2", "2001:db8:9::2")
GATEWAY = ("198.51.100.1", "2001:db8:9::1")
RESOLVER = ("203.0.113.53", "2001:db8:53::53")
ADMIN = ("203.0.113.77", "2001:db8:77::77")
PUBLISHER = ("203.0.113.80", "2001:db8:80::80")
STRANGER = ("203.0.113.99", "2001:db8:99::99")
LAN_GUARD, LAN_NEIGHBOUR = "10.9.0.2", "10.9.0.7"
EVERYTHING = b"0.0.0.0/0\n::/0\n"
SSH_PORT, DNS_PORT, HTTPS_PORT = 22, 53, 443


@dataclass(frozen=True)
class LockoutCase:
    guard: NetworkNamespace
    outside: NetworkNamespace
    folder: Path

    def ban(self, body: bytes, direction: Direction, *logins: str) -> AddressSet:
        """Enforce a list on the guard with all that the daemon would know of it; returns what was read.

        `logins`: where sessions of this moment come from.
        """
        addresses = parse(body, Format()).addresses
        self.guard.run(partial(enforce, self.folder, addresses, direction, logins))
        # A peer that was known must be found again.
        for namespace in (self.guard, self.outside):
            namespace.command("ip", "neighbour", "flush", "all")
        return addresses

    def arrives(self, source: str, target: str, herald: str, port: int = 0) -> bool:
        """Whether a datagram from outside, and from a port there, comes in. The herald's, sent after it, must."""
        with (
            closing(udp(self.guard, target)) as receiver,
            closing(udp(self.outside, source, port)) as sender,
            closing(udp(self.outside, herald)) as last,
        ):
            sender.sendto(b"asked", receiver.getsockname())
            last.sendto(b"last", receiver.getsockname())
            heard = [receiver.recv(16)]
            while heard[-1] != b"last":
                heard.append(receiver.recv(16))
            return b"asked" in heard

    def is_answered(self, client: str, server: str, port: int = 0) -> bool:
        """Whether the guard gets an answer from outside, and from a port there."""
        with closing(udp(self.guard, client)) as asking, closing(udp(self.outside, server, port)) as answering:
            asking.sendto(b"question", answering.getsockname())
            _, place = answering.recvfrom(16)
            answering.sendto(b"answer", place)
            return asking.recv(16) == b"answer"


def udp(namespace: NetworkNamespace, address: str, port: int = 0) -> socket.socket:
    made = namespace.run(partial(socket.socket, socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM))
    made.settimeout(60)
    made.bind((address, port))
    namespace.run(partial(settle_address, address))
    return made  # type: ignore[no-any-return]


async def enforce(folder: Path, addresses: AddressSet, direction: Direction, logins: Sequence[str]) -> None:
    async def lookup(hosts: Sequence[str], *, ask: bool = True) -> Mapping[str, Sequence[str]]:
        return dict.fromkeys(hosts, PUBLISHER)

    firewall = NftablesFirewall()
    async with open_database(folder / "db") as database:
        table = LoginTable(database)
        host = ProtectedHost(
            LinuxHost(lookup, {}, folder), FakeLogins(*logins), table, SystemClock(), await table.load(), tells_answers=True
        )
        ledger, policy = ImportRuns(database), policy_under(direction)
        enforcer = Enforcer(firewall, ledger, policy, host, NoAnnouncer(), NoBootSnapshots(), NoConnections())
        await enforcer.enforce(FEED, hash_of(addresses.encode()), addresses)
    await firewall.close()


def policy_under(direction: Direction) -> Policy:
    source = Source(id=FEED, url="https://lists.example/", direction=direction)
    return policy_of(Config(sources=(source,)), {FEED: Mark(1)}, 0.0)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[LockoutCase]:
    with ExitStack() as stack:
        guard, outside = (stack.enter_context(NetworkNamespace()) for _ in range(2))
        guard.command("ip", "link", "add", "wan", "type", "veth", "peer", "name", "street", "netns", outside.path)
        for namespace, name, four, six in ((guard, "wan", GUARD[0], GUARD[1]), (outside, "street", GATEWAY[0], GATEWAY[1])):
            namespace.run(partial(without_duplicate_detection, name))
            namespace.command("ip", "address", "add", f"{four}/24", "dev", name)
            namespace.command("ip", "address", "add", f"{six}/64", "dev", name, "nodad")
            namespace.command("ip", "link", "set", name, "up")
        guard.command("ip", "address", "add", f"{LAN_GUARD}/24", "dev", "wan")
        outside.command("ip", "address", "add", f"{LAN_NEIGHBOUR}/24", "dev", "street")
        for address in (*RESOLVER, *ADMIN, *PUBLISHER, *STRANGER):
            outside.command("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
        for gateway in GATEWAY:
            guard.command("ip", "route", "add", "::/0" if ":" in gateway else "0.0.0.0/0", "via", gateway)
        for namespace in (guard, outside):
            namespace.run(settle)
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/resolv.conf").write_text("".join(f"nameserver {address}\n" for address in RESOLVER), encoding="ascii")
        stack.enter_context(packets_in_order())
        yield LockoutCase(guard, outside, tmp_path)


def without_duplicate_detection(name: str) -> None:
    """Link-local addresses too are usable at once."""
    Path(f"/proc/sys/net/ipv6/conf/{name}/accept_dad").write_text("0", encoding="ascii")


both = pytest.mark.parametrize("direction", [Direction.IN, Direction.BOTH])
each_version = pytest.mark.parametrize("version", [0, 1], ids=["ipv4", "ipv6"])


@both
@each_version
def test_with_everything_banned_the_host_keeps_what_it_lives_by_and_a_stranger_is_kept_out(
    scene: LockoutCase, version: int, direction: Direction
) -> None:
    guard, gateway = GUARD[version], GATEWAY[version]
    assert scene.arrives(STRANGER[version], guard, gateway)
    scene.ban(EVERYTHING, direction)
    for source, port in ((gateway, 0), (RESOLVER[version], DNS_PORT)):
        assert scene.arrives(source, guard, gateway, port), source
        assert scene.is_answered(guard, source, port), source
    assert is_connected(scene, guard, PUBLISHER[version])
    for source in (RESOLVER[version], PUBLISHER[version]):
        assert not scene.arrives(source, guard, gateway)
    assert not scene.arrives(STRANGER[version], guard, gateway)
    assert not scene.arrives(ADMIN[version], guard, gateway)
    with closing(udp(scene.guard, guard)) as itself:
        itself.sendto(b"me", itself.getsockname())
        assert itself.recv(16) == b"me"


def is_connected(scene: LockoutCase, client: str, server: str) -> bool:
    """Whether a connection to a publisher is answered."""
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with (
        closing(scene.outside.run(partial(socket.create_server, (server, HTTPS_PORT), family=family))) as listener,
        closing(scene.guard.run(partial(socket.create_connection, (server, HTTPS_PORT), 20, (client, 0)))) as asking,
        closing(listener.accept()[0]) as answering,
    ):
        asking.sendall(b"question")
        answering.sendall(answering.recv(16))
        return bool(asking.recv(16) == b"question")


@both
@each_version
def test_a_banned_resolver_on_the_link_of_the_default_route_is_found_and_answers(
    scene: LockoutCase, version: int, direction: Direction
) -> None:
    guard, resolver = GUARD[version], ("198.51.100.53", "2001:db8:9::53")[version]
    scene.outside.command("ip", "address", "add", f"{resolver}/{(24, 64)[version]}", "dev", "street", *["nodad"][:version])
    (scene.folder / "etc/resolv.conf").write_text(f"nameserver {resolver}\n", encoding="ascii")
    scene.ban(EVERYTHING, direction)
    assert scene.is_answered(guard, resolver, DNS_PORT)
    assert not scene.arrives(resolver, guard, GATEWAY[version])


@both
def test_a_router_that_solicits_from_a_banned_address_of_its_own_is_answered(scene: LockoutCase, direction: Direction) -> None:
    other = "2001:db8:9::ff"
    scene.outside.command("ip", "address", "add", f"{other}/64", "dev", "street", "nodad")
    scene.ban(EVERYTHING, direction)
    with closing(scene.outside.run(partial(solicited, other, GUARD[1]))) as router:
        while (kind := router.recv(256)[0]) != ADVERTISEMENT:
            assert kind == SOLICITATION
    assert not scene.arrives(other, GUARD[1], GATEWAY[1])


SOLICITATION, ADVERTISEMENT = 135, 136
SIOCGIFHWADDR = 0x8927


def solicited(source: str, target: str) -> socket.socket:
    """Ask all for the hardware address of a neighbour; the socket at which the answer arrives."""
    asking = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    asking.settimeout(20)
    asking.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    index = socket.if_nametoindex("street")
    asking.bind((source, 0, 0, index))
    octets = socket.inet_pton(socket.AF_INET6, target)
    own = fcntl.ioctl(asking, SIOCGIFHWADDR, struct.pack("40s", b"street"))[18:24]
    group = f"ff02::1:ff{octets[13]:02x}:{octets[14]:02x}{octets[15]:02x}"
    asking.sendto(struct.pack("!B7x", SOLICITATION) + octets + b"\1\1" + own, (group, 0, 0, index))
    return asking


@both
@each_version
def test_a_live_ssh_session_goes_on_when_everything_is_banned(scene: LockoutCase, version: int, direction: Direction) -> None:
    with ssh_connection(scene, version) as (client, session):
        scene.ban(EVERYTHING, direction, ADMIN[version])
        for one, other in ((client, session), (session, client)):
            other.settimeout(60)
            one.sendall(b"still here")
            assert other.recv(16) == b"still here"
        assert not scene.arrives(STRANGER[version], GUARD[version], GATEWAY[version])


@both
@each_version
def test_a_connection_to_port_22_without_a_login_is_no_reason_to_spare_its_peer(
    scene: LockoutCase, version: int, direction: Direction
) -> None:
    with ssh_connection(scene, version):
        scene.ban(EVERYTHING, direction)
        assert not scene.arrives(ADMIN[version], GUARD[version], GATEWAY[version])


@each_version
def test_an_administrator_who_has_logged_out_may_come_back(scene: LockoutCase, version: int) -> None:
    scene.ban(b"", Direction.IN, ADMIN[version])
    scene.ban(EVERYTHING, Direction.IN)
    assert scene.arrives(ADMIN[version], GUARD[version], GATEWAY[version])
    assert not scene.arrives(STRANGER[version], GUARD[version], GATEWAY[version])


@both
@pytest.mark.parametrize(
    ("router", "client"), [("192.0.2.1/24", "192.0.2.7/24"), ("2001:db8:1::1/64", "2001:db8:1::7/64")], ids=["ipv4", "ipv6"]
)
def test_a_list_with_the_prefix_of_the_lan_does_not_cut_it_off(
    scene: LockoutCase, router: str, client: str, direction: Direction
) -> None:
    with NetworkNamespace() as lan:
        scene.guard.command("ip", "link", "add", "lan", "type", "veth", "peer", "name", "client", "netns", lan.path)
        for namespace, name, address in ((scene.guard, "lan", router), (lan, "client", client)):
            namespace.run(partial(without_duplicate_detection, name))
            namespace.command("ip", "address", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
            namespace.command("ip", "link", "set", name, "up")
        for namespace in (scene.guard, lan):
            namespace.run(settle)
        scene.ban(b"192.0.2.0/23\n2001:db8:1::/48\n203.0.113.99\n", direction)
        with (
            closing(udp(scene.guard, router.partition("/")[0])) as receiver,
            closing(udp(lan, client.partition("/")[0])) as sender,
        ):
            sender.sendto(b"here", receiver.getsockname())
            data, place = receiver.recvfrom(16)
            assert data == b"here"
            receiver.sendto(b"there", place)
            assert sender.recv(16) == b"there"
        assert not scene.arrives(STRANGER[0], GUARD[0], GATEWAY[0])


@contextmanager
def ssh_connection(scene: LockoutCase, version: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection from outside to port 22 of the guard: both ends."""
    family = (socket.AF_INET, socket.AF_INET6)[version]
    with (
        closing(scene.guard.run(partial(socket.create_server, (GUARD[version], SSH_PORT), family=family))) as listener,
        closing(scene.outside.run(partial(connect, ADMIN[version], GUARD[version]))) as client,
        closing(listener.accept()[0]) as session,
    ):
        yield client, session


def as_6to4(four: str) -> str:
    """RFC 3056; any host of the site."""
    return f"2002:{socket.inet_aton(four).hex(':', 2)}::7"


def as_nat64(four: str) -> str:
    """RFC 6052."""
    return f"64:ff9b::{socket.inet_aton(four).hex(':', 2)}"


EMBEDDED: Mapping[str, tuple[bytes, Callable[[str], str]]] = {
    "6to4, all": (b"2002::/16\n", as_6to4),
    "6to4, one site": (b"2002:cb00:7100::/40\n", as_6to4),
    "NAT64, all": (b"64:ff9b::/96\n", as_nat64),
    "NAT64, some": (b"64:ff9b::203.0.113.0/120\n", as_nat64),
    "mapped": (b"::ffff:203.0.113.0/120\n", str),
    "mapped, one by one": ("".join(f"::ffff:203.0.113.{n}\n" for n in range(256)).encode(), str),
    "mapped range": (b"::ffff:203.0.113.0-::ffff:203.0.113.255\n", str),
}


@both
@pytest.mark.parametrize("form", EMBEDDED)
def test_a_list_in_another_form_bans_whom_it_names_and_not_what_the_host_lives_by(
    scene: LockoutCase, form: str, direction: Direction
) -> None:
    body, written = EMBEDDED[form]
    friend, stranger = written(ADMIN[0]), written(STRANGER[0])
    version = int(":" in friend)
    for address in {friend, stranger} - {ADMIN[0], STRANGER[0]}:
        scene.outside.command("ip", "address", "add", address, "dev", "lo", "nodad")
    assert scene.arrives(stranger, GUARD[version], GATEWAY[version])
    scene.ban(body, direction, ADMIN[0])
    assert scene.arrives(friend, GUARD[version], GATEWAY[version])
    assert scene.is_answered(GUARD[version], friend)
    assert not scene.arrives(stranger, GUARD[version], GATEWAY[version])


@pytest.mark.parametrize("written", [as_nat64, as_6to4], ids=["NAT64", "6to4"])
def test_an_administrator_behind_a_translator_is_kept_when_all_of_ipv4_is_banned(
    scene: LockoutCase, written: Callable[[str], str]
) -> None:
    friend, stranger = written(ADMIN[0]), written(STRANGER[0])
    for address in (friend, stranger):
        scene.outside.command("ip", "address", "add", address, "dev", "lo", "nodad")
    scene.ban(b"0.0.0.0/0\n", Direction.IN, friend)
    assert scene.arrives(friend, GUARD[1], GATEWAY[1])
    assert not scene.arrives(stranger, GUARD[1], GATEWAY[1])


def connect(client: str, server: str) -> socket.socket:
    return socket.create_connection((server, SSH_PORT), timeout=60, source_address=(client, 0))


@both
def test_with_firehol_level_1_verbatim_the_private_network_goes_on(scene: LockoutCase, direction: Direction) -> None:
    """It lists 0.0.0.0/8, 10.0.0.0/8, 127.0.0.0/8, 192.168.0.0/16 and 224.0.0.0/3."""
    body = real_list("feeds/fh16_firehol_level1.netset").read_bytes()
    addresses = scene.ban(body, direction)
    for inside in (LAN_GUARD, LAN_NEIGHBOUR, "127.0.0.1", "192.168.7.7", "224.0.0.251"):
        assert addresses.contains(Family.IPV4, int.from_bytes(socket.inet_aton(inside), "big")), inside
    assert scene.arrives(LAN_NEIGHBOUR, LAN_GUARD, LAN_NEIGHBOUR)
    assert scene.is_answered(LAN_GUARD, LAN_NEIGHBOUR)
    assert scene.arrives(GATEWAY[0], GUARD[0], GATEWAY[0])
    banned = a_banned_address(addresses, direction)
    scene.outside.command("ip", "address", "add", banned, "dev", "lo", *(["nodad"] if ":" in banned else []))
    assert not scene.arrives(banned, GUARD[0], GATEWAY[0])


def a_banned_address(addresses: AddressSet, direction: Direction) -> str:
    """One that a guard with this list bans, whatever the edition of the list."""
    policy = policy_under(direction)
    planned = plan(policy.sources, {FEED: addresses}, policy.allowed, policy.never_banned, [])
    return to_text(Family.IPV4, planned.map_entries[MapId(Hook.IN, Kind.NETS, Family.IPV4)].first[0])


@both
@pytest.mark.parametrize(("group", "sender"), [("224.0.0.251", STRANGER[0]), ("ff02::fb", "fe80")], ids=["ipv4", "ipv6"])
def test_multicast_and_link_local_go_on_when_everything_is_banned(
    scene: LockoutCase, group: str, sender: str, direction: Direction
) -> None:
    """Out to a group whatever the version; in from a link-local sender."""
    scene.ban(EVERYTHING, direction)
    family = socket.AF_INET6 if ":" in group else socket.AF_INET
    with (
        closing(scene.outside.run(partial(join, family, group, "street"))) as listening,
        closing(scene.guard.run(partial(speaker, family, "wan"))) as speaking,
    ):
        speaking.sendto(b"hello", (group, listening.getsockname()[1]))
        data, place = listening.recvfrom(16)
        assert data == b"hello"
        if sender == "fe80":
            assert place[0].startswith("fe80")
            listening.sendto(b"answer", place)
            assert speaking.recv(16) == b"answer"


def join(family: int, group: str, name: str) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.settimeout(60)
    made.bind(("::" if family == socket.AF_INET6 else "", 0))
    index = socket.if_nametoindex(name)
    if family == socket.AF_INET6:
        membership = socket.inet_pton(family, group) + struct.pack("=i", index)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
    else:
        membership = socket.inet_pton(family, group) + bytes(4) + struct.pack("=i", index)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    return made


def speaker(family: int, name: str) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.settimeout(60)
    index = socket.if_nametoindex(name)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    else:
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, bytes(8) + struct.pack("=i", index))
    return made
