"""A disk that is full or read-only: a node takes signed lists in memory, and a hub keeps the timestamp that it has."""

from pathlib import Path

from banlistd.core.addresses.sets import AddressSet
from support.disk import Disk
from support.fleet_repository import Repository
from support.mirror import Mirror
from support.network_namespace import in_network_namespace
from system.daemon_process import Daemon, running
from system.fleet.publishing import HubMachine
from system.test_fleet_trust import NEW, OLD, Fleet, content, fleet_of


def goes_on_in_memory(daemon: Daemon, fleet: Fleet, repository: Repository, *hosts: int) -> None:
    """A new list is in force, and the one before is refused."""
    (mirror,) = fleet.mirrors
    older = timestamp_of(mirror)
    repository.publish({"drop": content(*hosts)})
    assert fleet.refresh() == [*hosts]
    assert "SQLITE_" in daemon.wait_for("ledger_fault")["message"]
    is_refused(fleet, older, *hosts)


def is_refused(fleet: Fleet, timestamp: bytes, *hosts: int) -> None:
    (mirror,) = fleet.mirrors
    mirror.files["metadata/timestamp.json"] = timestamp
    assert fleet.refresh() == [*hosts]
    assert "version" in fleet.place.ask("sources")[0]["error"]
    mirror.files.clear()


def timestamp_of(mirror: Mirror) -> bytes:
    return (mirror.folder / "metadata/timestamp.json").read_bytes()


@in_network_namespace
def test_a_node_takes_lists_in_memory_and_goes_back_to_no_older_one_while_its_disk_takes_nothing(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    with Disk(tmp_path / "disk") as disk, fleet_of(tmp_path, repository.folder, repository.first_root) as fleet:
        fleet.place.state = disk.place / "state"
        (mirror,) = fleet.mirrors
        first = timestamp_of(mirror)
        with running(fleet.place, "drop") as daemon:
            disk.fill()
            goes_on_in_memory(daemon, fleet, repository, OLD, NEW)
            disk.free()
            assert fleet.place.ctl("reload").returncode == 0
            daemon.wait_for("ledger_mended")
            daemon.kill()
        # What was verified in memory is on the disk.
        with running(fleet.place) as daemon:
            is_refused(fleet, first, OLD, NEW)
            disk.abort()
            goes_on_in_memory(daemon, fleet, repository, OLD)
            assert daemon.terminate() == 0


@in_network_namespace
def test_a_hub_keeps_its_timestamp_while_its_disk_takes_nothing_and_publishes_once_there_is_room(tmp_path: Path) -> None:
    first, second, third = ["203.0.113.7"], ["203.0.113.7", "203.0.113.9"], ["203.0.113.9"]
    file = tmp_path / "list.txt"

    def write(entries: list[str]) -> AddressSet:
        file.write_text("\n".join([*entries, ""]))
        return content(*(0xCB007100 + int(entry.rpartition(".")[2]) for entry in entries))

    expected = write(first)
    with Disk(tmp_path / "disk") as disk:
        hub = HubMachine(tmp_path, {"drop": f"path: {file}"}, disk.place / "state")
        node = hub.node(tmp_path / "node")

        def publishes_nothing() -> None:
            before, since = hub.timestamp, len(daemon.events)
            assert hub.place.ctl("refresh", "drop").returncode == 0
            daemon.wait_for("fleet_fault", since=since)
            assert hub.timestamp == before
            assert hub.taken_by(node, "drop") == expected

        with running(hub.place, "drop", through=hub.through) as daemon:
            daemon.published("drop")
            disk.fill()
            new = write(second)
            publishes_nothing()
            disk.free()
            expected, since = new, len(daemon.events)
            assert hub.place.ctl("reload").returncode == 0
            daemon.wait_for("ledger_mended")
            hub.wakes()
            daemon.published("drop", since=since)
            assert hub.taken_by(node, "drop") == expected
            disk.abort()
            write(third)
            publishes_nothing()
            assert daemon.process.poll() is None
