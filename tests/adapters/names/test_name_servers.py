"""A real program without rights asks a real name server, one that answers rightly and others that do not."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from banlistd.adapters.names.messages import MOST_SENT, ServerAnswer
from banlistd.adapters.names.name_servers import NameServers
from banlistd.adapters.system.clock import SystemClock
from support.name_server import HostFiles, NameServer, Query
from support.network_namespace import in_network_namespace

ZONE = [
    "plain.example. 300 A 192.0.2.1",
    "plain.example. 300 A 192.0.2.2",
    "both.example. 300 A 192.0.2.1",
    "both.example. 90 AAAA 2001:db8::1",
    "six.example. 70 AAAA 2001:db8::2",
    "alias.example. 900 CNAME other.example.",
    "other.example. 61 CNAME plain.example.",
    "zero.example. 0 A 192.0.2.3",
    "longest.example. 2147483647 A 192.0.2.4",
    "many.example. 300 CNAME all.example.",
    *(f"all.example. 300 A 198.51.{number // 256}.{number % 256}" for number in range(4000)),
]
SERVERS = "nameserver 127.0.0.1\n"


@asynccontextmanager
async def asking(**settings: Any) -> Any:
    servers = NameServers(SystemClock(), **settings)
    try:
        yield servers
    finally:
        await servers.close()


def answered(answer: ServerAnswer | None) -> tuple[int, tuple[str, ...]] | None:
    """TTL and addresses, sorted; None where the host is to be asked."""
    return (answer.ttl, tuple(sorted(answer.addresses))) if answer is not None and answer.is_of_dns else None


@contextmanager
def host(folder: Path, records: Iterable[str] = ZONE, **files: str) -> Iterator[tuple[NameServer, HostFiles]]:
    found = HostFiles(folder, files.pop("servers", SERVERS), **files)
    with NameServer([*records]) as server:
        yield server, found


@in_network_namespace
async def test_an_answer_has_all_addresses_and_the_least_ttl_on_the_way(tmp_path: Path) -> None:
    with host(tmp_path) as (server, _):
        async with asking() as servers:
            expected = {
                "plain.example": (300, ("192.0.2.1", "192.0.2.2")),
                "both.example": (90, ("192.0.2.1", "2001:db8::1")),
                "six.example": (70, ("2001:db8::2",)),
                "alias.example": (61, ("192.0.2.1", "192.0.2.2")),
                "zero.example": (0, ("192.0.2.3",)),
                "longest.example": (2**31 - 1, ("192.0.2.4",)),
                "unknown.example": None,
            }
            found = await asyncio.gather(*(servers.ask(name, 5.0) for name in expected))
            assert dict(zip(expected, map(answered, found), strict=True)) == expected
            assert {transport for *_, transport in server.asked} == {"udp"}
            ttl, addresses = answered(await servers.ask("many.example", 5.0)) or (0, ())
            assert (ttl, len(addresses)) == (300, MOST_SENT), "4,000 are too many, and so many show that"
            assert ("many.example.", "A", "tcp") in server.asked


def with_ttl(server: NameServer, ttl: int) -> Callable[[Query, str], Iterable[bytes]]:
    """The answer with a TTL that no zone file may have."""

    def answering(query: Query, _: str) -> Iterable[bytes]:
        yield server.right_answer(query).to_wire().replace((77).to_bytes(4, "big"), ttl.to_bytes(4, "big"))

    return answering


def wrong(server: NameServer, spoil: Callable[[bytes], bytes]) -> Callable[[Query, str], Iterable[bytes]]:
    """An answer with a wrong address that is spoiled, before the right one."""

    def answering(query: Query, _: str) -> Iterable[bytes]:
        right = server.right_answer(query).to_wire()
        yield spoil(right.replace(bytes([192, 0, 2, 1]), bytes([203, 0, 113, 1])))
        yield right

    return answering


def of_another_question(wire: bytes) -> bytes:
    return wire.replace(b"\x05plain", b"\x05other")


HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "of another id": lambda wire: bytes([wire[0] ^ 1]) + wire[1:],
    "of another question": of_another_question,
    "cut off": lambda wire: wire[:-3],
    "empty": lambda _: b"",
    "no answer but a query": lambda wire: wire[:2] + b"\0\0" + wire[4:],
    "of 60,000 octets": lambda wire: wire[:12] + b"\xc0\x0c" * 30_000,
    "of names that point to themselves": lambda wire: wire[:12] + b"\xc0\x0c" + wire[14:],
}


@in_network_namespace
async def test_packets_that_are_no_answer_are_passed_over_and_the_true_one_counts(tmp_path: Path) -> None:
    with host(tmp_path, ["plain.example. 77 A 192.0.2.1"]) as (server, _):
        async with asking() as servers:
            for kind, spoil in HOSTILE.items():
                server.answering = wrong(server, spoil)
                assert answered(await servers.ask("plain.example", 5.0)) == (77, ("192.0.2.1",)), kind
            for ttl in (2**31, 2**32 - 1):
                server.answering = with_ttl(server, ttl)
                assert answered(await servers.ask("plain.example", 5.0)) == (0, ("192.0.2.1",)), ttl


def nothing(_: Query, __: str) -> Iterable[bytes]:
    return ()


def garbage(query: Query, transport: str) -> Iterable[bytes]:
    head = query.to_wire()[:2] + b"\x84\x00"
    yield head + (b"\x02\x00" + bytes(8) if transport == "udp" else bytes(65_000))


def truncated(query: Query, transport: str) -> Iterable[bytes]:
    yield query.to_wire()[:2] + b"\x86\x00" + query.to_wire()[4:] if transport == "udp" else b"\xff" * 65_535


def refused(query: Query, _: str) -> Iterable[bytes]:
    yield query.to_wire()[:2] + b"\x84\x05" + query.to_wire()[4:]


def only_ipv4(query: Query, _: str) -> Iterable[bytes]:
    if query.question[0].rdtype == 1:
        yield NAMES.right_answer(query).to_wire()


class _Zone(NameServer):
    def __init__(self) -> None:
        self.records = ZONE


NAMES = _Zone()


@in_network_namespace
async def test_a_server_that_gives_no_proper_answer_leaves_the_name_to_the_host_in_time(tmp_path: Path) -> None:
    with host(tmp_path) as (server, _):
        async with asking() as servers:
            for answering in (nothing, garbage, truncated, refused, only_ipv4):
                server.answering = answering
                assert answered(await servers.ask("plain.example", 0.3)) is None, answering.__name__
            server.answering = None
            assert answered(await servers.ask("plain.example", 5.0)), "the program is well"


@in_network_namespace
async def test_names_of_the_host_are_not_asked_of_name_servers_and_a_change_of_its_files_counts_at_once(tmp_path: Path) -> None:
    with (
        host(tmp_path, hosts="192.0.2.9 both.example Alias.Example # plain.example\n") as (server, files),
        NameServer(["plain.example. 60 A 203.0.113.1"], "127.0.0.2") as other,
    ):
        async with asking() as servers:
            for name in ("both.example", "alias.example", "single", "printer.local", "a.localhost"):
                assert answered(await servers.ask(name, 5.0)) is None, name
            assert server.asked == []
            assert answered(await servers.ask("plain.example", 5.0)) == (300, ("192.0.2.1", "192.0.2.2"))
            files.write("resolv.conf", "nameserver 127.0.0.2\noptions edns0 trust-ad\n")
            assert answered(await servers.ask("plain.example", 5.0)) == (60, ("203.0.113.1",))
            files.write("resolv.conf", "nameserver 127.0.0.9\nnameserver 127.0.0.2\n")
            assert answered(await servers.ask("plain.example", 5.0)) == (60, ("203.0.113.1",)), "the second server answers"
            asked = len(other.asked)
            for text in ("", "nameserver nonsense\n"):
                files.write("resolv.conf", text)
                assert answered(await servers.ask("plain.example", 5.0)) is None, text
            files.write("resolv.conf", SERVERS)
            files.write("nsswitch.conf", "hosts: files\n")
            assert answered(await servers.ask("plain.example", 5.0)) is None
            assert len(other.asked) == asked


@in_network_namespace
async def test_a_search_domain_and_ndots_count_as_for_the_host(tmp_path: Path) -> None:
    records = ["a.b.corp.example. 60 A 192.0.2.1", "a.b. 60 A 203.0.113.1"]
    with host(tmp_path, records, servers=f"{SERVERS}search corp.example\n") as (_, files):
        async with asking() as servers:
            assert answered(await servers.ask("a.b", 5.0)) == (60, ("203.0.113.1",))
            files.write("resolv.conf", f"{SERVERS}search corp.example\noptions ndots:2\n")
            assert answered(await servers.ask("a.b", 5.0)) == (60, ("192.0.2.1",))


@in_network_namespace
async def test_a_program_that_dies_leaves_the_name_to_the_host_and_the_next_question_has_another_one(tmp_path: Path) -> None:
    with host(tmp_path) as (server, _):
        async with asking() as servers:
            assert answered(await servers.ask("six.example", 5.0))
            first = servers.pid
            assert first is not None
            server.answering = nothing
            waiting = asyncio.ensure_future(servers.ask("plain.example", 30.0))
            while ("plain.example.", "A", "udp") not in server.asked:  # noqa: ASYNC110 - another thread sees it
                await asyncio.sleep(0.01)
            os.kill(first, signal.SIGKILL)
            assert await waiting is None
            server.answering = None
            assert answered(await servers.ask("six.example", 5.0))
            assert servers.pid not in (None, first)
