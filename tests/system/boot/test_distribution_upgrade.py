"""An upgrade of the distribution, from Debian 12 to 13, on a booted machine: the package and the bans stay."""

import subprocess

import pytest

from system.boot.machine import Machine
from system.boot.machine_image import image, packages, skip_where_no_machine_can_be
from system.boot.visitor import Visitor

pytestmark = pytest.mark.boot

CLEAN, BANNED = "203.0.113.250", "198.51.100.7"
APT = ("apt-get", "--yes", "--option", "Dpkg::Options::=--force-confold", "--option", "Dpkg::Options::=--force-unsafe-io")
# Downloads and unpacks some 300 packages.
LONG = 900.0


def from_the_network(machine: Machine, *words: str) -> None:
    """A command with the machine's files and this computer's network. Skips where it fails."""
    command = machine.command_outside(*words)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONG)
    if done.returncode:
        pytest.skip(f"no packages of Debian 13: {done.stderr.strip().splitlines()[-1]}")


def test_an_upgrade_from_debian_12_to_13_keeps_the_package_and_the_bans() -> None:
    skip_where_no_machine_can_be()
    _, package = packages()
    with Machine(image("bookworm")) as machine:
        machine.boot()
        machine.install(package)
        machine.write("/etc/banlistd/lists/our-own.txt", f"{BANNED}\n")
        machine.run("banlistctl", "refresh")
        machine.write("/etc/apt/sources.list", machine.say("cat", "/etc/apt/sources.list").replace("bookworm", "trixie"))
        machine.lend_resolvers()
        from_the_network(machine, "apt-get", "update", "--error-on=any")
        from_the_network(machine, *APT, "--download-only", "full-upgrade")
        with Visitor(machine, CLEAN, BANNED) as visitor:
            with visitor.flood(BANNED) as flood:
                machine.run(*APT, "--no-download", "full-upgrade", patience=LONG)
            assert flood.arrived == {CLEAN}
            assert "3.13" in machine.say("python3", "--version")
            assert machine.say("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}", "banlistd").strip() == "ii"
            # It runs with the new interpreter, and with nothing of the old one.
            machine.run(*APT, "autoremove", "--purge", patience=LONG)
            assert python_of(machine) == "/usr/bin/python3.13"
            machine.run("banlistctl", "refresh")
            assert not visitor.arrives(BANNED)
            machine.reboot()
            visitor.plug_in()
            assert not visitor.arrives(BANNED)
            assert python_of(machine) == "/usr/bin/python3.13"


def python_of(machine: Machine) -> str:
    process = machine.say("systemctl", "show", "--property=MainPID", "--value", "banlistd").strip()
    return machine.say("readlink", f"/proc/{process}/exe").strip()
