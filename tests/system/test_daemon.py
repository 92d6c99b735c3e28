"""The daemon as a process: its signals, its socket, its files that change, one instance and no more."""

import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from banlistd.ctl.client import Question, ask
from support.feed_server import FeedServer, hang
from support.network_namespace import in_network_namespace, nft, skip_without_large_buffers
from system.daemon_process import Installation, running
from system.kernel_view import expected, generation, standing


def serve(place: Installation, server: FeedServer, lists: Mapping[str, str]) -> None:
    """Each list on the server, and a source of the same name."""
    for name, entry in lists.items():
        server.serve(f"/{name}", f"{entry}\n".encode(), etag=f'"{entry}"')
    place.configure(*(f'id: {name}, url: "{server.url(f"/{name}")}"' for name in lists))


@in_network_namespace
def test_sigterm_ends_it_and_the_bans_stay(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        serve(place, server, {"feed": "192.0.2.0/24"})
        with running(place, "feed") as daemon:
            before = generation()
            assert daemon.terminate() == 0
            assert daemon.events[-1]["event"] == "service_stopped"
    assert generation() == before
    assert standing() == expected({"feed": ["192.0.2.0/24"]})
    assert not (place.runtime / "control.sock").exists()


@in_network_namespace
def test_sigterm_ends_it_at_once_while_a_server_does_not_answer(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        serve(place, server, {"feed": "192.0.2.0/24", "silent": "192.0.2.1"})
        server.behave("/silent", hang())
        place.configure(*(f'id: {name}, url: "{server.url(f"/{name}")}", timeout: 1h' for name in ("feed", "silent")))
        with running(place, "feed") as daemon:
            daemon.wait_for("blocklist_import_started", "silent")
            assert daemon.terminate() == 0
    assert standing() == expected({"feed": ["192.0.2.0/24"]})


@in_network_namespace
def test_sighup_takes_a_new_source_and_forgets_one_that_is_gone(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        serve(place, server, {"first": "192.0.2.0/24", "second": "2001:db8::/32"})
        with running(place, "first", "second") as daemon:
            serve(place, server, {"second": "2001:db8::/32", "third": "198.51.100.7"})
            since = len(daemon.events)
            daemon.reload()
            daemon.wait_for("config_reloaded", since=since)
            daemon.wait_for("blocklist_import_completed", "third", since=since)
            assert standing() == expected({"second": ["2001:db8::/32"], "third": ["198.51.100.7"]})
            assert "from-first" not in nft("list", "ruleset")
            assert server.hits("/second") == 1


@in_network_namespace
def test_sighup_with_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        serve(place, server, {"feed": "192.0.2.0/24"})
        with running(place, "feed") as daemon:
            before = generation()
            good = place.file.read_text()
            for bad in ("sources: [{id: feed, urll: x}]\n", "sources: [\n", ""):
                place.file.write_text(bad) if bad else place.file.unlink()
                since = len(daemon.events)
                daemon.reload()
                assert "NOT been changed" in daemon.wait_for("config_rejected", since=since)["message"]
                assert place.ctl("reload").returncode == 78
            assert [source["id"] for source in place.ask("sources")] == ["feed"]
            assert generation() == before
            place.file.write_text(good)
            assert place.ctl("reload").returncode == 0
            assert daemon.process.poll() is None
    assert standing() == expected({"feed": ["192.0.2.0/24"]})


@in_network_namespace
def test_second_daemon_on_the_same_state_is_refused(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        serve(place, server, {"feed": "192.0.2.0/24"})
        with running(place, "feed") as daemon:
            before = generation()
            for options in ((), ("--once",)):
                second = place.run(*options)
                assert second.returncode == 75
                assert "another banlistd works on" in second.stderr
            assert generation() == before
            assert place.ask("status")["pid"] == daemon.process.pid


@in_network_namespace
def test_a_second_one_with_another_state_is_kept_off_the_same_firewall(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    places = [Installation(folder) for folder in folders]
    with FeedServer() as server:
        for place in places:
            serve(place, server, {"feed": "192.0.2.0/24"})
        with running(places[0], "feed") as daemon:
            before = generation()
            second = places[1].run("--once")
            assert second.returncode == 75
            assert "another banlistd, with another state directory" in second.stderr
            assert generation() == before
            assert daemon.terminate() == 0
        assert places[1].once() == 0


@in_network_namespace
def test_banlistctl_answers_every_question_of_an_operator(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        serve(place, server, {"first": "192.0.2.0/24", "second": "192.0.2.7"})
        with running(place, "first", "second") as daemon:
            status = place.ask("status")
            assert (status["bans"], status["enabled"], status["failing"]) == (1, 2, 0)
            assert status["pid"] == daemon.process.pid
            map_entries = {source["id"]: (source["entries"], source["owned"]) for source in place.ask("sources")}
            assert map_entries == {"first": (1, 1), "second": (1, 0)}
            check = place.ask("check", "192.0.2.7")
            assert (check["owner"], [holder["id"] for holder in check["sources"]]) == ("first", ["first", "second"])
            assert place.ctl("check", "192.0.3.7").returncode == 1
            assert place.ctl("check", "nonsense").returncode == 64
            assert {run["state"] for run in place.ask("history")} == {"completed"}
            assert all(timer["due_at"] > timer["polled_at"] for timer in place.ask("timers"))
            server.serve("/second", b"203.0.113.7\n")
            assert [row["outcome"] for row in place.ask("refresh", "second")] == ["completed"]
            assert standing() == expected({"first": ["192.0.2.0/24"], "second": ["203.0.113.7"]})
            assert place.ctl("refresh", "nobody").returncode == 64
            assert place.ask("reload") == {"sources": 2, "added": [], "removed": [], "changed": [], "lifted": 0}
            for words in ("status", "sources", "history", "timers", "check 192.0.2.7", "refresh", "reload"):
                page = place.ctl(*words.split())
                assert (page.returncode, page.stderr) == (0, "")
                assert page.stdout.strip()
            daemon.terminate()
            assert place.ctl("status").returncode == 69


@in_network_namespace
def test_a_local_list_that_is_rewritten_is_read_again_of_itself(tmp_path: Path) -> None:
    place, path = Installation(tmp_path), tmp_path / "office.txt"
    path.write_text("192.0.2.1\n")
    place.configure(f'id: office, path: "{path}"', every="1d")
    with running(place, "office") as daemon:
        since = len(daemon.events)
        path.write_text("192.0.2.2\n198.51.100.0/24\n")
        daemon.wait_for("blocklist_import_completed", since=since)
        assert standing() == expected({"office": ["192.0.2.2", "198.51.100.0/24"]})


@in_network_namespace
def test_local_list_rewritten_while_stopped_is_read_at_start(tmp_path: Path) -> None:
    place, path = Installation(tmp_path), tmp_path / "office.txt"
    path.write_text("192.0.2.1\n")
    place.configure(f'id: office, path: "{path}"', every="1d")
    assert place.once() == 0
    path.write_text("192.0.2.2\n")
    with running(place, "office"):
        assert standing() == expected({"office": ["192.0.2.2"]})


@in_network_namespace
def test_what_others_flush_is_put_back_without_a_download(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with FeedServer() as server:
        serve(place, server, {"feed": "192.0.2.0/24"})
        with running(place, "feed") as daemon:
            before = nft("list", "ruleset")
            nft("flush", "ruleset")
            daemon.wait_for("firewall_drift_repaired")
            assert nft("list", "ruleset") == before
            assert server.hits("/feed") == 1


@in_network_namespace
def test_status_is_answered_again_and_again_while_a_large_list_is_imported(tmp_path: Path) -> None:
    skip_without_large_buffers()
    place = Installation(tmp_path)
    entries = [f"{11 + number // 65536}.{number // 256 % 256}.{number % 256}.1" for number in range(800_000)]
    with FeedServer() as server:
        serve(place, server, {"large": "192.0.2.1"})
        with running(place, "large") as daemon:
            server.serve("/large", "\n".join(entries).encode())
            since = len(daemon.events)
            refresh = subprocess.Popen(place.ctl_command("refresh"), stdout=subprocess.DEVNULL)
            daemon.wait_for("blocklist_import_started", "large", since=since)
            answers = 0
            while not any(event["event"] == "blocklist_import_completed" for event in daemon.events[since:]):
                assert ask(str(place.runtime / "control.sock"), Question("GET", "/v1/status"))["state"] == "running"
                answers += 1
            assert refresh.wait() == 0
            assert daemon.wait_for("blocklist_import_completed", "large", since=since)["entries"] == 800_000
            assert answers >= 3
            assert place.ask("status")["bans"] == 800_000


@in_network_namespace
def test_an_interrupt_ends_it_as_a_termination_does(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.configure('id: feed, url: "http://127.0.0.1:1/"')
    with running(place) as daemon:
        daemon.process.send_signal(signal.SIGINT)
        assert daemon.process.wait(2) == 0
