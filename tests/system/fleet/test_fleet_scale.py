"""Many nodes at once. With `-m scale` 1,000 with the real code and 10,000 light ones; else few. The benchmark times them."""

from pathlib import Path

import pytest

from support.certificates import self_signed
from support.fleet_repository import Repository
from support.many_nodes.crowd import allow_many_files, crowd_of
from support.mosquitto import broker
from support.network_namespace import in_network_namespace
from support.nginx import nginx
from system.fleet.many_machines import MANY, PATIENCE, many_machines
from system.fleet.ringing import ring
from system.test_fleet_trust import NEW, OLD, content

pytestmark = pytest.mark.scale

REQUESTS = 5
"""Of a pull that brings a change: root (which is not there), timestamp, snapshot, the list's role and a delta."""


@pytest.fixture
def is_large(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("markexpr") == "scale")


@in_network_namespace
def test_many_nodes_get_a_change_a_ban_of_two_sites_and_all_come_back_to_a_broker_that_was_killed(
    tmp_path: Path, is_large: bool
) -> None:
    with many_machines(tmp_path, 1_000 if is_large else 40, spread=5 if is_large else 1) as machines:
        machines.crowd.until_connected(PATIENCE)
        machines.begin()
        banned = machines.ban_on_two("203.0.113.7")
        machines.restart_broker()
        changed = machines.change_list()
        for reached in (banned, changed):
            # A connection that was lost rings a second time, and then a pull without news may follow.
            assert REQUESTS <= reached.requests <= REQUESTS + 2
            assert reached.octets < machines.octets_of_the_list
        assert machines.crowd.now.fault == ""


@in_network_namespace
def test_very_many_light_nodes_are_rung_and_come_back_to_a_broker_that_was_killed(tmp_path: Path, is_large: bool) -> None:
    allow_many_files()
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    certificate = self_signed(tmp_path, "mirror")
    with broker(tmp_path, *MANY) as mosquitto, nginx(repository.folder, certificate) as url:
        order = {
            "port": mosquitto.port,
            "url": url,
            "ca": f"{certificate}.crt",
            "spread": 30 if is_large else 0.5,
            "list": "drop",
        }
        with crowd_of(10_000 if is_large else 300, "light", order) as crowd:
            crowd.until_connected(PATIENCE)
            ring(mosquitto, repository.folder)
            before = crowd.until_all_have(repository.timestamp.signed.version, PATIENCE)
            assert before.requests == REQUESTS * crowd.size
            mosquitto.stop()
            crowd.until(lambda one: one.connected == 0, PATIENCE)
            mosquitto.start()
            crowd.until_connected(PATIENCE)
            repository.publish({"drop": content(OLD, NEW)})
            ring(mosquitto, repository.folder)
            after = crowd.until_all_have(repository.timestamp.signed.version, PATIENCE)
            assert after.requests - before.requests == REQUESTS * crowd.size
