"""SIGKILL at any moment: afterwards the kernel holds what the ledger accepted last, whole, and nothing is written twice.

BANLISTD_KILLS says how often the daemon is killed (default 25).
"""

import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from feed_server import FeedServer
from network_namespace import in_network_namespace, nft, skip_without_large_buffers
from system.daemon_process import Daemon, Installation, running
from system.kernel_view import Ranges, expected, generation, look

KILLS = int(os.environ.get("BANLISTD_KILLS", "25"))

Versions = Mapping[str, Sequence[Sequence[str]]]

SMALL: Versions = {
    "feed": [["192.0.2.1", "198.51.100.0/24", "2001:db8::/33"], ["192.0.2.2", "198.51.100.0/25", "2001:db8:8000::1"]],
    "other": [["198.51.100.128/26", "203.0.113.1"], ["198.51.100.0/26", "2001:db8::/34", "203.0.113.1"]],
}


def hosts(first: int) -> list[str]:
    """20,000 addresses with gaps, half of them shared with the list that begins 20,000 later."""
    return [f"11.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(first, first + 40_000, 2)]


LARGE: Versions = {"feed": [hosts(0), hosts(20_000)], "other": SMALL["other"]}


@dataclass
class World:
    """Two lists on a server, each of which has two versions. `hashes`: which content hash stands for which version."""

    place: Installation
    server: FeedServer
    versions: Versions
    shown: int = 0
    hashes: dict[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    worked_out: dict[tuple[tuple[str, int], ...], Mapping[int, Ranges]] = field(default_factory=dict)

    def show(self, number: int) -> None:
        """Let the server have this version of both lists."""
        self.shown = number
        for name, versions in self.versions.items():
            self.server.serve(f"/{name}", "\n".join(versions[number]).encode(), etag=f'"{number}"')

    def configure(self) -> None:
        self.place.configure(*(f'id: {name}, url: "{self.server.url(f"/{name}")}"' for name in self.versions))

    def learn(self) -> None:
        """Which hash the kernel has for what the server shows, once that is imported."""
        seen = look()
        assert seen.ranges == self.wanted()
        for name, content_hash in seen.contents.items():
            self.hashes[name, content_hash] = self.versions[name][self.shown]

    def wanted(self) -> Mapping[int, Ranges]:
        return self._expected({name: versions[self.shown] for name, versions in self.versions.items()})

    def named(self, contents: Mapping[str, str]) -> Mapping[int, Ranges]:
        """What stands where these contents, by their hashes, are held."""
        return self._expected({name: self.hashes[name, contents[name]] for name in self.versions if name in contents})

    def _expected(self, lists: Mapping[str, Sequence[str]]) -> Mapping[int, Ranges]:
        key = tuple((name, id(entries)) for name, entries in lists.items())
        if key not in self.worked_out:
            self.worked_out[key] = expected(lists)
        return self.worked_out[key]

    def ledger_as_it_was_left(self, scratch: Path) -> dict[str, str]:
        """The contents that the ledger accepted, read from a copy: to open the file itself would tidy it up."""
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        copy = Installation(scratch)
        shutil.copytree(self.place.state, copy.state)
        return copy.accepted()


@pytest.mark.parametrize(("versions", "kills"), [(SMALL, KILLS - KILLS // 2), (LARGE, KILLS // 2)], ids=["small", "large"])
@in_network_namespace
def test_a_daemon_killed_in_an_import_has_lost_nothing_and_applies_nothing_twice(
    tmp_path: Path, versions: Versions, kills: int
) -> None:
    if versions is LARGE:
        skip_without_large_buffers()
    dice = random.Random()
    with FeedServer() as server:
        world = World(Installation(tmp_path), server, versions)
        world.show(0)
        world.configure()
        with running(world.place, *versions):
            world.learn()
        span, before = _time_of_an_import(world), {}
        daemon = world.place.start()
        for kill in range(kills):
            with daemon:
                daemon.wait_for("service_started")
                before = world.place.accepted()
                _kill_in_an_import(world, daemon, dice.uniform(0, span))
            left, moved = look(), generation()
            assert left.ranges == world.named(left.contents), f"kill {kill}: neither the old nor the new"
            accepted = world.ledger_as_it_was_left(tmp_path / "copy")
            assert all(left.contents[name] in (before[name], accepted[name]) for name in versions), f"kill {kill}"
            daemon = world.place.start()
            daemon.wait_for("service_started")
            assert world.place.accepted() == accepted
            assert not world.place.runs("pending")
            found = look()
            assert found.contents == accepted
            assert found.ranges == world.named(accepted), f"kill {kill}: not what was accepted"
            assert left.contents != accepted or generation() == moved, f"kill {kill}: written twice"
        with daemon:
            assert daemon.process.poll() is None
            assert world.place.ctl("refresh").returncode == 0
            assert look().ranges == world.wanted()


def _time_of_an_import(world: World) -> float:
    """Seconds from the first event of an import of all sources to its last; learns the other version on the way."""
    longest = 0.0
    with running(world.place) as daemon:
        for number in (1, 0, 1, 0):
            world.show(number)
            since = len(daemon.events)
            refresh = subprocess.Popen(world.place.ctl_command("refresh"), stdout=subprocess.DEVNULL)
            daemon.wait_for("blocklist_import_started", since=since)
            began = time.monotonic()
            for name in world.versions:
                daemon.wait_for("blocklist_import_completed", name, since=since)
            longest = max(longest, time.monotonic() - began)
            assert refresh.wait() == 0
            world.learn()
    return longest


def _kill_in_an_import(world: World, daemon: Daemon, delay: float) -> None:
    """Show the other version, ask for it, and kill the daemon so many seconds after it has begun."""
    world.show(1 - world.shown)
    since = len(daemon.events)
    refresh = subprocess.Popen(world.place.ctl_command("refresh"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    daemon.wait_for("blocklist_import_started", since=since)
    with suppress(subprocess.TimeoutExpired):
        daemon.process.wait(delay)
    assert daemon.process.poll() is None
    daemon.kill()
    refresh.wait()


# The calls around which a crash counts: into the kernel's tables, into the database's files, and through to the disk.
CALLS = ("sendmsg", "pwrite64", "fdatasync")
# A run to its end costs a second or two.
MOST_CALLS = 8


@pytest.mark.parametrize("call", [call for call in CALLS if call != "pwrite64"])
@in_network_namespace
def test_a_first_import_killed_at_one_call_after_another_ends_well_at_the_next(tmp_path: Path, call: str) -> None:
    strace = _strace(tmp_path)
    with FeedServer() as server:
        world = World(Installation(tmp_path), server, SMALL)
        world.show(0)
        world.configure()

        def begin_anew() -> None:
            shutil.rmtree(world.place.state, ignore_errors=True)
            nft("flush", "ruleset")

        _kill_at_some(world, strace, call, begin_anew)


@pytest.mark.parametrize("call", CALLS)
@in_network_namespace
def test_an_update_killed_at_one_call_after_another_ends_well_at_the_next(tmp_path: Path, call: str) -> None:
    strace = _strace(tmp_path)
    with FeedServer() as server:
        world = World(Installation(tmp_path), server, SMALL)
        world.configure()
        for number in (0, 1):
            world.show(number)
            assert world.place.once() == 0
            world.learn()

        def show_the_other() -> None:
            world.show(1 - world.shown)

        _kill_at_some(world, strace, call, show_the_other)


def _kill_at_some(world: World, strace: Sequence[str], call: str, prepare: Callable[[], None]) -> None:
    """`prepare`, run until the nth such call is killed, look, run again; for each n, or for some where there are many."""
    prepare()
    log = world.place.config.parent / "calls"
    assert world.place.run("--once", through=[*strace, "-o", str(log), "-e", f"trace={call}"]).returncode == 0
    world.learn()
    calls = max(Counter(line.split()[0] for line in log.read_text().splitlines() if f"{call}(" in line).values())
    killed = 0
    for number in sorted(random.sample(range(1, calls + 1), min(calls, MOST_CALLS))):
        prepare()
        before = look()
        kill = [*strace, "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
        killed += world.place.run("--once", through=kill).returncode != 0
        left, moved = look(), generation()
        assert left.contents.keys() >= before.contents.keys(), f"after {call} {number}: a list is gone"
        assert left.ranges == world.named(left.contents), f"after {call} {number}: neither the old nor the new"
        again = world.place.run("--once")
        twice = left.contents == look().contents and generation() != moved
        assert not twice, f"after {call} {number}: written twice: {again.stderr}"
        assert again.returncode == 0, f"after {call} {number}: {again.stderr}"
        assert look().ranges == world.wanted(), f"after {call} {number}"
        assert not world.place.runs("pending")
    assert killed, f"{call} was never met"


def _strace(scratch: Path) -> list[str]:
    """Skips where no process may be traced, or strace is missing or too old."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no command strace")
    # Threads count their calls each for itself; a command that banlistd starts is let go.
    command = [strace, "-f", "--seccomp-bpf", "-b", "execve"]
    probe = [*command, "-o", str(scratch / "trace"), "-e", "inject=fdatasync:signal=KILL:when=9", "true"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"strace cannot trace here: {done.stderr.strip()}")
    return command
