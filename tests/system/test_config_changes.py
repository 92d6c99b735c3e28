"""Each change of the configuration is an event with its file, its line and its user; a kill in a reload leaves a whole file."""

import os
import signal
import subprocess
from pathlib import Path

from support.network_namespace import in_network_namespace
from system.daemon_process import PATIENCE, Daemon, Installation, running


def installed(folder: Path) -> Installation:
    place = Installation(folder)
    (place.config / "sources.d").mkdir()
    for name, address in (("a", "198.51.100.1"), ("b", "198.51.100.2")):
        (folder / name).write_text(f"{address}\n")
    place.configure(f'id: a, path: "{folder / "a"}"')
    (place.config / "sources.d" / "b.yaml").write_text(f"# mine\nid: b\npath: {folder / 'b'}\n")
    return place


@in_network_namespace
def test_a_command_and_an_edit_are_announced_with_place_and_user(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "a", "b") as daemon:
        assert place.ctl("disable", "b", "--config", str(place.config)).returncode == 0
        found = daemon.wait_for("config_changed", "b")
        assert (found["file"], found["line"], found["uid"]) == ("sources.d/b.yaml", 4, os.getuid())
        assert f"source b: changed in sources.d/b.yaml:4 (enabled), put in force by user {os.getuid()}" in found["message"]
        assert place.ctl("remove", "b", "--config", str(place.config)).returncode == 0
        assert any("source b: removed" in event["message"] for event in daemon.events if event["event"] == "config_changed")
        assert daemon.terminate() == 0
    place.file.write_text(place.file.read_text().replace("every: 1h", "every: 2h"))
    with running(place) as daemon:
        found = daemon.wait_for("config_changed")
        assert found["message"] == "defaults: changed in banlistd.yaml:4"
        assert "uid" not in found


@in_network_namespace
def test_a_daemon_that_is_killed_in_a_reload_and_started_again_has_the_change(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with running(place, "a", "b") as daemon:
        daemon.process.send_signal(signal.SIGSTOP)
        with subprocess.Popen(
            place.ctl_command("disable", "b", "--config", str(place.config)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as tool:
            sockets = Path(f"/proc/{tool.pid}/net/unix")
            while sockets.read_text().count(str(place.runtime / "control.sock")) < 2:  # it has written the file, and asks
                assert tool.poll() is None
            daemon.kill()
            assert tool.stderr is not None
            assert "asking again" in tool.stderr.readline()
            with running(place):
                out, err = tool.communicate(timeout=PATIENCE)
                assert (tool.returncode, err) == (0, "")
                assert out.startswith("b is disabled")
                rows = {row["id"]: row["enabled"] for row in place.ask("sources")}
                assert rows == {"a": True, "b": False}


@in_network_namespace
def test_a_change_while_the_daemon_starts_is_in_force_once_it_runs(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with stopped_in_its_start(place) as daemon:
        done = place.ctl("disable", "b", "--config", str(place.config))
        assert done.returncode == 0, done.stderr
        daemon.process.send_signal(signal.SIGHUP)
        daemon.process.send_signal(signal.SIGCONT)
        daemon.wait_for("service_started")
        assert "source b: changed in sources.d/b.yaml:4 (enabled)" in daemon.wait_for("config_changed", "b")["message"]
        assert daemon.wait_for("config_reloaded")["message"] == "configuration reloaded: 1 source enabled"
        assert daemon.terminate() == 0
    with running(place) as daemon:
        place.ask("reload")
        assert len([one for one in daemon.events if one["event"] == "config_reloaded"]) == 1


@in_network_namespace
def test_a_mistake_in_a_file_that_came_while_the_daemon_starts_is_announced(tmp_path: Path) -> None:
    place = installed(tmp_path)
    with stopped_in_its_start(place) as daemon:
        (place.config / "sources.d" / "c.yaml").write_text("id: c\n")
        daemon.process.send_signal(signal.SIGCONT)
        assert "configuration has NOT been changed" in daemon.wait_for("config_rejected")["message"]
        assert daemon.terminate() == 0


def stopped_in_its_start(place: Installation) -> Daemon:
    """It has read the files, and answers nothing yet."""
    daemon = place.start()
    while not (place.state / "banlistd.db").exists():
        assert daemon.process.poll() is None
    daemon.process.send_signal(signal.SIGSTOP)
    assert not (place.runtime / "control.sock").exists()
    return daemon
