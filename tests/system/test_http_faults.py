"""Every way in which an HTTP answer goes wrong, against the real daemon and the real kernel: the last good list stays.

One daemon lives through all of them. Its peak memory is the kernel's own word, VmHWM (proc(5)).
"""

import functools
import gzip
import lzma
import re
import subprocess
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.feed_server import (
    FeedServer,
    Handler,
    body,
    cut_chunked,
    cut_length,
    endless,
    endless_chunk_size,
    hang,
    head,
    interim_answers,
    raw,
    redirect,
    reset,
    slow_body,
    slow_headers,
    status,
    two_lengths,
    without_length,
)
from support.network_namespace import NetworkNamespace, in_network_namespace, nft
from system.daemon_process import Daemon, Installation, running
from system.kernel_view import expected, generation, standing

METADATA = "169.254.169.254"
MAX_MEMORY = 64_000_000
"""Octets above the size of the idle daemon."""

# Long enough for banlistd to count them as a list that must not shrink.
GOOD = [[*(f"192.0.2.{n}" for n in range(first, first + 40)), f"198.51.{first}.0/24", "2001:db8::/33"] for first in (1, 101)]
WRONG = [f"203.0.113.{n}" for n in range(1, 250)]
"""No answer that goes wrong may bring one of these into the kernel."""

PAGE = "<!DOCTYPE html><html><body><ul>{}</ul></body></html>".format("".join(f"<li>{entry}</li>\n" for entry in WRONG))


def lines(entries: Sequence[str]) -> bytes:
    return "".join(f"{entry}\n" for entry in entries).encode()


PACKED = gzip.compress(lines(WRONG))


