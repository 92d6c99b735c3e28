"""The real daemon with `backend: ipset`, on the iptables that the host has; what stands is read by ipset and iptables."""

import os
import random
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.feed_server import FeedServer
from support.ipset_host import PROGRAMS, Iptables, ipset, set_names
from support.network_namespace import in_network_namespace, nft
from system.daemon_process import Daemon, Installation, running

HOST = Iptables("")
KILLS = int(os.environ.get("BANLISTD_KILLS", "25")) // 2

LIST = ("192.0.2.1", "198.51.100.0/24", "2001:db8::1", "2001:db8:1::/48")
OWN = ("203.0.113.7",)


@dataclass(frozen=True)
class IpsetView:
    """`contents`: the content hash of each source, by the kernel's own word. `bans`: elements, each with its owner's mark."""

    contents: Mapping[str, str]
    bans: Mapping[str, int]


def look() -> IpsetView:
    contents, bans = {}, {}
    for line in ipset("save").splitlines():
        words = line.split()
        if words[0] != "add":
            continue
        if words[1] == "banlistd-applied":
            if words[4] == '"v1':
                contents[words[5]] = words[6].removeprefix("sha256=")
        elif "packets" in words:
            bans[words[2]] = int(words[4])
    return IpsetView(contents, bans)


def everything() -> tuple[Sequence[str], Sequence[str]]:
    """Sets as they would be restored, and rules."""
    return sorted(ipset("save", "-s").splitlines()), HOST.saved()


def choose(place: Installation, backend: str) -> None:
    """Let the configuration name the backend."""
    lines = [line for line in place.file.read_text().splitlines() if not line.startswith("backend:")]
    place.file.write_text("\n".join([f"backend: {backend}", *lines, ""]))


def installed(folder: Path) -> Installation:
    HOST.skip_if_missing()
    place = Installation(folder)
    (place.config / "list.txt").write_text("\n".join(LIST))
    (place.config / "own.txt").write_text("\n".join(OWN))
    place.configure("id: list, path: list.txt", "id: own, path: own.txt, action: reject", every="365d")
    choose(place, "ipset")
    return place


BANS = {**dict.fromkeys(LIST, 1), **dict.fromkeys(OWN, 2)}


@in_network_namespace
def test_lists_are_imported_and_a_restart_writes_nothing(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "list", "own") as daemon:
        assert look().bans == BANS
        assert look().contents == place.accepted()
        assert place.ask("status")["bans"] == len(BANS)
        assert daemon.terminate() == 0
    before, runs = everything(), place.runs()
    with running(place) as daemon:
        assert place.ask("status")["bans"] == len(BANS)
        assert daemon.terminate() == 0
    assert {event["event"] for event in daemon.events} == {"firewall_restored", "service_started", "service_stopped"}
    assert (everything(), place.runs()) == (before, runs)


FOREIGN: Mapping[str, Sequence[Sequence[str]]] = {
    "all sets are emptied": (("ipset", "flush"),),
    "one set is emptied": (("ipset", "flush", "banlistd-hosts4"),),
    "rules and sets are gone": (
        *((program, "-t", table, what) for program in PROGRAMS for table in ("raw", "filter") for what in ("-F", "-X")),
        ("ipset", "destroy"),
    ),
    "the rules are gone": (("iptables", "-t", "raw", "-F"), ("iptables", "-F", "INPUT")),
}


@pytest.mark.parametrize("what", FOREIGN)
@in_network_namespace
def test_drift_is_repaired_at_the_next_comparison(tmp_path: Path, what: str) -> None:
    place = installed(tmp_path)
    with running(place, "list", "own") as daemon:
        before, since = everything(), len(daemon.events)
        for words in FOREIGN[what]:
            _insist(words)
        assert everything() != before
        daemon.wait_for("firewall_drift_repaired", since=since)
        assert everything() == before
        assert daemon.terminate() == 0


