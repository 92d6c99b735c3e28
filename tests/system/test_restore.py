"""`banlistd --restore` and `--teardown`, the real process: what a boot puts back, and what a removal leaves behind."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path

import pytest

from support.feed_server import FeedServer
from support.network_namespace import in_network_namespace, nft
from system.daemon_process import Installation, running
from system.kernel_view import generation, look

LIST = b"192.0.2.0/24\n198.51.100.7\n203.0.113.0/24\n2001:db8:1::/48\n"
ALLOWED = ["192.0.2.10", "2001:db8:1::/64"]


def fill(place: Installation) -> str:
    """Import two lists; the feed is dead afterwards. Returns what nft says of the whole."""
    with FeedServer() as server:
        server.serve("/feed", LIST)
        (place.config / "own.txt").write_text("198.51.100.0/24\n")
        place.configure(f'id: feed, url: "{server.url("/feed")}"', "id: own, path: own.txt, action: reject", allow=ALLOWED)
        assert place.once() == 0
    return nft("list", "ruleset")


@in_network_namespace
def test_restore_after_a_flush_without_feeds_or_valid_configuration(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    before = fill(place)
    good = place.file.read_text()
    place.file.write_text("sources: [}")
    nft("flush", "ruleset")
    restored = place.run("--restore")
    assert restored.returncode == 0, restored.stderr
    assert nft("list", "ruleset") == before
    stood = generation()
    assert place.run("--restore").returncode == 0
    place.file.write_text(good)
    with running(place):
        assert generation() == stood


@in_network_namespace
def test_what_was_allowed_last_is_allowed_by_a_restore_and_a_change_waits_for_the_daemon(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    before = fill(place)
    place.configure("id: own, path: own.txt")
    nft("flush", "ruleset")
    assert place.run("--restore").returncode == 0
    assert nft("list", "ruleset") == before
    with running(place) as daemon:
        assert daemon.wait_for("firewall_restored")
        assert look().contents.keys() == {"own"}
    nft("flush", "ruleset")
    assert place.run("--restore").returncode == 0
    assert look().contents.keys() == {"own"}


@in_network_namespace
def test_an_address_that_logged_in_is_protected_by_a_restore(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    assert "203.0.113.0/24" in fill(place)
    now = time.time()
    with closing(sqlite3.connect(place.state / "banlistd.db")) as database, database:
        logins = [("203.0.113.9", now - 86_400), ("203.0.113.200", now - 31 * 86_400)]
        rows = [(ip_address(address).packed, seen, seen) for address, seen in logins]
        database.executemany("INSERT INTO logins VALUES (?, ?, ?)", rows)
    nft("flush", "ruleset")
    assert place.run("--restore").returncode == 0
    restored = nft("list", "ruleset")
    assert "203.0.113.0/29" in restored or "203.0.113.0-203.0.113.8" in restored
    assert "203.0.113.10-203.0.113.255" in restored


@in_network_namespace
def test_a_new_machine_has_nothing_to_restore(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    done = place.run("--restore")
    assert done.returncode == 0, done.stderr
    assert "no last good state" in done.stdout
    assert not place.state.joinpath("banlistd.db").exists()
    assert nft("list", "ruleset") == ""


@in_network_namespace
def test_a_database_that_was_lost_under_the_daemon_can_be_restored_from_again(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    before = fill(place)
    with running(place) as daemon:
        place.lose_database()
        place.ask("refresh", "own")
        daemon.wait_for("ledger_fault")
        nft("delete", "table", "inet", "banlistd")
        daemon.wait_for("firewall_drift_repaired")
        assert daemon.terminate() == 0
    nft("flush", "ruleset")
    assert place.run("--restore").returncode == 0
    assert nft("list", "ruleset") == before


@pytest.mark.parametrize("mode", ["--restore", "--teardown"])
def test_beside_a_daemon_nothing_is_touched(tmp_path: Path, mode: str) -> None:
    @in_network_namespace
    def beside() -> None:
        place = Installation(tmp_path)
        fill(place)
        with running(place):
            before, stood = nft("list", "ruleset"), generation()
            done = place.run(mode)
            assert (done.returncode, "another banlistd" in done.stderr) == (75, True)
            assert (nft("list", "ruleset"), generation()) == (before, stood)

    beside()


def test_boot_does_not_wait_for_what_a_restore_has_no_use_for() -> None:
    program = "import sys, banlistd.__main__, banlistd.boot_restore; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    others = {"aiohttp", "pydantic", "pydantic_core", "yaml", "rich", "aiomqtt", "multidict"}
    ours = {"banlistd.core.config.model", "banlistd.core.manual.manual_bans"}
    assert not set(done.stdout.split()) & (others | ours)


@in_network_namespace
def test_a_teardown_removes_all_that_is_ours_and_nothing_else_and_keeps_the_state(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    nft("add", "table", "inet", "theirs")
    theirs = nft("list", "ruleset")
    fill(place)
    place.file.write_text("sources: [}")
    assert place.run("--teardown").returncode == 0
    assert nft("list", "ruleset") == theirs
    assert place.run("--teardown").returncode == 0
    assert place.run("--restore").returncode == 0
    assert look().contents.keys() == {"feed", "own"}


@in_network_namespace
def test_a_teardown_where_nothing_ever_was_leaves_nothing(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    assert place.run("--teardown").returncode == 0
    assert nft("list", "ruleset") == ""
    assert not place.state.exists()
