"""The real daemon and the time: signatures that expire, a machine that was away for a month, and clocks that are years wrong.

Where a test sets a clock, the daemon has it, and so have all programs that it starts.
"""

import ipaddress
import time
from pathlib import Path

import pytest
from tuf.api.exceptions import ExpiredMetadataError

from support.fleet_repository import DAY, Repository
from support.mosquitto import broker
from support.network_namespace import in_network_namespace
from support.wall_clock import WallClock
from system.daemon_process import Daemon, running
from system.fleet.publishing import HubMachine
from system.fleet.reporting import admit, ban, hub_in, listed, next_import, node_in, with_credentials
from system.test_fleet_trust import NEW, OLD, Fleet, content, fleet_of

YEARS = 3652 * DAY
MONTH = 30 * DAY

JUMPS = pytest.mark.parametrize("jump", [YEARS, -YEARS], ids=["forward", "back"])


@in_network_namespace
def test_a_hub_that_stops_signing_lifts_no_ban_and_is_told_once(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    with fleet_of(tmp_path, repository.folder, repository.first_root) as fleet, running(fleet.place, "drop") as daemon:
        repository.publish({"drop": content(OLD, NEW)}, expires=-30 * DAY)
        for _ in range(2):
            assert fleet.refresh() == [OLD]
            assert "expired" in fleet.reason()
        daemon.wait_for("hub_expired")
        assert count(daemon, "hub_expired") == 1
        repository.publish()
        assert fleet.refresh() == [OLD, NEW]
        daemon.wait_for("hub_expired_over")


def ahead(clock: WallClock, seconds: float) -> None:
    """Ahead of the machine's own clock."""
    clock.set(time.time() + seconds)


def refuses_to_go_back(fleet: Fleet, older: bytes, *hosts: int, why: str = "") -> None:
    (mirror,) = fleet.mirrors
    mirror.files["metadata/timestamp.json"] = older
    refuses(fleet, *hosts, why=why)
    mirror.files.clear()


def refuses(fleet: Fleet, *hosts: int, why: str = "expired") -> None:
    """The next poll fails, and the bans stay."""
    assert fleet.place.ctl("refresh", "drop").returncode == 69
    assert fleet.banned() == [*hosts]
    assert why in fleet.place.ask("sources")[0]["error"]


@JUMPS
@in_network_namespace
def test_a_node_whose_clock_is_years_wrong_loses_no_ban_takes_nothing_expired_and_does_not_go_back(
    tmp_path: Path, clock: WallClock, jump: float
) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    older = (repository.folder / "metadata/timestamp.json").read_bytes()
    ahead(clock, 0)
    through = clock.python(tmp_path / "python")
    with fleet_of(tmp_path, repository.folder, repository.first_root, encrypted=False) as fleet:
        with running(fleet.place, "drop", through=through):
            repository.publish({"drop": content(OLD, NEW)})
            assert fleet.refresh() == [OLD, NEW]
            ahead(clock, jump)
            refuses_to_go_back(fleet, older, OLD, NEW)
            repository.publish({"drop": content(OLD)}, expires=-DAY)
            refuses(fleet, OLD, NEW)
        with running(fleet.place, through=through):
            assert fleet.banned() == [OLD, NEW]
            refuses_to_go_back(fleet, older, OLD, NEW)
            refuses(fleet, OLD, NEW)
            ahead(clock, 0)
            refuses(fleet, OLD, NEW)
            refuses_to_go_back(fleet, older, OLD, NEW, why="version")
            repository.publish()
            assert fleet.refresh() == [OLD]


@JUMPS
@in_network_namespace
def test_a_hub_whose_clock_is_years_wrong_signs_again_by_itself_once_it_is_right(
    tmp_path: Path, clock: WallClock, jump: float
) -> None:
    file = tmp_path / "list.txt"
    file.write_text(f"{ipaddress.ip_address(OLD)}\n")
    hub = HubMachine(tmp_path / "hub", {"drop": f"path: {file}"})
    node = hub.node(tmp_path / "node")
    ahead(clock, 0)
    with running(hub.place, "drop", through=[*hub.through, *clock.python(tmp_path / "python")]) as daemon:
        daemon.published("drop")
        assert hub.taken_by(node, "drop") == content(OLD)
        ahead(clock, jump)
        file.write_text(f"{ipaddress.ip_address(NEW)}\n")
        hub.publishes(daemon, "drop")
        if jump > 0:
            assert hub.taken_by(node, "drop") == content(NEW)
        else:
            with pytest.raises(ExpiredMetadataError):
                hub.taken_by(node, "drop")
        before = hub.timestamp
        ahead(clock, 0)
        for _ in range(1000):
            if hub.timestamp != before:
                break
            assert hub.place.ctl("status").returncode == 0
        assert hub.taken_by(node, "drop") == content(NEW)


@in_network_namespace
def test_the_bans_of_a_hub_that_is_dead_for_a_month_stay_and_one_poll_is_enough_once_it_is_back(
    tmp_path: Path, clock: WallClock
) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    ahead(clock, 0)
    through = clock.python(tmp_path / "python")
    with (
        fleet_of(tmp_path, repository.folder, repository.first_root, encrypted=False) as fleet,
        running(fleet.place, "drop", through=through) as daemon,
    ):
        for days in (2, 30):
            ahead(clock, days * DAY)
            refuses(fleet, OLD)
        daemon.wait_for("source_stale")
        assert count(daemon, "hub_expired") == 1
        repository.renew(MONTH)
        repository.publish({"drop": content(OLD, NEW)}, expires=MONTH + DAY)
        assert fleet.refresh() == [OLD, NEW]
        daemon.wait_for("hub_expired_over")
        assert fleet.place.ask("status")["stale"] == 0


def count(daemon: Daemon, event: str) -> int:
    return sum(seen["event"] == event for seen in daemon.events)


@in_network_namespace
def test_a_machine_that_was_away_for_a_month_is_up_to_date_after_one_poll(tmp_path: Path, clock: WallClock) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    ahead(clock, 0)
    through = clock.python(tmp_path / "python")
    with fleet_of(tmp_path, repository.folder, repository.first_root, encrypted=False) as fleet:
        with running(fleet.place, "drop", through=through):
            assert fleet.banned() == [OLD]
        for number in range(18):
            repository.publish({"drop": content(OLD, NEW + number)})
        for _ in range(12):
            repository.rotate_root()
        repository.renew(MONTH)
        repository.publish({"drop": content(NEW)}, expires=MONTH + DAY)
        ahead(clock, MONTH)
        (mirror,) = fleet.mirrors
        mirror.asked.clear()
        with running(fleet.place, "drop", through=through):
            assert fleet.banned() == [NEW]
            assert fleet.place.ask("fleet")["root_version"] == 13
        assert mirror.asked.count("metadata/timestamp.json") == 1
        assert [path for path in mirror.asked if path.endswith(".full.blz")]


@in_network_namespace
def test_a_hub_whose_clock_is_years_ahead_lets_no_shared_ban_run_out_also_after_a_restart(
    tmp_path: Path, clock: WallClock
) -> None:
    ahead(clock, 0)
    with broker(tmp_path) as mosquitto:
        hub = hub_in(tmp_path / "hub", mosquitto)
        one, two = (node_in(tmp_path, mosquitto, f"node-{number}") for number in (1, 2))

        def is_kept() -> bool:
            """Also by a poll of this moment."""
            assert hub.ctl("refresh", "reports").returncode == 0
            return listed(hub, "203.0.113.7")

        with (
            running(one, through=with_credentials(one)) as first,
            running(two, through=with_credentials(two)) as second,
        ):
            with running(hub, "reports", through=clock.through) as gathers:
                for daemon in (gathers, first, second):
                    daemon.wait_for("mqtt_connected")
                for name in ("node-1", "node-2"):
                    admit(hub, name, name)
                since = len(gathers.events)
                for node in (one, two):
                    ban(node, "203.0.113.7", seconds=86_400)
                next_import(gathers, since)
                ahead(clock, YEARS)
                assert is_kept()
                assert "ahead of what it was: no shared ban is withdrawn" in hub.ctl("status").stdout
            with running(hub, through=clock.through):
                assert is_kept()
                assert "ahead of the newest report before the start" in hub.ctl("status").stdout
            ahead(clock, 0)
            with running(hub, through=clock.through):
                assert is_kept()
                assert "no shared ban is withdrawn" not in hub.ctl("status").stdout
