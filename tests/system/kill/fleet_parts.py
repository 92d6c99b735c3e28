"""What the machine that is killed is in a fleet: a node that takes lists, a hub that publishes them, one that takes reports."""

import ipaddress
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from paho.mqtt.publish import single

from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.model import Family
from support.fleet import Hub, Owners
from support.fleet_repository import Repository
from support.mirror import mirror_of
from support.mosquitto import Mosquitto
from support.reporters import FLEET, message_of, report, reported
from system.fleet.reporting import PUBLISHES, topic_of
from system.kill.world import KillScenario

NODE_MODULES = (
    "banlistd.adapters.fetch.fleet.pulling",
    "banlistd.adapters.storage.fleet.trust_rows",
    "banlistd.services.fleet.fleet_lists",
)
HUB_MODULES = ("banlistd.connecting.hub", "banlistd.adapters.signatures.hub_repository")
REPORTS_MODULES = ("banlistd.connecting.broker", "banlistd.connecting.reports", "banlistd.core.fleet.reports.quorum")


def addresses_of(entries: Iterable[str]) -> AddressSet:
    networks = [ipaddress.ip_network(entry) for entry in entries]
    ends = []
    for family, version in ((Family.IPV4, 4), (Family.IPV6, 6)):
        of_family = [network for network in networks if network.version == version]
        ends += [from_numbers(family, [int(network[end]) for network in of_family]) for end in (0, -1)]
    return AddressSet.of(*ends)


class TakesLists:
    """A node whose lists are signed. Of each scene there is a copy of the repository, as it was then."""

    def __init__(self, folder: Path, scenes: Sequence[KillScenario]) -> None:
        self._repository = Repository(folder / "repository", [*scenes[0].lists])
        self._root = folder / "root.json"
        self._root.write_bytes(self._repository.first_root)
        self._copies: dict[KillScenario, Path] = {}
        for number, scene in enumerate(scenes):
            self._repository.publish({name: addresses_of(entries) for name, entries in scene.lists.items()})
            self._copies[scene] = folder / f"copy-{number}"
            shutil.copytree(self._repository.folder, self._copies[scene])

    @contextmanager
    def served(self) -> Iterator["TakesLists"]:
        with mirror_of(self._repository.folder) as self._mirror:
            yield self

    def origin(self, name: str) -> str:
        return f"hub: {name}"

    def show(self, scene: KillScenario) -> Sequence[str]:
        self._mirror.folder = self._copies[scene]
        return [f"fleet: {{name: main, root: {self._root}, urls: ['{self._mirror.url}']}}"]


class Publishes:
    """A hub that publishes every list. `credentials`: where its key is."""

    def __init__(self, folder: Path, state: Path, credentials: Path) -> None:
        self.owners = Owners(folder / "owners", "hub-a")
        (credentials / "hub-key").write_bytes(self.owners.key("hub-a").read_bytes())
        self.hub = Hub(state / "fleet", self.owners, "hub-a")
        self.hub.install()
        self.hub.promote()

    @property
    def has_published(self) -> bool:
        """Whether anything was published yet."""
        return (self.hub.folder.metadata / "timestamp.json").exists()

    def origin(self, _: str) -> str:
        return ""

    def show(self, scene: KillScenario) -> Sequence[str]:
        lists = ", ".join(scene.lists)
        return ["fleet:", "  name: main", f"  publish: {{lists: [{lists}], key: '${{credential:hub-key}}', every: 1s}}"]


class TakesReports:
    """A hub whose only list is what its one node reports. Each scene is reported by one report, numbered from 1 on."""

    NODE = "node-1"

    def __init__(self, mosquitto: Mosquitto, scenes: Sequence[KillScenario]) -> None:
        self._mosquitto = mosquitto
        self._numbers: Mapping[KillScenario, int] = {scene: number for number, scene in enumerate(scenes, 1)}

    def origin(self, name: str) -> str:
        return f"{name}: {{quorum: 1, window: 12h}}"

    def show(self, _: KillScenario) -> Sequence[str]:
        broker = f"mqtt: {{broker: 'mqtt://127.0.0.1:{self._mosquitto.port}', id: hub}}"
        return [broker, f"fleet: {{name: {FLEET}, {PUBLISHES}}}"]

    def send(self, scene: KillScenario) -> None:
        """The report of a scene; returns once the broker has it."""
        now = time.time()
        bans = (reported(entry, now) for entry in scene.lists["reports"])
        made = report(now, *bans, name=self.NODE, seq=self._numbers[scene])
        single(topic_of(self.NODE), message_of(made), qos=1, hostname="127.0.0.1", port=self._mosquitto.port)
