"""SIGKILL at every call of a pull with its import, of a publication, and of the taking of a report.

Each attempt starts programs of Python, so it takes as long as ten of the other kills: a day meets fewer stretches of calls.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from banlistd.core.addresses.fleet_files.files import whole_list
from support.fleet import Node
from support.mosquitto import broker
from support.network_namespace import in_network_namespace
from system.daemon_process import Daemon, answer_of
from system.fleet.reporting import admit
from system.kernel_view import look
from system.kill.attempts import arm, run_once, see_through, settled
from system.kill.fleet_parts import (
    HUB_MODULES,
    NODE_MODULES,
    REPORTS_MODULES,
    Publishes,
    TakesLists,
    TakesReports,
    addresses_of,
)
from system.kill.oracle import accepted, ledger_of
from system.kill.points import Crossing, sweep
from system.kill.scenes import PLAIN, UPDATED, world_in
from system.kill.tracer import Victim, Watch
from system.kill.world import Ended, KillFixture, KillScenario, end_of

pytestmark = pytest.mark.sweep

DAYS = 36
"""After so many days a kill has met each stretch of calls of one of these."""

REPORTED = KillScenario({"reports": ["203.0.113.1"]})
REPORTED_AGAIN = KillScenario({"reports": ["203.0.113.1", "203.0.113.7", "198.51.100.7"]})


def contents_of(scene: KillScenario) -> Mapping[str, str]:
    return {name: addresses_of(entries).content_hash() for name, entries in scene.lists.items()}


@in_network_namespace
def test_a_pull_killed_at_any_call_is_made_good_by_the_next_run(tmp_path: Path, day: int | None) -> None:
    with TakesLists(tmp_path, [PLAIN, UPDATED]).served() as node, world_in(tmp_path, modules=NODE_MODULES) as world:
        world.fleet = node
        world.learn(PLAIN)
        begin = partial(world.put_back, world.save("plain"))
        world.learn(UPDATED)
        again, check = partial(run_once, world, UPDATED), partial(check_the_trust, world)
        kills = sweep(Crossing(world, PLAIN, UPDATED, begin, again, again, in_steps=True, check=check, days=DAYS), day)
    assert set(kills) == set(Victim)


def check_the_trust(world: KillFixture, _: Ended) -> None:
    """What is signed for a list is never older than what is written down of the list, or stands in the kernel."""
    with world.untouched_database() as file:
        rows = answer_of(file, "SELECT name, CAST(octets AS TEXT) AS text FROM hub_trust")
        written = accepted(ledger_of(file))
    signed, standing = {row["name"]: json.loads(row["text"])["signed"] for row in rows}, look().contents
    for name, content_hash in contents_of(UPDATED).items():
        newest = signed[f"{name}.json"]["targets"][f"{name}/full.blz"]["custom"]["content"]
        assert content_hash not in {written[name], standing[name]} or newest == content_hash, f"{name} came unsigned"


@in_network_namespace
def test_a_publication_killed_at_any_call_leaves_the_old_lists_or_the_new_ones(
    tmp_path: Path, day: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with world_in(tmp_path, modules=HUB_MODULES) as world:
        world.fleet = hub = Publishes(tmp_path, world.place.state, tmp_path)
        world.learn(PLAIN)
        publish(world, hub, PLAIN)
        begin = partial(world.put_back, world.save("published"))
        world.learn(UPDATED)
        attempt, check = partial(publish, world, hub, UPDATED), partial(check_what_is_published, world, hub)
        victims = (Victim.DAEMON, Victim.NFT)
        kills = sweep(Crossing(world, PLAIN, UPDATED, begin, attempt, attempt, victims, check=check, days=DAYS), day)
    assert set(kills) == set(victims)


def publish(world: KillFixture, hub: Publishes, scene: KillScenario, watch: Watch | None = None) -> Ended:
    """A daemon that publishes what has changed; counted, with the program that publishes, once all is imported."""
    daemon = settled(world, scene, watch)
    world.ask("POST", "refresh")
    if watch is not None:
        arm(daemon)
    since = 0
    while published(hub) != contents_of(scene):
        found = daemon.find("fleet_published", "fleet_fault", since=since)
        if found is None or found["event"] == "fleet_fault":
            assert watch is not None, f"nobody was killed: {daemon.events}"
            break
        since = daemon.events.index(found) + 1
    daemon.terminate()
    return end_of(daemon)


def published(hub: Publishes) -> Mapping[str, str]:
    """What a new node takes, proven by python-tuf."""
    found = {}
    with TemporaryDirectory() as folder:
        node = Node(Path(folder), hub.owners)
        for name in PLAIN.lists:
            file = node.pull(hub.hub.folder.public, f"{name}/full.blz") if hub.has_published else None
            found[name] = whole_list(file, 1 << 20).content_hash() if file else ""
    return found


def check_what_is_published(world: KillFixture, hub: Publishes, ended: Ended) -> None:
    """Each list is the old one or the new one, and written down; the new one where nobody was killed."""
    old, new, found = contents_of(PLAIN), contents_of(UPDATED), published(hub)
    with world.untouched_database() as file:
        completed = {(name, content_hash) for name, content_hash, state in ledger_of(file).values() if state == "completed"}
    for name, content_hash in found.items():
        assert content_hash in {old[name], new[name]}
        assert content_hash == old[name] or (name, content_hash) in completed, f"{name} was published before it was completed"
    assert ended.trail.killed or found == new
    assert ended.trail.killed or not list(hub.hub.folder.public.rglob("*.unfinished"))


@in_network_namespace
def test_a_report_whose_taking_is_killed_at_any_call_counts_whole_or_not_at_all(tmp_path: Path, day: int | None) -> None:
    with broker(tmp_path) as mosquitto, world_in(tmp_path, modules=REPORTS_MODULES) as world:
        world.fleet = hub = TakesReports(mosquitto, [REPORTED, REPORTED_AGAIN])
        with settled(world, REPORTED, None) as daemon:
            admit(world.place, hub.NODE, "oslo")
            report_until_listed(daemon, hub, REPORTED)
        world.learn(REPORTED)
        begin = partial(world.put_back, world.save("reported"))
        with settled(world, REPORTED_AGAIN, None) as daemon:
            report_until_listed(daemon, hub, REPORTED_AGAIN)
        world.learn(REPORTED_AGAIN)
        attempt, check = partial(take_the_report, world, hub), partial(check_the_sightings, world)
        victims = (Victim.DAEMON,)
        kills = sweep(Crossing(world, REPORTED, REPORTED_AGAIN, begin, attempt, attempt, victims, check=check, days=DAYS), day)
    assert kills[Victim.DAEMON]


def take_the_report(world: KillFixture, hub: TakesReports, watch: Watch | None = None) -> Ended:
    """A daemon that hears of the second report; counted from there on. After a kill it is sent again, as nodes do."""
    daemon = settled(world, REPORTED_AGAIN, watch)
    daemon.find("mqtt_connected")
    if watch is not None:
        arm(daemon)
    report_until_listed(daemon, hub, REPORTED_AGAIN)
    return see_through(world, REPORTED_AGAIN, daemon)


def report_until_listed(daemon: Daemon, hub: TakesReports, scene: KillScenario) -> None:
    """Until the report is a list, was taken before, or the daemon has ended."""
    daemon.find("mqtt_connected")
    since = len(daemon.events)
    hub.send(scene)
    while (found := daemon.find("blocklist_import_completed", "report_refused", since=since)) is not None:
        if found["event"] == "report_refused" or found["content_hash"] == contents_of(scene)["reports"]:
            return
        since = daemon.events.index(found) + 1


def check_the_sightings(world: KillFixture, ended: Ended) -> None:
    """The number of the newest report, and the sightings, are those of the first report or those of both."""
    with world.untouched_database() as file:
        found = answer_of(file, "SELECT seq, (SELECT count(*) FROM sightings) AS sightings FROM nodes")
    assert [tuple(row.values()) for row in found] in ([(1, 1)], [(2, 3)])
    assert ended.trail.killed or found[0]["seq"] == 2
