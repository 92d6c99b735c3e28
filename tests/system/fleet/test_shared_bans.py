"""From fail2ban on some nodes to the firewall of every node, over reports, the hub's list and signed files."""

from contextlib import ExitStack
from pathlib import Path

from support.fleet import Hub, Owners
from support.mirror import mirror_of
from support.mosquitto import Mosquitto, broker
from support.network_namespace import in_network_namespace
from support.reporters import FLEET
from system.daemon_process import Daemon, Installation, running
from system.fleet.reporting import admit, ban, key_file, settings, with_credentials


class Machines:
    """A hub that lists and publishes what nodes report, and nodes that take its list."""

    def __init__(self, folder: Path, stack: ExitStack, mosquitto: Mosquitto) -> None:
        self.folder, self.stack, self.mosquitto = folder, stack, mosquitto
        owners = Owners(folder / "owners", "hub-a")
        self.hub = self._machine("hub", owners.key("hub-a").read_bytes(), "hub-key")
        publish = "publish: {lists: [reports], key: '${credential:hub-key}', every: 1s}"
        settings(
            self.hub, mosquitto, "hub", "id: reports, reports: {quorum: 2}", f"fleet: {{name: {FLEET}, {publish}}}", allow=()
        )
        keys = Hub(self.hub.state / "fleet", owners, "hub-a")
        keys.install()
        keys.promote()
        mirror = stack.enter_context(mirror_of(self.hub.state / "fleet" / "public"))
        self.lists = f"root: {owners.folder.path / '1.root.json'}, urls: '{mirror.url}', spread: 0s"

    def start_hub(self) -> Daemon:
        started = self.stack.enter_context(running(self.hub, through=with_credentials(self.hub)))
        started.wait_for("fleet_published")
        return started

    def start_node(self, name: str, site: str, *allow: str) -> tuple[Installation, Daemon]:
        place = self._machine(name, key_file(name), "node-key")
        reports = 'report: [fail2ban/*], node_key: "${credential:node-key}"'
        section = f"fleet: {{name: {FLEET}, {self.lists}, {reports}}}"
        settings(place, self.mosquitto, name, "id: shared, hub: reports", section, allow=allow)
        admit(self.hub, name, site)
        daemon = self.stack.enter_context(running(place, "shared", through=with_credentials(place)))
        daemon.wait_for("mqtt_connected")
        return place, daemon

    def _machine(self, name: str, key: bytes, credential: str) -> Installation:
        (self.folder / name / "credentials").mkdir(parents=True)
        (self.folder / name / "credentials" / credential).write_bytes(key)
        return Installation(self.folder / name)


def until_imported(daemons: list[Daemon], since: list[int]) -> None:
    for daemon, number in zip(daemons, since, strict=True):
        daemon.wait_for("blocklist_import_completed", "shared", since=number)


@in_network_namespace
def test_what_two_sites_ban_is_banned_on_every_node_and_lifted_everywhere(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto, ExitStack() as stack:
        machines = Machines(tmp_path, stack, mosquitto)
        machines.start_hub()
        one, first = machines.start_node("node-1", "oslo")
        two, second = machines.start_node("node-2", "bergen")
        # This one allows a part of what the others ban.
        three, third = machines.start_node("node-3", "paris", "203.0.113.8/32")
        daemons = [first, second, third]
        since = [len(daemon.events) for daemon in daemons]
        ban(one, "203.0.113.7", "203.0.113.8")
        ban(two, "203.0.113.7", "203.0.113.8")
        until_imported(daemons, since)
        assert [place.ask("status")["bans"] for place in (one, two, three)] == [2, 2, 1]
        assert "203.0.113.8" in three.ctl("check", "203.0.113.8").stdout
        since = [len(daemon.events) for daemon in daemons]
        assert two.ctl("unban", "203.0.113.7").returncode == 0
        until_imported(daemons, since)
        assert three.ask("status")["bans"] == 0
        since = [len(daemon.events) for daemon in daemons]
        ban(three, "203.0.113.9")
        ban(one, "203.0.113.9")
        until_imported(daemons, since)
        assert two.ctl("check", "203.0.113.9").returncode == 0
        since = [len(daemon.events) for daemon in daemons]
        assert machines.hub.ctl("nodes", "suspend", "node-1").returncode == 0
        until_imported(daemons, since)
        assert two.ctl("check", "203.0.113.9").returncode == 1
