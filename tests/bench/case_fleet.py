"""A fleet: what a hub takes to publish, what a node takes to follow, and how many reports a hub bears."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from banlistd.adapters.fetch.fleet.pulling import MirrorPrograms
from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.reports.node_table import NodeTable
from banlistd.adapters.storage.reports.sighting_table import SightingTable
from banlistd.adapters.system.clock import SystemClock
from banlistd.core.addresses.fleet_files.files import whole_file
from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.fleet.publish_job import KnownContent
from banlistd.core.fleet.reports.addresses import Exempt
from banlistd.core.fleet.reports.judging import ReportMessage
from banlistd.core.fleet.trust import KnownTrust, Pulled, WantedList
from banlistd.services.publishing.encoding import MOST_DELTAS, fleet_content
from banlistd.services.reports.allowances import BURST
from banlistd.services.reports.clock_witness import ClockWitness
from banlistd.services.reports.gathering import REPORTS_AT_ONCE, Gathering, GatheringPlace
from bench.application import application, rss
from bench.inputs import Numbers, random_hosts
from bench.measuring import MIB, Sample
from bench.rows import Row, at_least, at_most
from bench.setting import Setting
from bench.turns import Contender, take_turns
from support.certificates import self_signed
from support.fakes import FakeAnnouncer
from support.fleet import Hub, Owners
from support.fleet_repository import Repository
from support.mosquitto import broker
from support.nginx import nginx
from support.reporters import FLEET, message_of, node, report, reported
from system.fleet.ringing import ring

_LARGEST = 64 * 2**20
_BANS_OF_A_REPORT = 5
_LOOK_LISTS = "a list of 1,000,000 addresses, of which 5,000 leave and 5,000 come"


def fleet(setting: Setting) -> Iterator[Row]:
    numbers = random_hosts(10_000 if setting.quick else 1_000_000)
    contents = [AddressSet.of(numbers)]
    for seed in range(MOST_DELTAS):
        numbers = _changed(numbers, seed)
        contents.append(AddressSet.of(numbers))
    publish = f"a hub publishes {_LOOK_LISTS}: whole, {MOST_DELTAS} deltas, the program that signs, and its files"
    contender = Contender("publish", publish, partial(_published, setting, contents), at_most(2000))
    yield from take_turns("fleet", [contender], setting)
    yield from _pulls(setting, contents[-2:])
    yield from _bell(setting, contents[-2:])
    rate = f"reports of {_BANS_OF_A_REPORT} bans of many nodes, signed: judged and in the ledger of the hub"
    contender = Contender("reports", rate, partial(_reports, setting), at_least(1000), unit="reports/s")
    yield from take_turns("fleet", [contender], setting)


def _changed(numbers: Numbers, seed: int) -> Numbers:
    """Half a percent of the addresses leaves, and as many come."""
    random = np.random.default_rng(seed)
    part = len(numbers) // 200
    leave = random.choice(len(numbers), part, replace=False)
    stay = np.delete(numbers, leave)
    come = np.setdiff1d(random.integers(1 << 24, 224 << 24, 2 * part, np.uint32), stay)
    return np.union1d(stay, random.permutation(come)[:part]).astype(np.uint32)


def _published(setting: Setting, contents: list[AddressSet]) -> Sample:
    folder = setting.folder / f"publish-{time.monotonic_ns()}"
    owners = Owners(folder / "owners", "hub-a")
    hub = Hub(folder / "hub", owners, "hub-a")
    hub.install()
    hub.promote()
    *old, new = contents
    known = [KnownContent(str(one.content_hash()), str(number)) for number, one in enumerate(old)]
    files = {str(number): whole_file(one) for number, one in enumerate(old)}
    began = time.perf_counter()
    made = fleet_content(str(new.content_hash()), new, known[::-1], files.__getitem__)
    answer = hub.publish({"drop": made}, "drop")
    took = time.perf_counter() - began
    assert len(made.files) == 1 + MOST_DELTAS, answer
    return Sample(1000 * took)


class _Node:
    """What a node remembers between two pulls."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._programs = MirrorPrograms(None, "0", SystemClock())
        self._known = KnownTrust()
        self._has: AddressSet | None = None
        self.took = 0.0

    def pull(self) -> Pulled:
        known = str(self._has.content_hash()) if self._has else ""
        wanted = WantedList("drop", known, self._has, known, _LARGEST)
        began = time.perf_counter()
        pulled = asyncio.run(self._programs.pull(self._fleet, [wanted], self._known, 60.0))
        self.took = time.perf_counter() - began
        self._known = KnownTrust({**self._known.rows, **pulled.rows}, pulled.state)
        found = pulled.lists["drop"]
        assert found is not None
        self._has = found.addresses or self._has
        return pulled


