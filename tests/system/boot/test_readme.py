"""Runs every command of the README on a booted machine, in the README's order."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.boot.machine import Machine
from system.boot.machine_image import TOP, VERSION, packages
from system.boot.table_owner import renew_table

pytestmark = pytest.mark.boot

# What an administrator types for the words in capitals.
GIVEN = {"ADDRESS": "192.0.2.1", "ID": "our-own", "YOU": "friend"}

# Other exit codes than 0: the machine has no Internet, and no list is in quarantine there.
ENDS = {
    "banlistd --dry-run": 69,
    "banlistctl refresh": 69,
    "banlistctl check 203.0.113.7": 1,
    "banlistctl check 192.0.2.1": 1,
    "banlistctl approve our-own": 64,
}

# Other tests run these.
ELSEWHERE = ("Two commands", "Seen from outside")
PREPARE, BUILD = "apt-get install git ", "./packaging/build-deb dist"


def sections() -> Iterator[tuple[str, str]]:
    for part in (TOP / "README.md").read_text().split("\n## ")[1:]:
        title, _, body = part.partition("\n")
        yield title, body


def commands_of(body: str) -> list[str]:
    """The lines of its indented blocks, without their comments."""
    outside = re.sub(r"^```.*?^```$", "", body, flags=re.DOTALL | re.MULTILINE)
    lines = re.findall(r"^    (\S.*)$", outside, flags=re.MULTILINE)
    return [re.sub(r"\s+# .*", "", line) for line in lines]


def configuration_of(body: str) -> str:
    return "".join(re.findall(r"^```yaml\n(.*?)^```$", body, flags=re.DOTALL | re.MULTILINE))


def test_every_command_of_the_readme_does_what_it_says(fresh_system: Path, owner: str) -> None:
    installed, upgraded = packages()
    read = dict(sections())
    last = read.pop("Remove it")
    with Machine(fresh_system) as machine:
        machine.boot()
        machine.write("/etc/apt/apt.conf.d/yes", 'APT::Get::Assume-Yes "true";\n')
        machine.run("useradd", "friend")
        for title, body in (*read.items(), ("Remove it", last)):
            if title in ELSEWHERE:
                continue
            if title == "Your first list":
                choice = "owner: yes\n" if owner == "yes" else ""
                machine.write("/etc/banlistd/banlistd.yaml", choice + configuration_of(body))
                if choice:
                    since = machine.now()
                    renew_table(machine)
                    # While the daemon asks for a list, its publisher's minimum keeps others from asking.
                    machine.wait_for("EVENT=blocklist_import_failed", "SOURCE_ID=spamhaus-drop", since=since)
            for command in commands_of(body):
                if command.endswith(BUILD):
                    # Other tests build the package.
                    type_in(machine, f"{command.removesuffix(BUILD)} mkdir dist")
                    package = upgraded if title == "Upgrade" else installed
                    (machine.root / "dist" / package.name).write_bytes(package.read_bytes())
                elif not command.startswith(PREPARE):
                    type_in(machine, command)
            if title == "Upgrade":
                assert machine.say("dpkg-query", "--show", "--showformat", "${Version}", "banlistd") == VERSION
            if title == "Someone is locked out":
                assert "banlistd" not in machine.say("nft", "list", "tables")
                machine.run("systemctl", "start", "banlistd")
        assert machine.say("nft", "list", "tables") == ""
        assert not (machine.root / "var/lib/banlistd").exists()


def type_in(machine: Machine, command: str) -> None:
    for word, given in GIVEN.items():
        command = re.sub(rf"\b{word}\b", given, command)
    done = machine.run("bash", "-c", command, check=False)
    assert done.returncode == ENDS.get(command, 0), f"{command}: {done.returncode}: {done.stdout}{done.stderr}"


def test_the_packages_that_the_readme_names_for_building_are_git_and_those_that_the_build_asks_for() -> None:
    (line,) = (line for line in commands_of(dict(sections())["Install"]) if line.startswith(PREPARE))
    script = (TOP / "packaging" / "build-deb").read_text()
    (asked,) = re.findall(r"^for package in (.+); do$", script, re.MULTILINE)
    assert set(line.split()[2:]) == {"git", *asked.split()}