@functools.cache
def bomb(piece: bytes) -> bytes:
    """200 MB of a piece, in gzip."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join(stream.compress(piece * (10**6 // len(piece))) for _ in range(200)) + stream.flush()


@dataclass(frozen=True)
class FaultTargets:
    """What a fault may want to point at: the server itself, one at the metadata address, and a file of WRONG addresses."""

    server: FeedServer
    metadata: FeedServer
    file: Path


@dataclass(frozen=True)
class Fault:
    """`without_end`: the server never stops; only the deadline of the source does. `guard`: who refuses it, if nobody earlier
    can. `as_first`: whether it is refused also where there was no list before.
    """

    answer: Callable[[FaultTargets], Handler]
    error: str
    without_end: bool = False
    guard: str = ""
    as_first: bool = True


def plainly(handler: Handler, error: str, *, without_end: bool = False) -> Fault:
    return Fault(lambda _: handler, error, without_end=without_end)


DEADLINE = "no whole answer from .* within 1 s"

FAULTS: Mapping[str, Fault] = {
    "cut before its length": plainly(cut_length(lines(WRONG)), "cut short"),
    "cut without a length": Fault(
        # Whether a first list is whole, nobody can tell.
        lambda _: without_length(lines(WRONG[:15])),
        "15 entries where 42 were",
        guard="shrunk",
        as_first=False,
    ),
    "cut without a length, but it counts itself": Fault(
        lambda _: without_length(b"# Number of entries: 249\n" + lines(WRONG[:200])),
        "has 249 entries and has 200",
        guard="truncated",
    ),
    "cut between chunks": plainly(cut_chunked(lines(WRONG)), "cut short"),
    "cut gzip": plainly(body(PACKED[:-20]), "cut short"),
    "cut gzip transfer without a length": plainly(without_length(PACKED[:-20], {"Content-Encoding": "gzip"}), "cut short"),
    "cut second member": plainly(body(PACKED + PACKED[:-1]), "cut short"),
    "junk after gzip": plainly(body(PACKED + b"<html>203.0.113.7"), "other data follows"),
    "bomb": Fault(lambda _: body(bomb(b"203.0.113.7\n")), "unpacks to over [0-9]+ times its size"),
    "bomb as a transfer": Fault(
        lambda _: body(bomb(bytes(1)), {"Content-Encoding": "gzip"}), "unpacks to over [0-9]+ times its size"
    ),
    "bomb in xz": Fault(lambda _: body(lzma.compress(bytes(50_000_000), preset=9)), "unpacks to over [0-9]+ times its size"),
    "endless body": plainly(endless(lines(WRONG)), "larger than [0-9]+ bytes"),
    "announced as too large": plainly(raw(head(200, {"Content-Length": "200000000"})), "larger than [0-9]+ bytes"),
    "slow body": plainly(slow_body(), DEADLINE, without_end=True),
    "slow headers": plainly(slow_headers(), DEADLINE, without_end=True),
    "hang": plainly(hang(), DEADLINE, without_end=True),
    "endless interim answers": plainly(interim_answers(), "one interim answer after another"),
    "endless size of a chunk": plainly(endless_chunk_size(), DEADLINE, without_end=True),
    "reset": plainly(reset(lines(WRONG)), "connection was lost|cut short"),
    "closed at once": plainly(raw(b""), "hung up without an answer"),
    "two lengths": plainly(two_lengths(lines(WRONG)), "not proper HTTP"),
    "redirect loop": Fault(lambda place: redirect(place.server.url("/loop")), "redirects more than 5 times"),
    "redirect to a file": Fault(lambda place: redirect(f"file://{place.file}"), "neither http nor https"),
    "redirect to the metadata address": Fault(
        lambda place: redirect(place.metadata.url("/list", METADATA)), "an address inside of the network"
    ),
    "404": plainly(status(404, content=lines(WRONG)), "404 Not Found"),
    "410": plainly(status(410, content=lines(WRONG)), "410 Gone.*remove the source"),
    "429": plainly(status(429, {"Retry-After": "900"}, lines(WRONG)), "429 Too Many Requests.*poll less often"),
    "500": plainly(status(500, content=lines(WRONG)), "500 Internal Server Error"),
    "web page": Fault(lambda _: body(PAGE.encode(), {"Content-Type": "text/html"}), "a web page, not a list", guard="html"),
}


@dataclass
class FaultFixture:
    """A daemon with two sources, of which one has little patience; `shown` is which good list both have. `idle`: octets."""

    namespace: NetworkNamespace
    place: FaultTargets
    installation: Installation
    daemon: Daemon
    idle: int = 0
    shown: int = 0

    @property
    def lists(self) -> Mapping[str, Sequence[str]]:
        return dict.fromkeys(("feed", "hasty"), GOOD[self.shown])

    def show_good_lists(self) -> None:
        self.shown = 1 - self.shown
        for name, entries in self.lists.items():
            self.place.server.serve(f"/{name}", lines(entries))

    def memory(self, name: str) -> int:
        """A line of /proc/PID/status in octets."""
        text = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(re.findall(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)[0]) * 1024

    def forget_peak(self) -> None:
        try:
            Path(f"/proc/{self.daemon.process.pid}/clear_refs").write_text("5")
        except OSError as exc:
            pytest.skip(f"the peak of a process cannot be reset here: {exc.strerror}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultFixture]:
    with ExitStack() as stack:
        namespace = stack.enter_context(NetworkNamespace())
        namespace.command("ip", "address", "add", f"{METADATA}/32", "dev", "lo")
        yield namespace.run(lambda: _furnish(stack, namespace, tmp_path_factory.mktemp("faults")))


def _furnish(stack: ExitStack, namespace: NetworkNamespace, folder: Path) -> FaultFixture:
    server, place = _servers(stack, folder)
    server.behave("/loop", redirect("/loop"))
    installation = Installation(folder)
    installation.configure(
        f'id: feed, url: "{server.url("/feed")}", every: 1d', f'id: hasty, url: "{server.url("/hasty")}", timeout: 1s'
    )
    for name in ("feed", "hasty"):
        server.serve(f"/{name}", lines(GOOD[0]))
    daemon = stack.enter_context(running(installation, "feed", "hasty"))
    found = FaultFixture(namespace, place, installation, daemon)
    # Twice the same way, so that what is loaded at first use is counted as idle.
    for _ in range(2):
        found.show_good_lists()
        assert installation.ctl("refresh").returncode == 0
    found.idle = found.memory("VmRSS")
    return found


def _servers(stack: ExitStack, folder: Path) -> tuple[FeedServer, FaultTargets]:
    server, metadata = stack.enter_context(FeedServer()), stack.enter_context(FeedServer(METADATA))
    metadata.serve("/list", lines(WRONG))
    file = folder / "secret.txt"
    file.write_bytes(lines(WRONG))
    return server, FaultTargets(server, metadata, file)


@pytest.mark.parametrize("name", FAULTS)
def test_wrong_answer_costs_no_ban_and_no_write_and_is_reported(
    world: FaultFixture, name: str, record_property: Callable[[str, object], None]
) -> None:
    try:
        rise = world.namespace.run(lambda: _live_through(world, FAULTS[name]))
    finally:
        world.namespace.run(lambda: _recover(world))
    record_property("octets above the idle size", rise)
    assert rise <= MAX_MEMORY


def _live_through(world: FaultFixture, fault: Fault) -> int:
    source_id = "hasty" if fault.without_end else "feed"
    place, daemon = world.installation, world.daemon
    world.place.server.behave(f"/{source_id}", fault.answer(world.place))
    before, seen, since = standing(), generation(), len(daemon.events)
    assert before == expected(world.lists)
    world.forget_peak()
    refresh = subprocess.Popen(place.ctl_command("refresh", source_id), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    daemon.wait_for("blocklist_import_started", source_id, since=since)
    assert place.ask("status")["pid"] == daemon.process.pid
    event = daemon.wait_for("blocklist_import_refused" if fault.guard else "blocklist_import_failed", source_id, since=since)
    assert refresh.wait() == 69
    rise = world.memory("VmHWM") - world.idle
    assert (standing(), generation()) == (before, seen)
    _is_told(world, source_id, fault, event)
    assert world.place.metadata.requests == []
    return rise


def _recover(world: FaultFixture) -> None:
    """What comes next is taken as if nothing had been."""
    world.show_good_lists()
    # At once, whatever pause the server has asked for.
    assert world.installation.ctl("refresh", "--now").returncode == 0
    assert standing() == expected(world.lists)
    assert world.installation.ask("status")["failing"] == 0


def _is_told(world: FaultFixture, source_id: str, fault: Fault, event: Mapping[str, Any]) -> None:
    """By event, ledger and `banlistctl sources`, in the same words."""
    assert re.search(fault.error, event["message"]), event
    assert event.get("guard", "") == fault.guard
    text = event["message"].removeprefix(f"{source_id}: ")
    (source,) = (one for one in world.installation.ask("sources") if one["id"] == source_id)
    assert (source["state"], source["failures"], source["error"]) == ("failed", 1, text)
    assert source["entries"] == len(GOOD[0])
    assert text in [run["error"] for run in world.installation.runs("failed") if run["source_id"] == source_id]
    assert world.installation.ask("status")["failing"] == 1


def test_a_server_that_asks_for_patience_is_left_alone_for_so_long(world: FaultFixture) -> None:
    world.place.server.behave("/hasty", status(429, {"Retry-After": "86400"}))
    assert world.installation.ctl("refresh", "hasty").returncode == 69
    (timer,) = (one for one in world.installation.ask("timers") if one["id"] == "hasty")
    # Its interval is an hour; the ledger's own numbers are compared, no clock is read.
    assert timer["due_at"] - timer["polled_at"] >= 86_400


def test_a_list_in_many_gzip_members_is_read_whole(world: FaultFixture) -> None:
    entries = [*GOOD[0], *(f"100.{n}.0.1" for n in range(60)), "2001:db8:8000::/34"]
    packed = b"".join(gzip.compress(lines(entries[at : at + 7])) for at in range(0, len(entries), 7))
    for answer in (body(packed), without_length(packed), body(packed, {"Content-Encoding": "gzip"})):
        world.place.server.behave("/feed", answer)
        assert world.installation.ctl("refresh", "feed").returncode == 0
        found = world.namespace.run(standing)
        assert found == expected({"feed": entries, "hasty": GOOD[world.shown]})


@in_network_namespace
def test_with_every_feed_broken_at_the_first_start_only_the_good_one_bans(tmp_path: Path) -> None:
    nft("add", "table", "inet", "others")
    faults = {f"bad{number}": fault for number, fault in enumerate(one for one in FAULTS.values() if one.as_first)}
    with ExitStack() as stack:
        subprocess.run(["ip", "address", "add", f"{METADATA}/32", "dev", "lo"], check=True)
        server, place = _servers(stack, tmp_path)
        server.behave("/loop", redirect("/loop"))
        for name, fault in faults.items():
            server.behave(f"/{name}", fault.answer(place))
        server.serve("/good", lines(GOOD[0]))
        installation = Installation(tmp_path)
        installation.configure(*(f'id: {name}, url: "{server.url(f"/{name}")}", timeout: 1s' for name in [*faults, "good"]))
        daemon = stack.enter_context(running(installation, "good"))
        for name, fault in faults.items():
            daemon.wait_for("blocklist_import_refused" if fault.guard else "blocklist_import_failed", name)
        assert standing() == expected({"good": GOOD[0]})
        assert place.metadata.requests == []
        assert installation.ask("status")["failing"] == len(faults)
        assert {run["source_id"] for run in installation.runs("failed")} == set(faults)
        assert daemon.terminate() == 0
    assert standing() == expected({"good": GOOD[0]})


@in_network_namespace
def test_hanging_server_delays_no_other_source(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with FeedServer() as server:
        server.behave("/hang", hang())
        server.serve("/good", lines(GOOD[0]))
        installation.configure(
            f'id: hang, url: "{server.url("/hang")}", timeout: 1h', f'id: good, url: "{server.url("/good")}"'
        )
        with running(installation, "good") as daemon:
            daemon.wait_for("blocklist_import_started", "hang")
            for entries in reversed(GOOD):
                server.serve("/good", lines(entries))
                assert installation.ctl("refresh", "good").returncode == 0
                assert standing() == expected({"good": entries})
            assert installation.ctl("reload").returncode == 0
            since = len(daemon.events)
            nft("flush", "ruleset")
            daemon.wait_for("firewall_drift_repaired", since=since)
            assert standing() == expected({"good": GOOD[0]})
            assert "blocklist_import_failed" not in [event["event"] for event in daemon.events]