def _pulls(setting: Setting, contents: list[AddressSet]) -> Iterator[Row]:
    """A repository in which all metadata is as large as that of a hub with one list."""
    folder = setting.folder / "pulls"
    repository = Repository(folder / "repository")
    (folder / "root.json").write_bytes(repository.first_root)
    certificate = self_signed(folder, "mirror")
    change, nothing, took = list[Pulled](), list[Pulled](), list[float]()
    with nginx(repository.folder, certificate) as url:
        for _ in range(setting.runs):
            follower = _Node(Fleet(name=FLEET, root=folder / "root.json", urls=(url,), ca=Path(f"{certificate}.crt")))
            repository.publish({"drop": contents[0]})
            follower.pull()
            repository.publish({"drop": contents[1]})
            change.append(follower.pull())
            took.append(1000 * follower.took)
            nothing.append(follower.pull())
    yield Row("fleet/pull", f"a program of a node takes {_LOOK_LISTS}, from Python's start to the content", "ms", took)
    for name, what, pulls, target in (
        ("change", f"a pull of {_LOOK_LISTS}", change, at_most(26_000)),
        ("nothing", "a pull that brings nothing", nothing, at_most(600)),
    ):
        yield Row(f"fleet/{name}-octets", f"{what}: bodies of answers", "octets", [one.octets for one in pulls], target=target)
        yield Row(f"fleet/{name}-requests", what, "requests", [one.requests for one in pulls])


def _bell(setting: Setting, contents: list[AddressSet]) -> Iterator[Row]:
    folder = setting.folder / "bell"
    repository = Repository(folder / "repository")
    (folder / "root.json").write_bytes(repository.first_root)
    repository.publish({"drop": contents[0]})
    certificate = self_signed(folder, "mirror")
    samples, memory = list[float](), list[float]()
    with application() as home:
        place = home.place
        with ExitStack() as stack:
            inside = home.namespace.run
            mosquitto = inside(partial(stack.enter_context, broker(folder)))
            url = inside(partial(stack.enter_context, nginx(repository.folder, certificate)))
            place.configure("id: drop, hub: drop, every: 1d")
            root = f"root: {folder}/root.json, urls: '{url}', ca: {certificate}.crt, spread: 0s"
            more = f"mqtt: {{broker: 'mqtt://127.0.0.1:{mosquitto.port}', id: node}}\nfleet: {{name: {FLEET}, {root}}}\n"
            place.file.write_text(place.file.read_text() + more)
            if not setting.quick:
                setting.peace.await_silence()  # a million elements, at the first import
            with home.start() as daemon:
                daemon.wait_for("blocklist_import_completed")
                daemon.wait_for("mqtt_connected")
                for number in range(1, setting.runs + 1):
                    time.sleep(0 if setting.quick else 12)  # the node rests between two pulls that a bell causes
                    repository.publish({"drop": contents[number % 2]})
                    since, began = len(daemon.events), time.perf_counter()
                    inside(partial(ring, mosquitto, repository.folder))
                    daemon.wait_for("blocklist_import_completed", since=since)
                    samples.append(1000 * (time.perf_counter() - began))
                memory.append(rss(daemon) / MIB)
    what = f"bell -> firewall of a daemon: {_LOOK_LISTS}; no spread"
    yield Row("fleet/bell", what, "ms", samples, target=at_most(600))
    yield Row("fleet/memory", "that daemon afterwards, not idle yet", "MB", memory)


def _reports(setting: Setting) -> Sample:
    """As many nodes as it takes for none to send more than it may."""
    return asyncio.run(_gathered(setting.folder / f"reports-{time.monotonic_ns()}", 20 if setting.quick else 100))


async def _nothing_more() -> Exempt:
    return Exempt(reserved_ranges())


async def _gathered(path: Path, nodes: int) -> Sample:
    clock = SystemClock()
    async with open_database(path) as database:
        register, log = NodeTable(database), SightingTable(database, path)
        place = GatheringPlace(FLEET, is_signed_by, _nothing_more, lambda: None, lambda: 3600.0, ClockWitness(clock))
        gathering = Gathering(place, register, log, FakeAnnouncer(), clock)
        now, messages = clock.now(), list[ReportMessage]()
        for number in range(nodes):
            name = f"node-{number}"
            await register.admit(node(name, f"site-{number}"))
            for seq in range(1, BURST):
                bans = (reported(f"11.{number}.{seq}.{one}", now) for one in range(_BANS_OF_A_REPORT))
                messages.append(ReportMessage(name, message_of(report(now, *bans, name=name, seq=seq))))
        began = time.perf_counter()
        for start in range(0, len(messages), REPORTS_AT_ONCE):
            for message in messages[start : start + REPORTS_AT_ONCE]:
                gathering.hear(message)
            await gathering.turn()
        took = time.perf_counter() - began
        assert sum((await log.counts()).values()) == len(messages) * _BANS_OF_A_REPORT
    return Sample(len(messages) / took)
