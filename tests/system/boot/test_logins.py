"""Protection by authentication, on a booted machine with a real sshd and logind: a login protects, a connection does not."""

import functools
import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from system.boot.machine import PATIENCE, Machine
from system.boot.machine_image import packages
from system.boot.visitor import HERE, Visitor

pytestmark = pytest.mark.boot

CLEAN, ADMIN, MUTE, GUESSER, STRANGER = "203.0.113.250", "198.51.100.7", "198.51.100.8", "198.51.100.9", "198.51.100.10"
MONTH = 30 * 86400
SESSION_ENDED = "MESSAGE_ID=3354939424b4456d9802ca8333ed424a"  # SD_MESSAGE_SESSION_STOP of sd-messages(3)
KEY, USER = "/root/key", "friend"


@pytest.fixture(scope="module")
def machine(fresh_system: Path) -> Iterator[Machine]:
    _, package = packages()
    with Machine(fresh_system) as made:
        made.boot()
        made.install(package)
        made.write("/etc/banlistd/banlistd.yaml", "sources:\n  - {id: own, path: lists/own.txt, every: 1h}\n")
        made.write("/etc/banlistd/lists/own.txt", "192.0.2.1\n")
        made.run("systemctl", "reload", "banlistd")
        made.run("useradd", "--create-home", "--shell", "/bin/sh", USER)
        made.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", KEY)
        made.write(f"/home/{USER}/.ssh/authorized_keys", made.say("cat", f"{KEY}.pub"))
        made.run("systemctl", "start", "ssh")
        yield made


@pytest.fixture(scope="module")
def visitor(machine: Machine) -> Iterator[Visitor]:
    with Visitor(machine, CLEAN, ADMIN, MUTE, GUESSER, STRANGER) as made:
        yield made


def ssh(address: str, user: str, *words: str) -> list[str]:
    options = ("BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
    return ["ssh", *(f"-o{option}" for option in options), "-i", KEY, "-b", address, f"{user}@{HERE}", *words]


@contextmanager
def session(machine: Machine, visitor: Visitor, address: str) -> Iterator[None]:
    """A login from this address; at its end logind has seen the logout."""
    command = machine.command_in(visitor.network, *ssh(address, USER, "echo in; cat"))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stdout.readline() == "in\n", client.communicate(timeout=PATIENCE)
        yield
        since = machine.now()
        client.stdin.close()
        client.wait(PATIENCE)
        machine.wait_for(SESSION_ENDED, since=since)


def ban(machine: Machine, *addresses: str) -> None:
    """Import a list of these addresses."""
    machine.write("/etc/banlistd/lists/own.txt", "".join(f"{address}\n" for address in addresses))
    machine.run("banlistctl", "refresh", "own")


def protected(machine: Machine, address: str) -> dict[str, Any] | None:
    rows = json.loads(machine.say("banlistctl", "--json", "protected"))
    return next((row for row in rows if row["address"] == address), None)


def test_an_administrator_who_logs_in_is_protected_and_stays_so_until_forgotten(machine: Machine, visitor: Visitor) -> None:
    with session(machine, visitor, ADMIN):
        ban(machine, ADMIN, STRANGER)
        assert visitor.arrives(ADMIN)
        assert not visitor.arrives(STRANGER)
        now = protected(machine, ADMIN)
        assert now is not None
        assert (now["reason"], now["sources"], now["carved"], now["until"]) == ("remote session", ["own"], True, None)
        assert machine.run("banlistctl", "protected", "forget", ADMIN, check=False).returncode == 65
    ban(machine, ADMIN, STRANGER, "192.0.2.1")
    assert visitor.arrives(ADMIN)
    assert not visitor.arrives(STRANGER)
    earlier = protected(machine, ADMIN)
    assert earlier is not None
    assert (earlier["reason"], earlier["since"]) == ("earlier remote session", now["since"])
    assert MONTH <= earlier["until"] - earlier["since"] < MONTH + PATIENCE * 2
    shown = next(line for line in machine.say("banlistctl", "protected").splitlines() if ADMIN in line)
    assert "earlier remote session" in shown
    machine.run("systemctl", "restart", "banlistd")
    assert visitor.arrives(ADMIN)
    assert not visitor.arrives(STRANGER)
    assert machine.say("banlistctl", "protected", "forget", ADMIN) == f"{ADMIN} is forgotten\n"
    assert not visitor.arrives(ADMIN)
    assert protected(machine, ADMIN) is None


def test_a_connection_to_sshd_without_a_login_gains_nothing(machine: Machine, visitor: Visitor) -> None:
    ban(machine, "192.0.2.1")
    with closing(visitor.network.run(functools.partial(socket.create_connection, (HERE, 22), PATIENCE, (MUTE, 0)))) as mute:
        assert mute.recv(4) == b"SSH-"
        guess = machine.command_in(visitor.network, *ssh(GUESSER, "root", "true"))
        failed = subprocess.run(guess, capture_output=True, check=False, timeout=PATIENCE)
        assert b"Permission denied" in failed.stderr
        ban(machine, MUTE, GUESSER)
        for address in (MUTE, GUESSER):
            assert not visitor.arrives(address)
            assert protected(machine, address) is None


def test_a_ban_of_the_own_session_takes_force_and_a_manual_ban_overrides_a_login(machine: Machine, visitor: Visitor) -> None:
    ban(machine, "192.0.2.1")
    machine.run("usermod", "--append", "--groups", "banlistd", USER)
    for words in (("banlistctl", "ban", ADMIN), ("env", "--unset=SSH_CONNECTION", "banlistctl", "ban", ADMIN)):
        command = machine.command_in(visitor.network, *ssh(ADMIN, USER, *words))
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert (done.returncode, "--force" in done.stderr) == (64, True), done
    assert visitor.arrives(ADMIN)
    machine.run("banlistctl", "ban", ADMIN)
    assert not visitor.arrives(ADMIN)
    row = protected(machine, ADMIN)
    assert row is not None
    assert (row["banned"], row["carved"], row["sources"]) == (True, False, ["manual"])
    machine.run("banlistctl", "unban", ADMIN)
    assert visitor.arrives(ADMIN)
