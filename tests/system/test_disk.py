"""What a disk does to the running daemon: bans stay and are repaired, lists go on, the state is said, and nothing ends."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from support.disk import Disk
from support.feed_server import FeedServer
from support.network_namespace import in_network_namespace, nft
from system.daemon_process import Daemon, Installation, running
from system.kernel_view import expected, generation, standing

# Without the right of root to open every file.
AS_AN_ACCOUNT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")

FIRST, SECOND, THIRD = ["192.0.2.0/24", "2001:db8::/32"], ["198.51.100.7", "192.0.2.0/25"], ["203.0.113.0/24"]


def serve(server: FeedServer, entries: list[str]) -> None:
    server.serve("/feed", "\n".join(entries).encode(), etag=f'"{entries[0]}"')


def installed(folder: Path, server: FeedServer, state: Path | None = None) -> Installation:
    place = Installation(folder)
    place.state = state or place.state
    serve(server, FIRST)
    place.configure(f'id: feed, url: "{server.url("/feed")}"')
    return place


def takes(place: Installation, daemon: Daemon, server: FeedServer, entries: list[str]) -> None:
    """A new content comes, and is in the kernel."""
    serve(server, entries)
    since = len(daemon.events)
    assert place.ctl("refresh").returncode == 0
    daemon.wait_for("blocklist_import_completed", "feed", since=since)
    assert standing() == expected({"feed": entries})


def heals(daemon: Daemon, entries: list[str]) -> None:
    since = len(daemon.events)
    nft("flush", "ruleset")
    daemon.wait_for("firewall_drift_repaired", since=since)
    assert standing() == expected({"feed": entries})


def complains(place: Installation, daemon: Daemon, words: str) -> None:
    assert words in daemon.wait_for("ledger_fault")["message"]
    assert words in place.ask("status")["ledger_fault"]
    assert words in place.ctl("status").stdout
    assert daemon.process.poll() is None


def is_mended(place: Installation, daemon: Daemon) -> None:
    assert place.ctl("reload").returncode == 0
    daemon.wait_for("ledger_mended")
    assert place.ask("status")["ledger_fault"] == ""


def restarts_with(place: Installation, entries: list[str], manual: Sequence[str] = ()) -> None:
    """The ledger on the disk knows it all: nothing is asked for, nothing is written."""
    before = generation()
    with running(place) as daemon:
        assert {event["event"] for event in daemon.events} == {"firewall_restored", "service_started"}
        assert generation() == before
        assert standing() == expected({"manual": [*manual], "feed": entries})
        assert daemon.terminate() == 0
    assert not place.runs("pending")


@in_network_namespace
def test_a_full_disk_stops_neither_lists_nor_repairs_and_the_state_is_on_it_once_there_is_room(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk, FeedServer() as server:
        place = installed(tmp_path, server, disk.place / "state")
        with running(place, "feed") as daemon:
            disk.fill()
            takes(place, daemon, server, SECOND)
            complains(place, daemon, "SQLITE_FULL")
            heals(daemon, SECOND)
            disk.free()
            is_mended(place, daemon)
            takes(place, daemon, server, THIRD)
            daemon.kill()
        restarts_with(place, THIRD)


@in_network_namespace
def test_a_start_on_a_full_disk_bans_what_was_banned_before_and_goes_on(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk, FeedServer() as server:
        place = installed(tmp_path, server, disk.place / "state")
        assert place.once() == 0
        disk.fill()
        nft("flush", "ruleset")
        asked = server.hits("/feed")
        with running(place) as daemon:
            assert standing() == expected({"feed": FIRST})
            assert server.hits("/feed") == asked
            complains(place, daemon, "SQLITE_")
            takes(place, daemon, server, SECOND)
            disk.free()
            is_mended(place, daemon)
            daemon.kill()
        restarts_with(place, SECOND)


@in_network_namespace
def test_a_start_on_a_read_only_disk_bans_what_was_banned_before_and_goes_on(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk, FeedServer() as server:
        place = installed(tmp_path, server, disk.place / "state")
        assert place.once() == 0
        disk.remount("ro")
        nft("flush", "ruleset")
        with running(place) as daemon:
            assert standing() == expected({"feed": FIRST})
            complains(place, daemon, "SQLITE_")
            takes(place, daemon, server, SECOND)
            heals(daemon, SECOND)
        # Nothing was written down: a single run says so with its exit code, and bans all the same.
        assert place.once() == 74
        assert standing() == expected({"feed": SECOND})


@pytest.mark.parametrize("breaks", [Disk.abort, Disk.break_down], ids=["read-only", "input/output error"])
@in_network_namespace
def test_a_disk_that_breaks_under_the_daemon_stops_neither_lists_nor_repairs(
    tmp_path: Path, breaks: Callable[[Disk], None]
) -> None:
    with Disk(tmp_path / "disk") as disk, FeedServer() as server:
        place = installed(tmp_path, server, disk.place / "state")
        with running(place, "feed") as daemon:
            breaks(disk)
            heals(daemon, FIRST)
            takes(place, daemon, server, SECOND)
            complains(place, daemon, "SQLITE_")
            heals(daemon, SECOND)
            assert daemon.terminate() == 0


@in_network_namespace
def test_a_database_that_can_be_read_only_later_has_all_that_it_had_and_what_has_come_since(tmp_path: Path) -> None:
    with FeedServer() as server:
        place = installed(tmp_path, server)
        with running(place, "feed") as daemon:
            for words in ("ban 203.0.113.9", "allow 203.0.113.10", "pause feed"):
                assert place.ctl(*words.split()).returncode == 0
            assert daemon.terminate() == 0
        nft("flush", "ruleset")
        server.serve("/feed", status=503)
        file = place.state / "banlistd.db"
        file.chmod(0)
        with running(place, through=AS_AN_ACCOUNT) as daemon:
            complains(place, daemon, "SQLITE_CANTOPEN")
            for words in ("ban 203.0.113.11", "allow 203.0.113.12"):
                assert place.ctl(*words.split()).returncode == 0
            file.chmod(0o600)
            is_mended(place, daemon)
            assert standing() == expected({"manual": ["203.0.113.9", "203.0.113.11"], "feed": FIRST})
            assert [row["address"] for row in place.ask("allowed")] == ["203.0.113.10", "203.0.113.12"]
            assert "feed is paused" in place.ctl("status").stdout
            daemon.kill()
        restarts_with(place, FIRST, manual=["203.0.113.9", "203.0.113.11"])


@in_network_namespace
def test_deleted_database_is_made_again_complete(tmp_path: Path) -> None:
    with FeedServer() as server:
        place = installed(tmp_path, server)
        with running(place, "feed") as daemon:
            place.ask("refresh")
            place.lose_database()
            before = generation()
            place.ask("refresh")
            assert "deleted" in daemon.wait_for("ledger_fault")["message"]
            assert place.ask("status")["ledger_fault"] == ""
            assert generation() == before
            daemon.kill()
        restarts_with(place, FIRST)


@pytest.mark.parametrize(
    ("breaks", "mends"), [(lambda disk: disk.remount("ro"), Disk.remount), (Disk.fill, Disk.free)], ids=["read-only", "full"]
)
@in_network_namespace
def test_a_damaged_database_on_a_disk_that_takes_nothing_keeps_no_daemon_from_starting(
    tmp_path: Path, breaks: Callable[[Disk], None], mends: Callable[[Disk], None]
) -> None:
    with Disk(tmp_path / "disk") as disk, FeedServer() as server:
        place = installed(tmp_path, server, disk.place / "state")
        assert place.once() == 0
        spoil(place)
        breaks(disk)
        with running(place, "feed") as daemon:
            complains(place, daemon, "what the file has cannot be read")
            takes(place, daemon, server, SECOND)
            assert place.ctl("ban", "203.0.113.9").returncode == 0
            mends(disk)
            is_mended(place, daemon)
            assert standing() == expected({"manual": ["203.0.113.9"], "feed": SECOND})
            assert daemon.terminate() == 0
        restarts_with(place, SECOND, manual=["203.0.113.9"])


def spoil(place: Installation) -> None:
    with (place.state / "banlistd.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * ((place.state / "banlistd.db").stat().st_size - 4096))


@in_network_namespace
def test_damaged_database_is_begun_anew_from_the_firewall(tmp_path: Path) -> None:
    with FeedServer() as server:
        place = installed(tmp_path, server)
        with running(place, "feed") as daemon:
            takes(place, daemon, server, SECOND)
            before = generation()
            # Its journal is put into the file first, so that nothing in it hides the damage.
            with closing(sqlite3.connect(place.state / "banlistd.db")) as other:
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            spoil(place)
            place.ctl("refresh")
            assert "SQLITE_CORRUPT" in daemon.wait_for("ledger_fault")["message"]
            assert place.ask("refresh")[0]["error"] == ""
            assert generation() == before
            assert [*place.state.glob("banlistd.db.corrupt-*")]
            daemon.kill()
        restarts_with(place, SECOND)


@in_network_namespace
def test_a_database_that_is_found_damaged_costs_one_download_and_no_ban(tmp_path: Path) -> None:
    with FeedServer() as server:
        place = installed(tmp_path, server)
        assert place.once() == 0
        spoil(place)
        before, asked = generation(), server.hits("/feed")
        with running(place, "feed") as daemon:
            assert "moved aside" in daemon.wait_for("ledger_fault")["message"]
            assert server.hits("/feed") == asked + 1
            assert generation() == before
            assert standing() == expected({"feed": FIRST})
            daemon.kill()
        restarts_with(place, FIRST)


@in_network_namespace
def test_newer_database_is_left_alone_and_bans_are_kept(tmp_path: Path) -> None:
    with FeedServer() as server:
        place = installed(tmp_path, server)
        assert place.once() == 0
        with closing(sqlite3.connect(place.state / "banlistd.db")) as database:
            database.execute("PRAGMA user_version = 99")
        left = (place.state / "banlistd.db").read_bytes()
        before = generation()
        with running(place, "feed") as daemon:
            complains(place, daemon, "schema 99")
            assert generation() == before
            heals(daemon, FIRST)
            assert daemon.terminate() == 0
        assert (place.state / "banlistd.db").read_bytes() == left


@in_network_namespace
def test_locked_database_delays_imports_but_no_repair(tmp_path: Path) -> None:
    with FeedServer() as server:
        place = installed(tmp_path, server)
        with running(place, "feed") as daemon:
            place.ask("refresh")
            with closing(sqlite3.connect(place.state / "banlistd.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                serve(server, SECOND)
                assert "another process holds the database" in place.ctl("refresh").stdout
                heals(daemon, FIRST)
                other.execute("ROLLBACK")
            takes(place, daemon, server, SECOND)
            assert place.ask("status")["ledger_fault"] == ""


@in_network_namespace
def test_a_power_cut_loses_no_import_that_was_acknowledged(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk, FeedServer() as server:
        place = installed(tmp_path, server, disk.place / "state")
        for cut, entries in enumerate((FIRST, SECOND, THIRD, FIRST)):
            serve(server, entries)
            with running(place) as daemon:
                place.ctl("refresh")
                daemon.wait_for("blocklist_import_completed", "feed")
                disk.break_down()
                daemon.kill()
            disk.remount()
            (run,) = [run for run in place.runs("completed") if run["generation"] == cut + 1]
            assert place.accepted()["feed"] == run["content_hash"]
            nft("flush", "ruleset")
            server.serve("/feed", status=503)
            with running(place) as daemon:
                assert standing() == expected({"feed": entries})
                assert daemon.terminate() == 0
