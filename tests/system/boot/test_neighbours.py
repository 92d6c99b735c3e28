"""Beside other keepers of the firewall, the real ones: whatever they reload, bans stay, and their rules stay."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from system.boot.machine import Machine
from system.boot.machine_image import packages
from system.boot.visitor import Visitor

pytestmark = pytest.mark.boot

CLEAN, BANNED = "203.0.113.250", "198.51.100.7"


@pytest.fixture(scope="module")
def machine(fresh_system: Path) -> Iterator[Machine]:
    _, package = packages()
    with Machine(fresh_system) as machine:
        machine.boot()
        machine.install(package)
        machine.write("/etc/banlistd/lists/own.txt", f"{BANNED}\n")
        machine.write("/etc/banlistd/banlistd.yaml", "sources:\n  - {id: own, path: lists/own.txt}\n")
        machine.run("systemctl", "reload", "banlistd")
        machine.run("banlistctl", "refresh")
        yield machine


@pytest.fixture
def visitor(machine: Machine) -> Iterator[Visitor]:
    with Visitor(machine, CLEAN, BANNED) as visitor:
        yield visitor


def test_firewalld_starts_reloads_and_stops_and_no_banned_packet_gets_through(machine: Machine, visitor: Visitor) -> None:
    since = machine.now()
    with visitor.flood(BANNED) as flood:
        machine.run("systemctl", "start", "firewalld")
        machine.run("firewall-cmd", "--set-default-zone=trusted")
        machine.run("firewall-cmd", "--reload")
        machine.run("firewall-cmd", "--complete-reload")
        theirs = machine.say("nft", "list", "table", "inet", "firewalld")
        assert visitor.arrives(CLEAN)
        machine.run("systemctl", "restart", "banlistd")
        machine.wait_for("EVENT=service_started", since=since)
        assert machine.say("nft", "list", "table", "inet", "firewalld") == theirs
        assert not visitor.arrives(BANNED)
        machine.run("systemctl", "stop", "firewalld")
        assert not visitor.arrives(BANNED)
    assert BANNED not in flood.arrived
    assert machine.journal("EVENT=firewall_drift_repaired") == []


def test_ufw_is_enabled_reloaded_and_disabled_and_no_banned_packet_gets_through(machine: Machine, visitor: Visitor) -> None:
    with visitor.flood(BANNED) as flood:
        machine.run("ufw", "default", "allow", "incoming")
        machine.run("ufw", "--force", "enable")
        machine.run("ufw", "allow", "from", BANNED)
        machine.run("ufw", "reload")
        theirs = machine.say("iptables-save")
        assert "ufw-user-input" in theirs
        assert visitor.arrives(CLEAN)
        machine.run("systemctl", "restart", "banlistd")
        assert not visitor.arrives(BANNED)
        machine.run("ufw", "disable")
        assert not visitor.arrives(BANNED)
    assert BANNED not in flood.arrived
