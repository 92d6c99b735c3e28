"""The real daemon beside a real fail2ban, both ways: lists banned by a jail, and a jail's bans carried out by banlistd."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.fail2ban_server import SHIPPED, Fail2ban, serving
from support.network_namespace import in_network_namespace, nft
from system.daemon_process import Installation, running
from system.kernel_view import standing

# Towards fail2ban: `backend: fail2ban`

QUIET = {"enabled": "true", "filter": "banlistd", "logpath": "/dev/null", "bantime": "-1"}


def jailed(folder: Path) -> tuple[Installation, Fail2ban]:
    fail2ban, place = Fail2ban(folder / "fail2ban"), Installation(folder)
    fail2ban.install_shipped()
    fail2ban.configure(banlistd=QUIET)
    place.file.write_text(
        f"log: {{format: json}}\nbackend: fail2ban\nfail2ban: {{socket: {fail2ban.socket}}}\ndefaults: {{every: 365d}}\n"
        "allow: [192.0.2.128/25]\nsources:\n"
        f"- {{id: one, path: {folder}/one}}\n- {{id: two, path: {folder}/two, action: reject}}\n"
    )
    (folder / "one").write_text("192.0.2.0/24\n203.0.113.5-203.0.113.9\n2001:db8::/32\n")
    (folder / "two").write_text("198.51.100.7\n192.0.2.9\n")
    return place, fail2ban


JAILED = {
    "192.0.2.0/25",
    "203.0.113.5",
    "203.0.113.6/31",
    "203.0.113.8/31",
    "2001:db8::/32",
    "198.51.100.7",
}


@in_network_namespace
def test_lists_are_banned_by_a_jail_and_what_leaves_them_leaves_it(tmp_path: Path) -> None:
    place, fail2ban = jailed(tmp_path)
    with serving(fail2ban), running(place, "one", "two") as daemon:
        assert fail2ban.banned("banlistd") == JAILED
        assert place.ask("check", "203.0.113.7")["owner"] == "one"
        since = len(daemon.events)
        (tmp_path / "one").write_text("192.0.2.0/24\n")
        daemon.wait_for("blocklist_import_completed", "one", since=since)
        assert fail2ban.banned("banlistd") == {"192.0.2.0/25", "198.51.100.7"}
        place.ask("ban", "203.0.113.99")
        assert "203.0.113.99" in fail2ban.banned("banlistd")
        place.ask("unban", "203.0.113.99")
        assert fail2ban.banned("banlistd") == {"192.0.2.0/25", "198.51.100.7"}
        assert place.ask("status")["backend"] == "fail2ban"
        assert daemon.terminate() == 0


@in_network_namespace
def test_neither_a_kill_nor_a_restart_of_either_bans_twice(tmp_path: Path) -> None:
    place, fail2ban = jailed(tmp_path)
    with serving(fail2ban):
        with running(place, "one", "two") as daemon:
            daemon.kill()
        with running(place) as daemon:
            assert [event["event"] for event in daemon.events][:2] == ["firewall_restored", "service_started"]
            assert (daemon.events[0]["added"], daemon.events[0]["removed"]) == (0, 0)
            daemon.kill()
        fail2ban.until(lambda: fail2ban.bans_in_database("banlistd").total() >= len(JAILED))
        fail2ban.stop()
        fail2ban.start()
        fail2ban.until(lambda: fail2ban.banned("banlistd") == JAILED)
        with running(place) as daemon:
            assert fail2ban.banned("banlistd") == JAILED
            assert daemon.terminate() == 0
        assert fail2ban.bans_in_database("banlistd") == Counter(JAILED)


@in_network_namespace
def test_foreign_unban_in_the_jail_is_repaired_at_the_next_look(tmp_path: Path) -> None:
    place, fail2ban = jailed(tmp_path)
    with serving(fail2ban), running(place, "one", "two") as daemon:
        since = len(daemon.events)
        fail2ban.client("unban", "--all")
        daemon.wait_for("firewall_drift_repaired", since=since)
        assert fail2ban.banned("banlistd") == JAILED
        assert daemon.terminate() == 0


@in_network_namespace
def test_without_fail2ban_the_daemon_says_so_and_bans_once_it_is_there(tmp_path: Path) -> None:
    place, fail2ban = jailed(tmp_path)
    done = place.run("--once")
    assert done.returncode == 71
    assert "systemctl start fail2ban" in done.stderr
    with serving(fail2ban):
        assert place.once() == 0
        assert fail2ban.banned("banlistd") == JAILED


def test_what_a_jail_cannot_do_is_refused_by_the_check_with_its_line(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.file.write_text("backend: fail2ban\nsources:\n- id: a\n  path: a\n  action: log\n  direction: out\n")
    done = place.run("--check")
    assert done.returncode == 78
    assert (
        f"{place.file}:5: sources[0].action: the backend fail2ban does not support log (write drop, none or reject)"
        in done.stderr
    )
    assert f"{place.file}:6: sources[0].direction: the backend fail2ban does not support out (write in)" in done.stderr


_AS_STOCK = """\
port = 0:65535
chain = INPUT
action_ = %(banaction)s[port="%(port)s", protocol="%(protocol)s", chain="%(chain)s"]
action = %(action_)s
"""


def test_the_jail_that_ships_is_one_that_fail2ban_understands(tmp_path: Path) -> None:
    fail2ban = Fail2ban(tmp_path)
    fail2ban.install_shipped()
    with (fail2ban.config / "jail.conf").open("a") as file:
        file.write(_AS_STOCK)
    (fail2ban.config / "jail.d" / "banlistd.conf").write_bytes((SHIPPED / "jail.d" / "banlistd.conf").read_bytes())
    with serving(fail2ban):
        assert fail2ban.ask("get", "banlistd", "bantime") == -1
        assert fail2ban.ask("get", "banlistd", "actions") == ["iptables-allports"]


# From fail2ban: `banaction = banlistd.py`


@contextmanager
def guarded(folder: Path) -> Iterator[tuple[Installation, Fail2ban, Path]]:
    """A jail that reads a log of failures, and bans with our action; the third of them is too many."""
    place, fail2ban, log = Installation(folder), Fail2ban(folder / "fail2ban"), folder / "auth.log"
    place.configure('id: listed, path: "listed.txt"', every="365d")
    (place.config / "listed.txt").write_text("192.0.2.0/24\n")
    log.touch()
    fail2ban.install_shipped()
    (fail2ban.config / "filter.d" / "failures.conf").write_text("[Definition]\nfailregex = ^ failed from <HOST>$\n")
    common = {"enabled": "true", "filter": "failures", "logpath": str(log), "maxretry": "3"}
    action = f'banlistd.py[socket="{place.runtime}/control.sock"]'
    fail2ban.configure(
        sshd=common | {"action": action, "bantime": "1h"},
        recidive=common | {"action": action, "bantime": "-1", "maxretry": "5"},
    )
    with serving(fail2ban):
        yield place, fail2ban, log


def fail(log: Path, address: str, times: int) -> None:
    moment = time.strftime("%Y-%m-%d %H:%M:%S")
    with log.open("a") as file:
        file.writelines(f"{moment} failed from {address}\n" for _ in range(times))


def owners() -> set[str]:
    return {owner for ranges in standing().values() for _, _, owner in ranges}


@in_network_namespace
def test_a_jails_ban_is_carried_out_shown_explained_restored_and_lifted(tmp_path: Path) -> None:
    with guarded(tmp_path) as (place, fail2ban, log):
        with running(place, "listed") as daemon:
            fail(log, "203.0.113.7", 3)
            event = daemon.wait_for("manual_ban_added")
            assert (event["address"], event["origin"], event["reason"]) == ("203.0.113.7", "fail2ban/sshd", "3 failures")
            before = standing()
            assert owners() == {"manual", "listed"}
            (row,) = place.ask("bans")
            assert (row["address"], row["origin"], row["in_force"]) == ("203.0.113.7", "fail2ban/sshd", True)
            assert 3590 <= row["expires_at"] - row["created_at"] <= 3600
            assert place.ask("check", "203.0.113.7")["sources"][0]["bans"][0]["origin"] == "fail2ban/sshd"
            nft("flush", "ruleset")
            daemon.wait_for("firewall_drift_repaired")
            assert standing() == before
            assert daemon.terminate() == 0
        nft("flush", "ruleset")
        with running(place) as daemon:
            assert standing() == before
            assert place.ask("bans") == [row]
            fail2ban.client("set", "sshd", "unbanip", "203.0.113.7")
            fail2ban.until(lambda: place.ask("bans") == [])
            assert owners() == {"listed"}
            assert daemon.terminate() == 0


@in_network_namespace
def test_each_jail_bans_for_itself_and_its_bans_stay_when_it_stops(tmp_path: Path) -> None:
    with guarded(tmp_path) as (place, fail2ban, log), running(place, "listed") as daemon:
        fail(log, "203.0.113.7", 5)
        fail2ban.until(lambda: len(place.ask("bans")) == 2)
        assert {(row["origin"], row["expires_at"] is None) for row in place.ask("bans")} == {
            ("fail2ban/sshd", False),
            ("fail2ban/recidive", True),
        }
        fail2ban.client("set", "sshd", "unbanip", "203.0.113.7")
        fail2ban.until(lambda: [row["origin"] for row in place.ask("bans")] == ["fail2ban/recidive"])
        assert "manual" in owners()
        fail2ban.client("stop", "recidive")
        assert [row["origin"] for row in place.ask("bans")] == ["fail2ban/recidive"]
        assert daemon.terminate() == 0


@in_network_namespace
def test_a_ban_that_comes_while_banlistd_is_restarted_is_not_lost(tmp_path: Path) -> None:
    with guarded(tmp_path) as (place, fail2ban, log):
        fail(log, "203.0.113.7", 3)
        fail2ban.until(lambda: "[sshd] Ban 203.0.113.7" in fail2ban.log)
        with running(place, "listed") as daemon:
            daemon.wait_for("manual_ban_added")
            assert owners() == {"manual", "listed"}
            assert daemon.terminate() == 0
