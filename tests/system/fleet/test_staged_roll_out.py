"""Staged roll-out: a real hub, a canary, and a node that waits. What the canary refuses never reaches the node."""

import asyncio
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from support.fleet import Hub, Owners
from support.mirror import mirror_of
from support.mosquitto import Mosquitto, broker, listening_to
from support.network_namespace import in_network_namespace
from support.reporters import FLEET
from system.daemon_process import Daemon, Installation, running
from system.fleet.reporting import ROOT, key_file, key_of, settings, with_credentials

GOOD, ADDED = "20.0.0.1", "20.0.0.3"
WIDE, FIXED = f"{GOOD}\n30.0.0.0/10", f"{GOOD}\n{ADDED}"
OPEN = "share: 100%, grow: off, shrink: off"
ENDS = ("blocklist_import_completed", "blocklist_import_skipped", "blocklist_import_refused", "blocklist_import_failed")


class Machines:
    def __init__(self, folder: Path, stack: ExitStack, mosquitto: Mosquitto) -> None:
        self.folder, self.stack, self.mosquitto = folder, stack, mosquitto
        self.feed = folder / "list.txt"
        owners = Owners(folder / "owners", "hub-a")
        self.hub = self._place("hub", owners.key("hub-a").read_bytes(), "hub-key")
        publish = "publish: {lists: [drop], key: '${credential:hub-key}', every: 1s}"
        # The hub itself takes what is wide: its guards are for its own bans.
        source = f"id: drop, path: {self.feed}, guards: {{widest4: 8, {OPEN}}}"
        settings(self.hub, mosquitto, "hub", source, f"fleet: {{name: {FLEET}, {publish}}}")
        keys = Hub(self.hub.state / "fleet", owners, "hub-a")
        keys.install()
        keys.promote()
        mirror = stack.enter_context(mirror_of(self.hub.state / "fleet" / "public"))
        self.lists = f"root: {owners.folder.path / '1.root.json'}, urls: '{mirror.url}', spread: 0s"

    def start_hub(self, *settled: str) -> Daemon:
        return self.stack.enter_context(running(self.hub, *settled, through=with_credentials(self.hub)))

    def start_node(self, name: str, *more: str, canary: bool = False) -> tuple[Installation, Daemon]:
        place = self._place(name, key_file(name), "node-key")
        fleet = ", ".join([f"name: {FLEET}", self.lists, 'node_key: "${credential:node-key}"', *more])
        # Only the canary has a guard against what is wide: for the others it is the one that finds it.
        guards = OPEN if canary else f"widest4: 8, {OPEN}"
        settings(place, self.mosquitto, name, f"id: d, hub: drop, guards: {{{guards}}}", f"fleet: {{{fleet}}}")
        self.admit(name, *(["--canary"] if canary else []))
        daemon = self.stack.enter_context(running(place, "d", through=with_credentials(place)))
        daemon.wait_for("mqtt_connected")
        return place, daemon

    def obeys(self, key: Path) -> None:
        """The hub carries out what this key signs."""
        public = self.hub.ctl("operator-key", str(key)).stdout.strip()
        may = f"operators: [{{name: anna, key: '{public}', may: [fleet-hold, fleet-release]}}]"
        self.hub.file.write_text(self.hub.file.read_text().replace("id: hub}", f"id: hub, {may}}}"))

    def order(self, key: Path, *words: str) -> dict[str, Any]:
        """The answer to a signed order over the broker."""
        done = self.hub.ctl("order", "--key", str(key), "--fleet", FLEET, "hub", *words)
        assert done.returncode == 0, done.stderr
        answer = f"{ROOT}/node/hub/answer"

        async def ask() -> Any:
            async with listening_to(self.mosquitto, answer) as heard:
                await heard.client.publish(f"{ROOT}/order/hub", done.stdout, qos=1)
                return json.loads(await heard.until(answer))

        found: dict[str, Any] = asyncio.run(ask())
        return found

    def admit(self, name: str, *more: str) -> None:
        done = self.hub.ctl("nodes", "admit", name, "--site", "oslo", "--key", key_of(name), *more)
        assert done.returncode == 0, done.stderr

    def publish(self, text: str) -> None:
        self.feed.write_text(f"{text}\n")
        assert self.hub.ctl("refresh", "drop").returncode == 0

    def published(self) -> dict[str, object]:
        """As the hub shows it, without the times."""
        (row,) = self.hub.ask("fleet")["published"]
        assert isinstance(row, dict)
        return row

    def _place(self, name: str, key: bytes, credential: str) -> Installation:
        (self.folder / name / "credentials").mkdir(parents=True)
        (self.folder / name / "credentials" / credential).write_bytes(key)
        return Installation(self.folder / name)


def has(place: Installation, address: str) -> bool:
    return place.ctl("check", address).returncode == 0


def waits(place: Installation) -> bool:
    """Whether its list waits for its time, and nothing is wrong with it."""
    status, health = place.ask("status"), json.loads(place.ctl("--json", "health").stdout)
    counts = (status["failing"], status["quarantined"], status["waiting"]) == (0, 0, 1)
    reasons = [one for one in health["reasons"] if one["message"].startswith("d ")]
    return counts and not reasons and place.ask("sources", "--failing") == []


def take(place: Installation, daemon: Daemon) -> None:
    """What the fleet says now."""
    since = len(daemon.events)
    place.ctl("refresh", "d")
    assert daemon.find(*ENDS, source_id="d", since=since)


