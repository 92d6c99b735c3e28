"""The installed service on a booted machine with the other firewalls: which rights it takes, and that nothing stays behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from system.boot.machine import Machine
from system.boot.machine_image import packages
from system.boot.visitor import Visitor

pytestmark = pytest.mark.boot

CLEAN, BANNED, NEIGHBOUR = "203.0.113.250", "198.51.100.7", "192.0.2.77"
VARIANTS = ("nft", "legacy")


@pytest.fixture(scope="module")
def package(fresh_system: Path) -> Path:
    return packages()[1]


@contextmanager
def installed(fresh_system: Path, package: Path) -> Iterator[Machine]:
    with Machine(fresh_system) as machine:
        machine.boot()
        machine.install(package)
        machine.write("/etc/banlistd/lists/own.txt", f"{BANNED}\n192.0.2.0/24\n")
        yield machine


def choose(machine: Machine, backend: str) -> None:
    machine.write("/etc/banlistd/banlistd.yaml", f"backend: {backend}\nsources:\n  - {{id: own, path: lists/own.txt}}\n")


def grant(machine: Machine, backend: str) -> list[str]:
    """What the man page says to do, until the list stands; the files that it says it has written."""
    said = machine.say("banlistctl", "install-units", "--backend", backend).splitlines()
    machine.run("bash", "-c", said[-1])
    machine.run("banlistctl", "refresh")
    return said[:-2]


def who_passes(machine: Machine) -> set[str]:
    with Visitor(machine, CLEAN, BANNED, NEIGHBOUR) as visitor:
        return {address for address in (CLEAN, BANNED, NEIGHBOUR) if visitor.arrives(address)}


def left_in_iptables(machine: Machine) -> list[str]:
    """Sets, and rules of either kind and family."""
    programs = [f"{program}-{variant}-save" for program in ("iptables", "ip6tables") for variant in VARIANTS]
    saved = [line for program in programs for line in machine.say(program).splitlines() if "banlistd" in line]
    return saved + machine.say("ipset", "list", "-n").split()


@pytest.mark.parametrize("variant", VARIANTS)
def test_with_ipset_it_says_which_rights_it_lacks_and_takes_these_and_leaves_nothing(
    fresh_system: Path, package: Path, variant: str
) -> None:
    with installed(fresh_system, package) as machine:
        for program in ("iptables", "ip6tables"):
            machine.run("update-alternatives", "--set", program, f"/usr/sbin/{program}-{variant}")
        if machine.run("iptables", "-t", "raw", "-L", check=False).returncode:
            pytest.skip(f"this kernel has no tables for iptables-{variant}")
        choose(machine, "ipset")
        since = machine.now()
        machine.run("systemctl", "restart", "banlistd", check=False)
        machine.run("systemctl", "stop", "banlistd")
        told = machine.say("journalctl", "--unit=banlistd", "--output=cat", f"--after-cursor={since}")
        assert "banlistctl install-units --backend ipset" in told, told

        files = grant(machine, "ipset")
        assert who_passes(machine) == {CLEAN}
        pid = machine.say("systemctl", "show", "--property=MainPID", "--value", "banlistd").strip()
        words = machine.say("grep", "Cap", f"/proc/{pid}/status").split()
        assert set(words[1::2]) == {"0000000000003000"}
        for unit in ("banlistd.service", "banlistd-restore.service"):
            machine.run("systemd-analyze", "security", "--no-pager", "--threshold=16", unit)
            assert machine.run("systemd-analyze", "verify", "--man=no", unit).stderr == ""

        machine.reboot()
        (entry,) = machine.journal("_SYSTEMD_UNIT=banlistd-restore.service", "EVENT=firewall_restored")
        assert entry["ADDED"] == "2"
        assert machine.say("systemctl", "--failed", "--no-legend", "--plain") == ""
        assert who_passes(machine) == {CLEAN}

        machine.run("systemctl", "stop", "banlistd")
        machine.run("banlistctl", "teardown")
        assert left_in_iptables(machine) == []
        assert who_passes(machine) == {CLEAN, BANNED, NEIGHBOUR}

        machine.run("systemctl", "start", "banlistd")
        assert who_passes(machine) == {CLEAN}
        machine.run("dpkg", "--purge", "banlistd")
        assert left_in_iptables(machine) == []
        assert [path for path in files if (machine.root / path.lstrip("/")).exists()] == []


def test_with_fail2ban_it_bans_through_its_jail_and_leaves_nothing(fresh_system: Path, package: Path) -> None:
    with installed(fresh_system, package) as machine:
        shipped = "/usr/share/banlistd/fail2ban"
        machine.run("cp", f"{shipped}/jail.d/banlistd.conf", "/etc/fail2ban/jail.d/")
        machine.run("cp", f"{shipped}/filter.d/banlistd.conf", "/etc/fail2ban/filter.d/")
        # Debian's own jail reads a log that this machine does not have.
        machine.write("/etc/fail2ban/jail.d/defaults-debian.conf", "")
        machine.run("systemctl", "enable", "fail2ban")
        choose(machine, "fail2ban")
        files = grant(machine, "fail2ban")
        assert who_passes(machine) == {CLEAN}
        machine.reboot()
        assert machine.say("systemctl", "--failed", "--no-legend", "--plain") == ""
        assert who_passes(machine) == {CLEAN}

        machine.run("systemctl", "stop", "banlistd")
        machine.run("banlistctl", "teardown")
        assert machine.say("fail2ban-client", "get", "banlistd", "banip").split() == []
        assert who_passes(machine) == {CLEAN, BANNED, NEIGHBOUR}

        machine.run("systemctl", "start", "banlistd")
        assert who_passes(machine) == {CLEAN}
        machine.run("dpkg", "--purge", "banlistd")
        assert machine.say("fail2ban-client", "get", "banlistd", "banip").split() == []
        assert [path for path in files if (machine.root / path.lstrip("/")).exists()] == []
        # It can do without us.
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", "fail2ban")
