"""A hub, two machines that report, and many nodes: real daemons, and the real code of nodes in few processes, over a real
broker and nginx. A test judges counts of what comes back, and the benchmark prints the times.
"""

import json
import random
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.certificates import self_signed
from support.fleet import Hub, Owners
from support.many_nodes.crowd import Crowd, Snapshot, allow_many_files, crowd_of
from support.mosquitto import Mosquitto, broker
from support.nginx import nginx
from support.reporters import FLEET
from system.daemon_process import Daemon, Installation, running
from system.fleet.reporting import admit, ban, key_file, settings, with_credentials

ENTRIES = 10_000
MANY = ("allow_anonymous true", "max_connections -1")
"""Lines of a broker's configuration."""

_PROCESSES, _PROGRAMS = 2, 2
"""With nodes, and beside each of these, that pull."""

PATIENCE = 300.0
"""Seconds; it ends what would wait for ever."""


@dataclass(frozen=True, slots=True)
class Reached:
    """From an order until all nodes have what came of it. `published`, `all`: seconds after the order. `requests` and
    `octets`: of a node, on average.
    """

    published: float
    all: float
    requests: float
    octets: float


class ManyMachines:
    """`spread`: seconds. `is_light`: of the nodes there is only what they ask for. The
    list `drop` has ENTRIES addresses; the list `reports` what both machines have banned.
    """

    def __init__(self, folder: Path, stack: ExitStack, size: int, spread: int, *, is_light: bool = False) -> None:
        self._folder, self._stack = folder, stack
        allow_many_files()
        self.mosquitto = stack.enter_context(broker(folder, *MANY))
        owners = Owners(folder / "owners", "hub-a")
        self._list = folder / "drop.txt"
        self._round = 0
        self._numbers = random.Random(1).sample(range(2**23), 2 * ENTRIES)  # the same ones each time
        self._write_list()
        self.hub = self._machine("hub", owners.key("hub-a").read_bytes(), "hub-key")
        publish = "publish: {lists: [drop, reports], key: '${credential:hub-key}'}"
        sources = f"id: drop, path: {self._list}}}\n  - {{id: reports, reports: {{quorum: 2}}"
        settings(self.hub, self.mosquitto, "hub", sources, f"fleet: {{name: {FLEET}, {publish}}}")
        keys = Hub(self.hub.state / "fleet", owners, "hub-a")
        keys.install()
        keys.promote()
        public = self.hub.state / "fleet" / "public"
        certificate = self_signed(folder, "mirror")
        url = stack.enter_context(nginx(public, certificate))
        root = owners.folder.path / "1.root.json"
        self._lists = f"root: {root}, urls: '{url}', ca: {certificate}.crt, spread: {spread}s"
        self.hub_daemon = self._started(self.hub, "drop")
        self.hub_daemon.published("drop")
        self.reporters = [self._reporter(name, site) for name, site in (("web-1", "oslo"), ("web-2", "bergen"))]
        self.is_light = is_light
        order = {"port": self.mosquitto.port, "url": url, "ca": f"{certificate}.crt", "spread": spread, "list": "reports"}
        self.crowd = stack.enter_context(crowd_of(size, "light", order)) if is_light else self._crowd(size)
        self.bans = ENTRIES

    @property
    def octets_of_the_list(self) -> int:
        """Of its newest whole file."""
        files = (self.hub.state / "fleet" / "public" / "targets" / "drop").glob("*.full.blz")
        return max(files, key=lambda file: file.stat().st_mtime).stat().st_size

    def begin(self) -> Snapshot:
        """All nodes have the list for the first time."""
        return self.crowd.until_all_have(self._newest(), PATIENCE)

    def _newest(self) -> int:
        """What all nodes are to have: so many bans, or of light ones this version."""
        if not self.is_light:
            return self.bans
        timestamp = json.loads((self.hub.state / "fleet" / "public" / "metadata" / "timestamp.json").read_bytes())
        return int(timestamp["signed"]["version"])

    def change_list(self) -> Reached:
        """One address in a hundred leaves, as many come, and one more."""
        self.bans += 1
        self._round += 1
        self._write_list()
        before, since, began = self.crowd.now, len(self.hub_daemon.events), time.monotonic()
        done = self.hub.ctl("refresh", "drop")
        assert done.returncode == 0, done.stderr
        return self._reached(before, since, began)

    def ban_on_two(self, address: str) -> Reached:
        """fail2ban bans on machines of two sites, and the fleet lists it."""
        self.bans += 1
        before, since, began = self.crowd.now, len(self.hub_daemon.events), time.monotonic()
        with ThreadPoolExecutor() as both:  # two machines do not wait for each other
            list(both.map(lambda reporter: ban(reporter, address), self.reporters))
        return self._reached(before, since, began)

    def restart_broker(self) -> float:
        """Killed, and started again once all nodes have noticed it; seconds from the start until all are connected again."""
        self.mosquitto.stop()
        self.crowd.until(lambda one: one.connected == 0, PATIENCE)
        since = len(self.hub_daemon.events)
        began = time.monotonic()
        self.mosquitto.start()
        back = self.crowd.until_connected(PATIENCE)
        self.hub_daemon.wait_for("mqtt_connected", since=since)
        return back.at - began

    def _reached(self, before: Snapshot, since: int, began: float) -> Reached:
        self.hub_daemon.wait_for("fleet_published", since=since)
        published = time.monotonic() - began
        after = self.crowd.until_all_have(self._newest(), PATIENCE)
        size = self.crowd.size
        requests, octets = after.requests - before.requests, after.octets - before.octets
        return Reached(published, after.at - began, requests / size, octets / size)

    def _write_list(self) -> None:
        leave = self._round * (ENTRIES // 100)
        numbers = self._numbers[leave : leave + ENTRIES + self._round]
        lines = (f"11.{number >> 15}.{number >> 7 & 255}.{2 * (number & 127)}\n" for number in numbers)
        self._list.write_text("".join(lines))

    def _machine(self, name: str, key: bytes, credential: str) -> Installation:
        (self._folder / name / "credentials").mkdir(parents=True)
        (self._folder / name / "credentials" / credential).write_bytes(key)
        return Installation(self._folder / name)

    def _started(self, place: Installation, *settled: str) -> Daemon:
        return self._stack.enter_context(running(place, *settled, through=with_credentials(place)))

    def _reporter(self, name: str, site: str) -> Installation:
        place = self._machine(name, key_file(name), "node-key")
        reports = 'report: [fail2ban/*], node_key: "${credential:node-key}"'
        settings(place, self.mosquitto, name, "", f"fleet: {{name: {FLEET}, {reports}}}")
        admit(self.hub, name, site)
        self._started(place).wait_for("mqtt_connected")
        return place

    def _crowd(self, size: int) -> Crowd:
        place = self._machine("crowd", b"", "none")
        sources = "id: drop, hub: drop}\n  - {id: shared, hub: reports"
        settings(place, self.mosquitto, "node", sources, f"fleet: {{name: {FLEET}, {self._lists}}}")
        databases = self._stack.enter_context(_in_memory())
        order = {"config": place.config, "folder": databases, "programs": _PROGRAMS}
        return self._stack.enter_context(crowd_of(size, "real", order, _PROCESSES))


@contextmanager
def _in_memory() -> Iterator[Path]:
    """A folder for the databases of many machines, which would wait for one disk here."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - each folder there has a name of its own
    with tempfile.TemporaryDirectory(dir=place, prefix="banlistd-nodes-") as folder:
        yield Path(folder)


@contextmanager
def many_machines(folder: Path, size: int, spread: int, *, is_light: bool = False) -> Iterator[ManyMachines]:
    with ExitStack() as stack:
        yield ManyMachines(folder, stack, size, spread, is_light=is_light)


def resident(mosquitto: Mosquitto) -> int:
    """Octets of memory of the broker."""
    assert mosquitto.process is not None
    lines = Path(f"/proc/{mosquitto.process.pid}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
