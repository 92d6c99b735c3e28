"""The real daemon and the time: signatures that expire, and a machine that was away for a month."""

from pathlib import Path

from support.fleet_repository import DAY, Repository
from support.network_namespace import in_network_namespace
from system.daemon_process import running
from system.test_fleet_trust import NEW, OLD, content, fleet_of


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
        assert sum(event["event"] == "hub_expired" for event in daemon.events) == 1
        repository.publish()
        assert fleet.refresh() == [OLD, NEW]
        daemon.wait_for("hub_expired_over")


@in_network_namespace
def test_a_machine_that_was_away_for_a_month_is_up_to_date_after_one_poll(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    with fleet_of(tmp_path, repository.folder, repository.first_root) as fleet:
        with running(fleet.place, "drop"):
            assert fleet.banned() == [OLD]
        for number in range(18):
            repository.publish({"drop": content(OLD, NEW + number)})
        for _ in range(12):
            repository.rotate_root()
        repository.publish({"drop": content(NEW)})
        fleet.place.make_everything_due()
        with running(fleet.place, "drop"):
            assert fleet.banned() == [NEW]
            assert fleet.place.ask("fleet")["root_version"] == 13
