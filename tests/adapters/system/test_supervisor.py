"""systemd's protocol, heard by a real socket."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from banlistd.adapters.system.supervisor import NoSupervisor, SystemdSupervisor, find_supervisor


@pytest.fixture(params=["a path", "an abstract name"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = str(tmp_path / "notify") if request.param == "a path" else f"@banlistd-{os.getpid()}-{id(listener)}"
        listener.bind(name.replace("@", "\0"))
        listener.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield listener


def heard(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_systemd_hears_of_every_turn_of_our_life(manager: socket.socket) -> None:
    supervisor = find_supervisor()
    assert isinstance(supervisor, SystemdSupervisor)
    supervisor.ready()
    assert heard(manager) == "READY=1"
    supervisor.alive()
    assert heard(manager) == "WATCHDOG=1"
    supervisor.stopping()
    assert heard(manager) == "STOPPING=1"


def test_a_reload_says_when_it_began_on_the_kernels_clock(manager: socket.socket) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    find_supervisor().reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    first, second = heard(manager).split("\n")
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= after


@pytest.mark.parametrize("text", ["5 bans\nMAINPID=1", "5 bans\r\x0bMAINPID=1\0", "5 bans\u2028MAINPID=1\udc80"])
def test_the_status_is_one_line_whatever_it_says(manager: socket.socket, text: str) -> None:
    find_supervisor().status(text)
    said = heard(manager)
    assert said.startswith("STATUS=5 bans ")
    assert said.splitlines() == [said]


def test_a_manager_that_hangs_does_not_hang_us(manager: socket.socket) -> None:
    supervisor = find_supervisor()

    def say_much() -> None:
        for number in range(5_000):  # more than any socket takes that is not read
            supervisor.status(f"{number} bans")
            supervisor.alive()

    saying = threading.Thread(target=say_much, daemon=True)
    saying.start()
    saying.join(20)
    assert not saying.is_alive()
    assert heard(manager) == "STATUS=0 bans"


def test_a_manager_that_has_gone_is_no_reason_to_stop(manager: socket.socket) -> None:
    supervisor = find_supervisor()
    manager.close()
    supervisor.ready()
    supervisor.alive()
    supervisor.status("5 bans")


@pytest.mark.parametrize(
    ("period", "owner", "interval"),
    [
        ("30000000", None, 30.0),
        ("1500000", "ours", 1.5),
        ("30000000", "1", None),  # the watchdog of somebody whose environment we have inherited
        ("0", None, None),
        ("soon", None, None),
        ("-5", None, None),
        (None, None, None),
    ],
)
@pytest.mark.usefixtures("manager")
def test_the_watchdog_is_fed_only_where_it_is_ours(
    monkeypatch: pytest.MonkeyPatch, period: str | None, owner: str | None, interval: float | None
) -> None:
    for name, value in (("WATCHDOG_USEC", period), ("WATCHDOG_PID", owner)):
        if value is not None:
            monkeypatch.setenv(name, str(os.getpid()) if value == "ours" else value)
    assert find_supervisor().watchdog_interval == interval


def test_without_a_service_manager_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    supervisor = find_supervisor()
    assert isinstance(supervisor, NoSupervisor)
    assert supervisor.watchdog_interval is None
    for act in (supervisor.ready, supervisor.reloading, supervisor.stopping, supervisor.alive):
        act()
    supervisor.status("5 bans")
