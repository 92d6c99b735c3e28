"""The real daemon as a hub: what it imports is published, signed by a program that has no right, and nodes take it."""

import ipaddress
import json
import random
import shutil
from pathlib import Path

import pytest

from banlistd.core.addresses.fleet_files.files import list_after, whole_list
from support.fleet import Hub, Node, Owners
from system.daemon_process import Installation, running

MOST = 2**20


@pytest.fixture
def owners(tmp_path: Path) -> Owners:
    return Owners(tmp_path / "owners", "hub-a", "hub-b")


@pytest.fixture
def place(tmp_path: Path, owners: Owners, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A hub with a list of 2,000 addresses."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "hub-key").write_bytes(owners.key("hub-a").read_bytes())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    place = Installation(tmp_path)
    write_list(tmp_path, 2000)
    place.configure(f"id: drop, path: {tmp_path / 'list.txt'}")
    lines = ("backend: memory", "fleet:", "  name: main", "  publish: {lists: [drop], key: '${credential:hub-key}', every: 1s}")
    place.file.write_text(place.file.read_text() + "\n".join([*lines, ""]))
    place.state.mkdir()
    return place


def write_list(folder: Path, entries: int) -> None:
    spread = random.Random(7)  # a delta of numbers in a row is no smaller than the whole
    lines = [str(ipaddress.ip_address(spread.randrange(0x0B000000, 0x60000000))) for _ in range(entries)]
    (folder / "list.txt").write_text("\n".join([*lines, ""]))


def test_a_hub_publishes_what_it_imports_and_what_changes_as_a_delta(
    tmp_path: Path, owners: Owners, place: Installation
) -> None:
    hub, node = Hub(place.state / "fleet", owners, "hub-a"), Node(tmp_path / "node", owners)
    with running(place, "drop") as daemon:
        fault = daemon.wait_for("fleet_fault")
        assert "knows no root of its fleet" in fault["reason"]
        hub.install()
        assert "was never promoted" in daemon.wait_for("fleet_fault", since=daemon.events.index(fault) + 1)["reason"]
        hub.promote()
        published = daemon.wait_for("fleet_published")
        assert (published["version"], published["entries"]) == (1, 2000)
        first = whole_list(node.pull(hub.folder.public, "drop/full.blz") or b"", MOST)
        (run,) = place.runs("completed")
        assert first.content_hash() == run["content_hash"]
        write_list(tmp_path, 2010)
        assert place.ctl("refresh", "drop").returncode == 0
        daemon.wait_for("fleet_published", since=daemon.events.index(published) + 1)
        delta = node.pull(hub.folder.public, f"drop/{run['content_hash'][:16]}.bld")
        assert list_after(delta or b"", first, MOST).content_hash() == place.runs("completed")[-1]["content_hash"]
        assert len(delta or b"") < 300
        assert daemon.terminate() == 0
    (run,) = place.runs("completed")[-1:]
    assert run["content_hash"] in (hub.folder.metadata / "2.drop.json").read_text()


def test_a_hub_without_its_key_says_so_and_goes_on_banning(
    owners: Owners, place: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hub(place.state / "fleet", owners, "hub-a").install()
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with running(place, "drop") as daemon:
        assert "there is no credential hub-key" in daemon.wait_for("fleet_fault")["reason"]
        assert place.ask("status")["sources"]


def test_a_hub_whose_disk_was_lost_goes_on_from_a_mirror_and_nodes_need_nothing(
    tmp_path: Path, owners: Owners, place: Installation
) -> None:
    hub, node, mirror = Hub(place.state / "fleet", owners, "hub-a"), Node(tmp_path / "node", owners), tmp_path / "mirror"
    hub.install()
    hub.promote()
    with running(place, "drop") as daemon:
        before = daemon.published("drop")["version"]
        assert node.pull(hub.folder.public, "drop/full.blz")
        shutil.copytree(hub.folder.public, mirror)
    shutil.rmtree(place.state)
    place.state.mkdir()
    new = Hub(place.state / "fleet", owners, "hub-a")
    new.install()
    new.promote(mirror)
    write_list(tmp_path, 2010)
    with running(place, "drop") as daemon:
        published = daemon.published("drop")
        assert published["version"] > before
        (run,) = place.runs("completed")
        taken = whole_list(node.pull(new.folder.public, "drop/full.blz") or b"", MOST)
        assert taken.content_hash() == run["content_hash"]


def test_a_hub_that_another_one_replaced_publishes_nothing_more(tmp_path: Path, owners: Owners, place: Installation) -> None:
    hub, other = Hub(place.state / "fleet", owners, "hub-a"), Hub(tmp_path / "b", owners, "hub-b")
    hub.install()
    hub.promote()
    with running(place, "drop") as daemon:
        published = daemon.published("drop")
        other.install()
        other.promote(hub.folder.public)
        assert other.publish({}, "drop")["ok"]
        # A mirror copied it over what this hub had.
        (hub.folder.metadata / "timestamp.json").write_bytes((other.folder.metadata / "timestamp.json").read_bytes())
        for path in other.folder.metadata.iterdir():
            (hub.folder.metadata / path.name).write_bytes(path.read_bytes())
        write_list(tmp_path, 2010)
        assert place.ctl("refresh", "drop").returncode == 0
        assert "another hub was promoted" in daemon.wait_for("fleet_fault")["reason"]
        version = json.loads((hub.folder.metadata / "timestamp.json").read_text())["signed"]["version"]
        assert version == 1_000_001
        hub.promote()
        since = daemon.events.index(published) + 1
        assert daemon.wait_for("fleet_published", since=since)["version"] == 2_000_001
