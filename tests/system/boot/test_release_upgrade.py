"""An upgrade from the released 0.1.0 on a booted machine, under a flood of packets: no banned packet passes meanwhile."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.feed_server import FeedServer
from system.boot.machine import Machine
from system.boot.machine_image import (
    THIS_RELEASE,
    VERSION,
    image,
    packages,
    released_package,
    skip_where_no_machine_can_be,
)
from system.boot.visitor import Visitor

pytestmark = pytest.mark.boot

# Of a feed, of a file, of a list that came with 0.1.0.
CLEAN, BANNED = "203.0.113.250", ("203.0.113.7", "192.0.2.77", "198.51.100.7")
FILE = "/etc/banlistd/banlistd.yaml"


@pytest.fixture
def machine() -> Iterator[Machine]:
    skip_where_no_machine_can_be()
    package = released_package()
    with Machine(image(THIS_RELEASE)) as machine:
        machine.boot()
        machine.install(package)
        yield machine


@pytest.fixture
def feeds(machine: Machine) -> Iterator[FeedServer]:
    """A server in the machine's network, with one list."""
    feeds = machine.network.run(FeedServer().__enter__)
    feeds.serve("/feed", "".join(f"203.0.113.{host}\n" for host in range(1, 60, 2)).encode(), etag='"1"')
    yield feeds
    feeds.__exit__(None, None, None)


def ask(machine: Machine, *words: str) -> Any:
    return json.loads(machine.say("banlistctl", "--json", *words))


def state(machine: Machine) -> dict[str, tuple[Any, ...]]:
    """Of each source: how many bans it has, and since when."""
    return {row["id"]: (row["state"], row["entries"], row["owned"], row["changed_at"]) for row in ask(machine, "sources")}


def test_an_upgrade_from_0_1_0_lets_no_banned_packet_pass_and_imports_nothing_anew(machine: Machine, feeds: FeedServer) -> None:
    example = machine.say("cat", FILE)
    ours = f"sources:\n  - {{id: feed, url: '{feeds.url('/feed')}'}}\n  - {{id: own, path: lists/own.txt}}\n"
    edited = example.replace("\nsources:\n", f"\n{ours}")
    machine.write(FILE, edited)
    machine.write("/etc/banlistd/lists/own.txt", f"{BANNED[1]}\n")
    machine.run("systemctl", "reload", "banlistd")
    machine.run("banlistctl", "refresh")
    package = packages()[1]
    (machine.root / package.name).write_bytes(package.read_bytes())
    before, runs, since = state(machine), ask(machine, "history"), machine.now()
    with Visitor(machine, CLEAN, *BANNED) as visitor:
        with visitor.flood(*BANNED) as flood:
            machine.run("apt-get", "install", "--yes", f"/{package.name}")
            machine.wait_for("EVENT=service_started", since=since)
            machine.run("banlistctl", "refresh")
        assert flood.arrived == {CLEAN}
    assert ask(machine, "status")["version"] == VERSION
    assert state(machine) == before
    assert [run["id"] for run in ask(machine, "history")] == [run["id"] for run in runs]
    machine.run("journalctl", "--sync")
    entries = machine.journal(f"--after-cursor={since}")
    skipped = {entry["SOURCE_ID"] for entry in entries if entry.get("EVENT") == "blocklist_import_skipped"}
    assert skipped == {"feed", "own", "scanners", "guessers", "crawlers"}
    assert machine.say("cat", FILE) == edited
    # dpkg asks about no file of the configuration any more.
    remembered = machine.say("dpkg-query", "--show", "--showformat", "${Conffiles}", "banlistd").split("\n")
    assert all(line.endswith(" obsolete") for line in remembered if line)
