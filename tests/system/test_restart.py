"""What a restart remembers: when each list is due, what its server said, what stands and what a crash left open."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from support.feed_server import FeedServer
from support.network_namespace import in_network_namespace, nft
from system.daemon_process import Installation, running
from system.kernel_view import expected, generation, standing


@in_network_namespace
def test_due_times_outlive_a_restart_and_nothing_is_asked_or_written_twice(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        server.serve("/feed", b"192.0.2.0/24\n", etag='"1"')
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        with running(place, "feed") as daemon:
            place.ask("refresh")  # its answer comes when everything about the poll is written down
            timers, asked = place.ask("timers"), server.hits("/feed")
            assert daemon.terminate() == 0
        before, history = generation(), place.runs()
        for _ in range(2):
            with running(place) as daemon:
                # The ledger answers in turn, the timers' questions before these.
                assert place.ask("timers") == timers
                assert place.ask("status")["bans"] == 1
                daemon.terminate()
            assert {event["event"] for event in daemon.events} <= {"firewall_restored", "service_started", "service_stopped"}
            assert server.hits("/feed") == asked
            assert generation() == before
            assert place.runs() == history


@in_network_namespace
def test_a_list_that_came_due_while_nothing_ran_is_asked_for_at_once_with_its_validators(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        server.serve("/feed", b"192.0.2.0/24\n", etag='"1"')
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        assert place.once() == 0
        place.make_everything_due()
        before = generation()
        with running(place) as daemon:
            daemon.wait_for("blocklist_import_skipped", "feed")
        assert server.requests[-1].headers["if-none-match"] == '"1"'
        assert generation() == before


@in_network_namespace
def test_bans_are_restored_before_any_download(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        server.serve("/feed", b"192.0.2.0/24\n2001:db8::/32\n", etag='"1"')
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        assert place.once() == 0
    before = nft("list", "ruleset")
    nft("flush", "ruleset")
    with running(place) as daemon:
        assert [event["event"] for event in daemon.events[:2]] == ["firewall_restored", "service_started"]
        assert nft("list", "ruleset") == before
        assert standing() == expected({"feed": ["192.0.2.0/24", "2001:db8::/32"]})


@in_network_namespace
def test_a_feed_whose_own_host_is_on_a_list_costs_no_write_at_a_restart(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    nft("add", "table", "inet", "other")
    # Its own addresses are never banned anyway; this one is not its own, and the name is known by the first process alone.
    with FeedServer() as server:
        server.serve("/feed", b"192.0.2.0/24\n198.51.100.9\n", etag='"1"')
        place.configure(f'id: feed, url: "{server.url("/feed")}"', 'id: named, url: "http://lists.example/feed"')
        place.once()
        with closing(sqlite3.connect(place.state / "banlistd.db")) as database, database:
            database.execute("INSERT INTO known_names VALUES ('lists.example', '192.0.2.77')")
        listed = {"feed": ["192.0.2.0/24", "198.51.100.9"]}
        with running(place):
            assert standing() == expected(listed)
            assert answering() == {"192.0.2.77 . tcp . 80"}
            before = generation()
        with running(place) as daemon:
            assert generation() == before
            assert daemon.terminate() == 0
        nft("flush", "ruleset")
        assert place.run("--restore").returncode == 0
        assert standing() == expected(listed)
        assert answering() == {"192.0.2.77 . tcp . 80"}


def answering() -> set[str]:
    """The IPv4 services whose answers pass although their addresses are banned."""
    return {*re.findall(r"[0-9.]{7,} \. \w+ \. \w+", nft("list", "set", "inet", "banlistd", "answers4"))}


@in_network_namespace
def test_a_changed_allowlist_is_in_force_after_a_restart_without_a_download(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        server.serve("/feed", b"192.0.2.0/24\n198.51.100.1\n", etag='"1"')
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        assert place.once() == 0
        for allow in (["192.0.2.128/25", "198.51.100.1"], []):
            place.configure(f'id: feed, url: "{server.url("/feed")}"', allow=allow)
            with running(place):
                assert standing() == expected({"feed": ["192.0.2.0/24", "198.51.100.1"]}, allow)
        assert server.hits("/feed") == 1


@in_network_namespace
def test_the_loss_of_the_database_costs_one_download(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        server.serve("/feed", b"192.0.2.0/24\n", etag='"1"')
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        assert place.once() == 0
        place.lose_database()
        assert place.once() == 0
        assert server.hits("/feed") == 2
    assert standing() == expected({"feed": ["192.0.2.0/24"]})
    assert [run["state"] for run in place.runs()] == ["completed"]


@in_network_namespace
def test_lost_database_costs_no_ban_in_the_kernel(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        server.serve("/feed", b"192.0.2.0/24\n", etag='"1"')
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        assert place.once() == 0
    place.lose_database()
    assert place.once() == 69
    assert standing() == expected({"feed": ["192.0.2.0/24"]})


@in_network_namespace
def test_another_backend_takes_over_and_the_one_before_is_emptied(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        server.serve("/feed", b"192.0.2.0/24\n", etag='"1"')
        place.configure(f'id: feed, url: "{server.url("/feed")}"')
        assert place.once() == 0
        nftables = place.file.read_text()
        place.file.write_text(f"backend: memory\n{nftables}")
        with running(place) as daemon:
            first = [event["event"] for event in daemon.events if event["event"] != "config_changed"][:3]
            assert first == ["firewall_restored", "backend_left", "service_started"]
            assert place.ask("check", "192.0.2.9")["banned"]
            assert nft("list", "ruleset") == ""
            assert daemon.terminate() == 0
        place.file.write_text(nftables)
        with running(place):
            assert standing() == expected({"feed": ["192.0.2.0/24"]})
        assert server.hits("/feed") == 1
