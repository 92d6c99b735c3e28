"""The life of the package, each time on a fresh machine: installed, upgraded, removed and installed again, purged."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.boot.machine import Machine
from system.boot.machine_image import OLDER, VERSION, packages
from system.boot.table_owner import renew_table
from system.boot.visitor import Visitor

pytestmark = pytest.mark.boot

CLEAN, BANNED = "203.0.113.250", "198.51.100.7"
THEIRS = "table inet theirs {\n}\n"
OURS = "# ours\ndefaults: {{every: 2h}}\nowner: {owner}\nsources:\n  - {{id: own, path: lists/own.txt}}\n"


@pytest.fixture(scope="module")
def packed(fresh_system: Path) -> tuple[Path, Path]:
    return packages()


@pytest.fixture
def ours(owner: str) -> str:
    """The administrator's configuration."""
    return OURS.format(owner=owner)


@pytest.fixture
def machine(fresh_system: Path, packed: tuple[Path, Path], ours: str) -> Iterator[Machine]:
    """The older package, installed, with a list of its administrator in force; and a table of somebody else."""
    older, _ = packed
    with Machine(fresh_system) as machine:
        machine.boot()
        machine.run("nft", "add", "table", "inet", "theirs")
        machine.install(older)
        machine.write("/etc/banlistd/banlistd.yaml", ours)
        machine.write("/etc/banlistd/lists/own.txt", "192.0.2.0/24\n198.51.100.7\n")
        renew_table(machine)
        machine.run("banlistctl", "refresh")
        yield machine


def version(machine: Machine) -> str:
    return machine.say("dpkg-query", "--show", "--showformat", "${Version}", "banlistd")


def files_of(machine: Machine) -> set[str]:
    """Everything on the disk that has our name on its way, but for dpkg's own notes and the copied packages."""
    found = machine.say("find", "/etc", "/usr", "/var", "/run", "-xdev", "-path", "*banlist*").split()
    return {path for path in found if not path.startswith(("/var/lib/dpkg/", "/var/log/"))}


def test_what_was_installed_runs_at_once_on_the_example_and_asks_no_feed(fresh_system: Path, packed: tuple[Path, Path]) -> None:
    _, newer = packed
    with Machine(fresh_system) as machine:
        machine.boot()
        machine.install(newer)
        assert machine.say("systemctl", "is-active", "banlistd").strip() == "active"
        assert machine.say("systemctl", "is-enabled", "banlistd", "banlistd-restore").split() == ["enabled", "enabled"]
        assert machine.say("systemctl", "--failed", "--no-legend", "--plain") == ""
        listed = json.loads(machine.say("banlistctl", "--json", "sources"))
        assert [row["id"] for row in listed] == ["our-own"]
        lines = machine.say("cat", "/etc/banlistd/banlistd.yaml").splitlines()
        assert not [line for line in lines if line.lstrip(" -").startswith(("url:", "use:"))]
        assert version(machine) == VERSION


def test_an_upgrade_keeps_bans_and_configuration_and_touches_no_rule(
    machine: Machine, packed: tuple[Path, Path], ours: str
) -> None:
    _, newer = packed
    assert version(machine) == OLDER
    with Visitor(machine, CLEAN, BANNED) as visitor:
        before, since = machine.say("nft", "list", "ruleset"), machine.now()
        assert BANNED in before
        (machine.root / newer.name).write_bytes(newer.read_bytes())
        with visitor.flood(BANNED) as flood:
            machine.run("apt-get", "install", "--yes", f"/{newer.name}")
        assert flood.arrived == {CLEAN}
    assert version(machine) == VERSION
    entry = machine.wait_for("EVENT=firewall_restored", since=since)
    assert (entry["ADDED"], entry["REMOVED"]) == ("0", "0")
    machine.run("systemctl", "is-active", "banlistd")
    counted = re.compile(r"packets \d+ bytes \d+")
    assert counted.sub("", machine.say("nft", "list", "ruleset")) == counted.sub("", before)
    assert machine.say("cat", "/etc/banlistd/banlistd.yaml") == ours
    # What its administrator disabled stays so.
    machine.run("systemctl", "disable", "banlistd")
    machine.install(newer)
    states = machine.run("systemctl", "is-enabled", "banlistd", "banlistd-restore", check=False).stdout.split()
    assert states == ["disabled", "disabled"]


def test_removed_it_leaves_no_rule_and_keeps_its_state_and_comes_back_with_it(
    machine: Machine, packed: tuple[Path, Path], ours: str
) -> None:
    _, newer = packed
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
    since = machine.now()
    machine.install(newer)
    entry = machine.wait_for("EVENT=firewall_restored", since=since)
    assert entry["ADDED"] == "2"
    assert machine.say("cat", "/etc/banlistd/banlistd.yaml") == ours


def test_purged_it_leaves_nothing(machine: Machine) -> None:
    machine.run("useradd", "--groups", "banlistd", "friend")
    machine.run("dpkg", "--purge", "banlistd")
    assert machine.say("nft", "list", "ruleset") == THEIRS
    assert files_of(machine) == set()
    assert machine.run("id", "banlistd", check=False).returncode != 0
    assert machine.run("getent", "group", "banlistd", check=False).returncode != 0
    machine.reboot()
    assert machine.say("systemctl", "is-system-running").strip() == "running"
