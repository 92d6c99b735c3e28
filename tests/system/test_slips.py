"""A configuration that would lift most bans, as an administrator meets it."""

from pathlib import Path

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