@in_network_namespace
def test_what_a_canary_refuses_is_stopped_and_never_reaches_a_node_that_waits(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto, ExitStack() as stack:
        machines = Machines(tmp_path, stack, mosquitto)
        machines.feed.write_text(f"{GOOD}\n")
        hub = machines.start_hub("drop")
        hub.wait_for("mqtt_connected")
        hub.published("drop")
        canary, trying = machines.start_node("node-1", canary=True)
        node, waiting = machines.start_node("node-2", "hold: 1h")
        good = machines.published()["content_hash"]
        assert (has(node, GOOD), has(canary, GOOD)) == (True, True)
        # The node sees the version first, so that the canary cannot be too quick for it.
        assert canary.ctl("pause", "d").returncode == 0
        since = len(hub.events)
        machines.publish(WIDE)
        hub.wait_for("fleet_published", since=since)
        take(node, waiting)
        assert waiting.wait_for("blocklist_import_refused", "d")["guard"] == "hold"
        assert waits(node)
        canary.ctl("resume", "d")
        stopped = hub.wait_for("fleet_list_stopped", "drop")
        assert (stopped["node"], "wide: " in stopped["reason"]) == ("node-1", True)
        hub.wait_for("fleet_published", since=hub.events.index(stopped))
        row = machines.published()
        assert (row["content_hash"], row["withdrawn"], row["node"]) == (good, [stopped["content_hash"]], "node-1")

        # A restart of the hub keeps the stop, and what the hub imports is not published.
        assert hub.terminate() == 0
        hub = machines.start_hub()
        machines.publish(FIXED)
        hub.wait_for("mqtt_connected")
        assert "fleet: drop is stopped since" in machines.hub.ctl("status").stdout
        assert machines.published()["content_hash"] == good
        assert [event for event in hub.events if event["event"] == "fleet_published"] == []

        # So does one without its database, which has the version in question again.
        assert hub.terminate() == 0
        machines.feed.write_text(f"{WIDE}\n")
        for file in machines.hub.state.glob("banlistd.db*"):
            file.rename(tmp_path / file.name)
        hub = machines.start_hub("drop")
        again = hub.wait_for("fleet_list_stopped", "drop")
        assert (again.get("node"), machines.published()["content_hash"]) == (None, good)
        machines.publish(FIXED)
        assert [event for event in hub.events if event["event"] == "fleet_published"] == []

        # The time of the version is over at the node: it asks once more, and drops it.
        node.file.write_text(node.file.read_text().replace("hold: 1h", "hold: 0s"))
        assert node.ctl("reload").returncode == 0
        take(node, waiting)
        assert node.ask("quarantine") == []
        assert not has(node, "30.0.0.1")

        # Released, the list goes on, and both have what is good.
        assert machines.hub.ctl("fleet", "release", "drop").returncode == 0
        hub.wait_for("fleet_published", since=hub.events.index(hub.wait_for("fleet_list_released", "drop")))
        take(canary, trying)
        take(node, waiting)
        assert (has(node, ADDED), has(canary, ADDED), has(node, "30.0.0.1")) == (True, True, False)


@in_network_namespace
def test_operators_of_hub_and_canary_stop_a_version_and_an_order_releases_it(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto, ExitStack() as stack:
        machines = Machines(tmp_path, stack, mosquitto)
        machines.feed.write_text(f"{GOOD}\n")
        anna = tmp_path / "anna.key"
        machines.obeys(anna)
        hub = machines.start_hub("drop")
        hub.wait_for("mqtt_connected")
        hub.published("drop")
        canary, trying = machines.start_node("node-1", canary=True)
        since = len(trying.events)
        machines.publish(FIXED)
        trying.wait_for("blocklist_import_completed", "d", since=since)
        assert has(canary, ADDED)

        # For the hub, from afar.
        answer = machines.order(anna, "fleet-hold", "drop", "--reason", "looks odd")
        assert (answer["document"]["reason"], len(answer["document"]["withdrawn"])) == ("mqtt/anna: looks odd", 1)
        assert "by an operator: mqtt/anna: looks odd" in machines.hub.ctl("status").stdout
        hub.wait_for("fleet_published", since=hub.events.index(hub.wait_for("fleet_list_stopped", "drop")))
        take(canary, trying)
        assert not has(canary, ADDED)
        since = len(hub.events)
        # It is still the newest one of the hub: a release of it needs its name.
        refused = machines.hub.ctl("fleet", "release", "drop")
        (version,) = answer["document"]["withdrawn"]
        assert (refused.returncode, f"version {version[:16]}, would be published, and is in question" in refused.stderr) == (
            64,
            True,
        )
        assert "error" in machines.order(anna, "fleet-release", "drop")
        assert machines.order(anna, "fleet-release", "drop", "--version", version[:16])["document"]["released"]
        assert machines.hub.ctl("fleet", "release", "drop").returncode == 1
        hub.wait_for("fleet_published", since=since)
        take(canary, trying)
        assert has(canary, ADDED)

        # On the canary; but this version was released, so the next one it is.
        seen = len(hub.events)
        machines.publish(f"{FIXED}\n20.0.0.5")
        hub.wait_for("fleet_published", since=seen)
        take(canary, trying)
        run = canary.runs("completed")[0]["id"]
        since = len(hub.events)
        assert canary.ctl("rollback", "d", "--to", str(run)).returncode == 0
        stopped = hub.wait_for("fleet_list_stopped", "drop", since=since)
        assert (stopped["node"], "operator: " in stopped["reason"]) == ("node-1", True)
        assert machines.hub.ask("status")["stopped"][0]["node"] == "node-1"

        # Once it is suspended, only the stop is left.
        assert machines.hub.ctl("nodes", "suspend", "node-1").returncode == 0
        row = machines.published()
        assert (row["withdrawn"], row["stopped_since"] is None) == ([], False)