def _insist(words: Sequence[str]) -> None:
    """Run it until it succeeds: nf_tables lets go of a set a moment after the rules that looked into it are gone."""
    for _ in range(1000):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if not done.returncode:
            return
        assert "in use" in done.stderr
    pytest.fail(f"{' '.join(words)}: {done.stderr}")


@in_network_namespace
def test_bans_are_restored_at_boot_and_teardown_leaves_nothing(tmp_path: Path) -> None:
    place = installed(tmp_path)
    assert place.once() == 0
    before = everything()
    assert place.run("--teardown").returncode == 0
    assert everything() == ([], [])
    assert place.run("--restore").returncode == 0
    assert everything() == before


@in_network_namespace
def test_bans_move_from_nftables_to_ipset_and_back(tmp_path: Path) -> None:
    place = installed(tmp_path)
    choose(place, "nftables")
    assert place.once() == 0
    choose(place, "ipset")
    with running(place) as daemon:
        assert "backend_left" in {event["event"] for event in daemon.events}
        assert look().bans == BANS
        assert "banlistd" not in nft("list", "tables", "inet")
        daemon.terminate()
    choose(place, "nftables")
    with running(place):
        assert set_names() == []
        assert not [line for line in HOST.saved() if "banlistd" in line]
        assert "table inet banlistd" in nft("list", "tables")


def hosts(first: int) -> list[str]:
    """20,000 addresses, half of them those of the list that begins 20,000 later."""
    return [f"11.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(first, first + 40_000, 2)]


VERSIONS = ([*hosts(0), "198.51.100.0/24", "2001:db8::/48"], [*hosts(20_000), "198.51.100.0/25", "2001:db8:1::/48"])


@in_network_namespace
def test_a_daemon_that_is_killed_in_an_import_leaves_the_old_or_the_new_and_says_which(tmp_path: Path) -> None:
    HOST.skip_if_missing()
    place, dice = Installation(tmp_path), random.Random()
    with FeedServer() as server:
        # Half of the list changes at each poll: that is this test's way to be busy, and no list's.
        place.configure(f'id: feed, url: "{server.url("/feed")}", guards: {{turnover: off}}')
        choose(place, "ipset")
        bans: dict[str, Mapping[str, int]] = {}
        shown, span = 0, 0.0
        _show(server, shown)
        with running(place, "feed") as daemon:
            bans[look().contents["feed"]] = dict.fromkeys(VERSIONS[shown], 1)
            for shown in (1, 0):
                _show(server, shown)
                with _importing(place, daemon) as since:
                    began = time.monotonic()
                    daemon.wait_for("blocklist_import_completed", since=since)
                    span = time.monotonic() - began
                bans[look().contents["feed"]] = dict.fromkeys(VERSIONS[shown], 1)
                assert look().bans == dict.fromkeys(VERSIONS[shown], 1)
        for kill in range(KILLS):
            shown = 1 - shown
            with running(place) as daemon:
                _show(server, shown)
                with _importing(place, daemon):
                    with suppress(subprocess.TimeoutExpired):
                        daemon.process.wait(dice.uniform(0, 1.5 * span))
                    daemon.kill()
            left = look()
            assert left.bans == bans[left.contents["feed"]], f"kill {kill}: neither the old nor the new"
            with running(place):
                found, accepted = look(), place.accepted()
            assert found.contents == accepted, f"kill {kill}"
            assert found.bans == bans[accepted["feed"]], f"kill {kill}"
        with running(place):
            assert place.ctl("refresh").returncode == 0
            assert look().bans == dict.fromkeys(VERSIONS[shown], 1)


def _show(server: FeedServer, number: int) -> None:
    server.serve("/feed", "\n".join(VERSIONS[number]).encode(), etag=f'"{number}"')


@contextmanager
def _importing(place: Installation, daemon: Daemon) -> Iterator[int]:
    """An import that has begun; yields the number of the events that there were before."""
    since = len(daemon.events)
    refresh = subprocess.Popen(place.ctl_command("refresh"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    daemon.wait_for("blocklist_import_started", since=since)
    yield since
    refresh.wait()
