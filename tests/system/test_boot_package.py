"""The life of the package on one machine: installed, upgraded, removed, installed again, purged. The tests go in this order."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.machine import Machine
from system.machine_image import OLDER, VERSION, image, packages, skip_where_no_machine_can_be

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("boot")]

THEIRS = "table inet theirs {\n}\n"
OURS = "# ours\ndefaults: {every: 2h}\nsources:\n  - {id: own, path: lists/own.txt}\n"


@pytest.fixture(scope="module")
def packed() -> tuple[Path, Path]:
    skip_where_no_machine_can_be()
    return packages()


@pytest.fixture(scope="module")
def machine(packed: tuple[Path, Path]) -> Iterator[Machine]:
    older, _ = packed
    with Machine(image()) as machine:
        machine.boot()
        machine.run("nft", "add", "table", "inet", "theirs")
        machine.install(older)
        yield machine


def version(machine: Machine) -> str:
    return machine.say("dpkg-query", "--show", "--showformat", "${Version}", "banlistd")


def files_of(machine: Machine) -> set[str]:
    """Everything on the disk that has our name on its way, but for dpkg's own notes and the copied packages."""
    found = machine.say("find", "/etc", "/usr", "/var", "/run", "-xdev", "-path", "*banlist*").split()
    return {path for path in found if not path.startswith(("/var/lib/dpkg/", "/var/log/"))}


def test_an_upgrade_keeps_bans_and_configuration_and_touches_no_rule(machine: Machine, packed: tuple[Path, Path]) -> None:
    _, newer = packed
    machine.write("/etc/banlistd/banlistd.yaml", OURS)
    machine.write("/etc/banlistd/lists/own.txt", "192.0.2.0/24\n198.51.100.7\n")
    machine.run("systemctl", "restart", "banlistd")
    machine.run("banlistctl", "refresh")
    assert version(machine) == OLDER
    before, since = machine.say("nft", "list", "ruleset"), machine.now()
    assert "198.51.100.7" in before
    machine.install(newer)
    assert version(machine) == VERSION
    entry = machine.wait_for("EVENT=firewall_restored", since=since)
    assert (entry["ADDED"], entry["REMOVED"]) == ("0", "0")
    machine.run("systemctl", "is-active", "banlistd")
    assert machine.say("nft", "list", "ruleset") == before
    assert machine.say("cat", "/etc/banlistd/banlistd.yaml") == OURS


def test_an_upgrade_leaves_a_service_that_was_disabled_disabled(machine: Machine, packed: tuple[Path, Path]) -> None:
    _, newer = packed
    machine.run("systemctl", "disable", "banlistd")
    machine.install(newer)
    states = machine.run("systemctl", "is-enabled", "banlistd", "banlistd-restore", check=False).stdout.split()
    assert states == ["disabled", "disabled"]
    machine.run("systemctl", "enable", "banlistd")


def test_removed_it_leaves_no_rule_behind_and_keeps_state_and_configuration(machine: Machine) -> None:
    machine.run("dpkg", "--remove", "banlistd")
    assert machine.say("nft", "list", "ruleset") == THEIRS
    assert machine.run("pgrep", "banlistd", check=False).stdout == ""
    assert machine.say("systemctl", "--failed", "--no-legend", "--plain") == ""
    left = files_of(machine)
    assert {"/var/lib/banlistd/banlistd.db", "/etc/banlistd/banlistd.yaml", "/etc/banlistd/lists/own.txt"} <= left
    assert not any(path.startswith(("/usr", "/run")) for path in left)
    machine.reboot()
    assert machine.say("systemctl", "is-system-running").strip() == "running"
    assert machine.say("nft", "list", "ruleset") == ""


def test_installed_again_it_bans_what_it_banned_before_it_asks_anybody(machine: Machine, packed: tuple[Path, Path]) -> None:
    _, newer = packed
    machine.run("nft", "add", "table", "inet", "theirs")
    since = machine.now()
    machine.install(newer)
    entry = machine.wait_for("EVENT=firewall_restored", since=since)
    assert entry["ADDED"] == "2"
    assert machine.say("cat", "/etc/banlistd/banlistd.yaml") == OURS


def test_purged_it_leaves_nothing(machine: Machine) -> None:
    machine.run("dpkg", "--purge", "banlistd")
    assert machine.say("nft", "list", "ruleset") == THEIRS
    assert files_of(machine) == set()
    assert machine.run("id", "banlistd", check=False).returncode != 0
    machine.reboot()
    assert machine.say("systemctl", "is-system-running").strip() == "running"
