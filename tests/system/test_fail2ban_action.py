"""A real fail2ban whose jails ban through the action that ships: bans outlive it, and none of a flood is lost by a kill."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from banlistd.core.manual.manual_bans import read_ban
from support.fail2ban_server import PATIENCE, SHIPPED, Fail2ban, serving
from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running


@contextmanager
def guarded(folder: Path, **options: str) -> Iterator[tuple[Installation, Fail2ban]]:
    place, fail2ban = Installation(folder), Fail2ban(folder / "fail2ban")
    place.configure('id: listed, path: "listed.txt"', every="365d")
    (place.config / "listed.txt").write_text("192.0.2.0/24\n")
    (folder / "auth.log").touch()
    fail2ban.install_shipped()
    (fail2ban.config / "filter.d" / "failures.conf").write_text("[Definition]\nfailregex = ^ failed from <HOST>$\n")
    words = {"socket": f"{place.runtime}/control.sock", **options}
    chosen = ", ".join(f'{key}="{value}"' for key, value in words.items())
    action = f"banlistd.py[{chosen}]"
    common = {"enabled": "true", "filter": "failures", "logpath": str(folder / "auth.log"), "action": action}
    fail2ban.configure(sshd=common | {"bantime": "1h"})
    with serving(fail2ban):
        yield place, fail2ban


def banned(place: Installation) -> set[str]:
    return {row["address"] for row in place.ask("bans", "--limit", "1000")}


@in_network_namespace
def test_bans_outlive_a_stop_a_start_and_a_reload_of_fail2ban(tmp_path: Path) -> None:
    with guarded(tmp_path) as (place, fail2ban), running(place, "listed") as daemon:
        bans = {f"203.0.113.{number}" for number in range(1, 201)}
        fail2ban.client("set", "sshd", "banip", *bans)
        fail2ban.until(lambda: banned(place) == bans)
        rows = place.ask("bans", "--limit", "1000")
        fail2ban.until(lambda: fail2ban.bans_in_database("sshd").total() == len(bans))
        fail2ban.stop()
        assert banned(place) == bans
        since = len(daemon.events)
        fail2ban.start()
        fail2ban.until(lambda: fail2ban.banned("sshd") == bans)
        fail2ban.client("reload")
        fail2ban.client("set", "sshd", "banip", "198.51.100.9")
        fail2ban.until(lambda: "198.51.100.9" in banned(place))
        happened = [event for event in daemon.events[since:] if event["event"].startswith("manual")]
        assert [event["address"] for event in happened] == ["198.51.100.9"]
        assert [row for row in place.ask("bans", "--limit", "1000") if row["address"] != "198.51.100.9"] == rows
        fail2ban.client("set", "sshd", "unbanip", "203.0.113.7")
        fail2ban.until(lambda: banned(place) == (bans | {"198.51.100.9"}) - {"203.0.113.7"})
        fail2ban.client("unban", "--all")
        fail2ban.until(lambda: not banned(place))
        assert daemon.terminate() == 0


@in_network_namespace
def test_what_comes_while_banlistd_is_away_is_sent_once_it_is_back(tmp_path: Path) -> None:
    with guarded(tmp_path, prefix6="64") as (place, fail2ban):
        fail2ban.client("set", "sshd", "banip", "203.0.113.7", "203.0.113.8", "2001:db8:1:2::7", "10.0.0.1")
        fail2ban.client("set", "sshd", "unbanip", "203.0.113.8")
        fail2ban.until(lambda: "banlistd does not answer" in fail2ban.log)
        with running(place, "listed") as daemon:
            fail2ban.until(lambda: banned(place) == {"203.0.113.7", "2001:db8:1:2::/64"})
            fail2ban.until(lambda: "10.0.0.1 is never banned: private (RFC 1918)" in fail2ban.log)
            fail2ban.client("set", "sshd", "unbanip", "2001:db8:1:2::7")
            fail2ban.until(lambda: banned(place) == {"203.0.113.7"})
            assert daemon.terminate() == 0


@in_network_namespace
def test_a_flood_of_bans_keeps_no_jail_waiting(tmp_path: Path) -> None:
    with guarded(tmp_path) as (place, fail2ban), running(place, "listed") as daemon:
        bans = {f"203.0.{number // 250}.{number % 250 + 1}" for number in range(2000)}
        fail2ban.client("set", "sshd", "banip", *bans)
        fail2ban.until(lambda: fail2ban.banned("sshd") == bans)
        fail2ban.stop()
        lifted = place.ask("unban", "--origin", "fail2ban/sshd")["removed"]
        assert {row["address"] for row in lifted} == bans
        assert daemon.terminate() == 0


@in_network_namespace
def test_none_of_a_flood_of_bans_is_lost_by_a_kill_of_banlistd(tmp_path: Path) -> None:
    with guarded(tmp_path) as (place, fail2ban):
        waves = [[f"203.{wave}.{number // 250}.{number % 250 + 1}" for number in range(500)] for wave in range(6)]
        with running(place, "listed") as daemon:
            for wave in waves[:3]:
                fail2ban.client("set", "sshd", "banip", *wave)
            fail2ban.until(lambda: bool(banned(place)))
            fail2ban.client("set", "sshd", "banip", *waves[3])
            daemon.kill()
        fail2ban.client("set", "sshd", "banip", *waves[4])
        with running(place) as daemon:
            fail2ban.client("set", "sshd", "banip", *waves[5])
            every = {address for wave in waves for address in wave}
            fail2ban.until(lambda: fail2ban.banned("sshd") == every)
            fail2ban.until(lambda: place.ask("status")["bans"] == len(every) + 1)  # and the network of the list
            fail2ban.stop()
            lifted = place.ask("unban", "--origin", "fail2ban/sshd")["removed"]
            assert {row["address"] for row in lifted} == every
            assert daemon.terminate() == 0


@in_network_namespace
def test_a_ban_longer_than_any_of_banlistd_and_what_is_no_address_take_no_other_ban_with_them(tmp_path: Path) -> None:
    with guarded(tmp_path) as (place, fail2ban):
        fail2ban.client("set", "sshd", "banip", "203.0.113.7", "anna", "192.0.2.0/4", "198.51.100.9 for 1h x", "198.51.100.9#x")
        fail2ban.client("set", "sshd", "bantime", "629145600")  # 600 s, doubled 20 times by bantime.increment
        fail2ban.client("set", "sshd", "banip", "203.0.113.8")
        with running(place, "listed") as daemon:
            fail2ban.until(lambda: banned(place) == {"203.0.113.7", "203.0.113.8"})
            ends = {row["address"]: row["expires_at"] - row["created_at"] for row in place.ask("bans")}
            assert ends["203.0.113.8"] > 3649 * 86400
            fail2ban.until(lambda: "refuses 'anna': " in fail2ban.log)
            for word in ("198.51.100.9 for 1h x", "198.51.100.9#x"):
                assert f"'{word}' is no address, and cannot be banned" in fail2ban.log
            fail2ban.client("set", "sshd", "banip", "203.0.113.9")
            fail2ban.until(lambda: "203.0.113.9" in banned(place))
            assert daemon.terminate() == 0


def test_a_jail_that_stops_and_starts_while_banlistd_is_away_has_one_thread(tmp_path: Path) -> None:
    action = _loaded(tmp_path)
    action.start()
    first = action._thread
    action.ban({"ip": "203.0.113.7", "bantime": 600, "time": time.time(), "failures": 5, "restored": 0})
    action._logSys.called.wait(PATIENCE)
    action.stop()
    action.start()
    first.join(PATIENCE)
    assert not first.is_alive()
    second = action._thread
    assert second.is_alive()
    assert list(action._waiting) in (["203.0.113.7"], [])
    action.stop()
    second.join(PATIENCE)
    assert not second.is_alive()


@pytest.mark.parametrize("name", ["sshd", "web (slow)", "gäste", "a" * 100])
def test_a_jail_of_any_name_bans_under_an_origin_that_banlistd_takes(tmp_path: Path, name: str) -> None:
    origin = _loaded(tmp_path, name)._origin
    assert read_ban({"address": "203.0.113.7", "origin": origin}).origin == origin
    assert origin.startswith("fail2ban/" + name[0])


def _loaded(folder: Path, name: str = "sshd") -> Any:
    """The action of a jail, in this process; banlistd does not run, and a stop does not wait for it."""

    class Log:
        called = threading.Event()

        def warning(self, *_: object) -> None:
            self.called.set()

    class Base:
        def __init__(self, jail: Any, _: str) -> None:
            self._jail, self._logSys = jail, Log()

    fake = ModuleType("fail2ban.server.actions")
    fake.ActionBase = Base  # type: ignore[attr-defined]
    names = {"fail2ban": ModuleType("fail2ban"), "fail2ban.server": ModuleType("fail2ban.server"), fake.__name__: fake}
    with pytest.MonkeyPatch.context() as patch:
        for place, module in names.items():
            patch.setitem(sys.modules, place, module)
        loaded = run_path(str(SHIPPED / "action.d" / "banlistd.py"), {"__name__": "banlistd_action"})
    action = loaded["Action"]
    action.start.__globals__.update(PAUSE=0.01, LAST_SECONDS=0.0)
    return action(SimpleNamespace(name=name), "banlistd", socket=str(folder / "none.sock"))
