"""A configuration that would lift most bans, as an administrator meets it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from banlistd.core.config.kept import text_of_files
from support.feed_server import FeedServer
from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running


def _furnished(folder: Path, server: FeedServer) -> Installation:
    place = Installation(folder)
    server.serve("/feed", "".join(f"198.51.{at}.1\n" for at in range(50)).encode())
    place.configure(f'id: feed, url: "{server.url("/feed")}"')
    return place


@in_network_namespace
def test_check_and_dry_run_say_how_many_bans_a_reload_would_lift_and_it_is_refused_until_they_are_named(tmp_path: Path) -> None:
    with FeedServer() as server:
        place = _furnished(tmp_path, server)
        assert "would lift" not in place.run("--check").stdout
        with running(place, "feed"):
            assert "a reload would lift 0 of 50 bans\n" in place.run("--check").stdout
            place.configure()
            checked = place.run("--check")
            assert checked.returncode == 0
            assert "a reload would lift 50 of 50 bans\n" in checked.stdout
            assert "banlistctl reload --lift 50" in checked.stderr
            assert "a reload would lift 50 of 50 bans\n" in place.run("--dry-run").stdout
            refused = place.ctl("reload")
            assert refused.returncode == 65
            assert "the reload would lift 50 of 50 bans" in refused.stderr
            assert place.ask("status")["bans"] == 50
            assert place.ctl("reload", "--lift", "49").returncode == 65
            assert place.ctl("reload", "--lift", "50").stdout.startswith("configuration reloaded: 0 sources; 50 bans lifted")
            assert place.ask("status")["bans"] == 0
            place.file.write_text("")
            assert place.ctl("reload", "--lift", "50").returncode == 78


@in_network_namespace
def test_an_unconfirmed_configuration_does_not_survive_a_kill_and_a_start_does_not_lift_most_bans(tmp_path: Path) -> None:
    with FeedServer() as server:
        place = _furnished(tmp_path, server)
        good = place.file.read_text()
        with running(place, "feed"):
            pass
        place.configure()
        with running(place) as daemon:  # as after a reboot with an emptied list of sources
            status = place.ask("status")
            assert (status["bans"], status["sources"]) == (50, 1)
            assert "would lift 50 of 50 bans: the one before is in force" in status["remarks"][0]["message"]
            assert place.ctl("reload", "--confirm", "1m").returncode == 0
            assert place.ask("status")["bans"] == 0
            daemon.kill()
        for _ in range(2):
            with running(place):
                status = place.ask("status")
                assert (status["bans"], status["sources"]) == (50, 1)
                assert "was not confirmed" in status["remarks"][0]["message"]
        with running(place):
            assert place.ctl("confirm").returncode == 64
            assert place.ctl("reload", "--confirm", "1m").returncode == 0
            assert place.ctl("confirm").returncode == 0
        with running(place):
            assert place.ask("status")["sources"] == 0
        place.file.write_text(good)
        with running(place):
            assert place.ask("status")["bans"] == 50


@in_network_namespace
def test_a_configuration_of_an_older_version_that_is_refused_now_keeps_no_daemon_from_starting(tmp_path: Path) -> None:
    with FeedServer() as server:
        place = _furnished(tmp_path, server)
        with running(place, "feed"):
            pass
        older = text_of_files({"banlistd.yaml": place.file.read_bytes() + b"retired: yes\n"})
        with closing(sqlite3.connect(place.state / "banlistd.db")) as database:
            database.execute("UPDATE configurations SET files = ? WHERE role = 'in_force'", (older,))
            database.commit()
        place.configure()  # what that version refused is gone from the files, and most bans with it
        with running(place):
            status = place.ask("status")
            assert (status["bans"], status["sources"]) == (0, 0)
            assert "this version refuses the one before" in status["remarks"][0]["message"]
            assert "retired: is not a key here" in status["remarks"][0]["message"]
            assert place.ctl("reload").returncode == 0
            assert place.ask("status")["remarks"] == []
