"""Bans that end by themselves, and lists that are proven, by the real daemon in the real kernel."""

import time
from pathlib import Path

from support.feed_server import FeedServer
from support.network_namespace import in_network_namespace
from support.signing import Minisign
from support.wall_clock import WallClock
from system.daemon_process import Installation, running
from system.kernel_view import expected, standing

TIMED = "format: {type: csv, column: 1, where: {2: future}}, guards: {shrink: off, turnover: off}"


def rows(now: float, **ends: float) -> bytes:
    """A row for each address, `a1` is 192.0.2.1: how many seconds from now on it lasts."""
    return "".join(f"192.0.2.{name[1:]},{now + seconds:.0f}\n" for name, seconds in ends.items()).encode()


@in_network_namespace
def test_an_entry_whose_time_came_while_the_daemon_was_killed_ends_once_it_runs(tmp_path: Path, clock: WallClock) -> None:
    place, now = Installation(tmp_path), time.time()
    clock.set(now)
    with FeedServer() as server:
        server.serve("/feed", rows(now, a1=300, a2=3600), etag='"1"')
        place.configure(f'id: feed, url: "{server.url("/feed")}", {TIMED}', every="1d")
        with running(place, "feed", through=clock.through) as daemon:
            assert standing() == expected({"feed": ["192.0.2.1", "192.0.2.2"]})
            daemon.kill()
        clock.set(time.time() + 301)
        with running(place, through=clock.through) as daemon:
            done = daemon.wait_for("blocklist_import_completed", "feed")
            assert done["message"].endswith("1 removed; the time of the others is over")
            assert standing() == expected({"feed": ["192.0.2.2"]})
            assert place.accepted() == {"feed": done["content_hash"]}
        assert server.hits("/feed") == 1


@in_network_namespace
def test_a_forged_list_leaves_the_bans_of_the_last_one_that_was_proven(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    (tmp_path / "keys").mkdir()
    publisher = Minisign.made_in(tmp_path / "keys")
    key = (tmp_path / "keys" / "key.pub").read_text().splitlines()[1]
    with FeedServer() as server:
        server.serve("/feed", b"192.0.2.1\n")
        server.serve("/feed.minisig", publisher.signed(b"192.0.2.1\n"))
        place.configure(f'id: feed, url: "{server.url("/feed")}", verify: {{key: {key}}}')
        with running(place, "feed") as daemon:
            server.serve("/feed", b"203.0.113.0/24\n")
            place.ctl("refresh", "feed")
            failed = daemon.wait_for("blocklist_import_failed", "feed")
            assert "not verified: it is not what its signature is of" in failed["reason"]
            assert standing() == expected({"feed": ["192.0.2.1"]})
            server.serve("/feed.minisig", publisher.signed(b"203.0.113.0/24\n"))
            place.ctl("refresh", "feed")
            assert standing() == expected({"feed": ["203.0.113.0/24"]})
