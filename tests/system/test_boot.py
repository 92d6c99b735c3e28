"""The installed service on a booted machine: real units, real journal, real packets."""

from collections.abc import Iterator

import pytest

from system.machine import Machine
from system.machine_image import image, packages, skip_where_no_machine_can_be

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("boot")]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    skip_where_no_machine_can_be()
    _, package = packages()
    with Machine(image()) as machine:
        machine.boot()
        machine.install(package)
        yield machine


def test_one(machine: Machine) -> None:
    print(machine.say("systemctl", "status", "banlistd"))
    print(machine.now())
    since = machine.now()
    machine.run("banlistctl", "refresh")
    print(machine.wait_for("EVENT=blocklist_import_skipped", since=since))
    machine.reboot()
    print(machine.say("systemctl", "status", "banlistd"))
    assert machine.network.command("nft", "list", "ruleset")
    print(machine.say("systemd-analyze"))
