"""Events followed by the program itself, of a daemon at work."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running


@contextmanager
def following(place: Installation, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = place.ctl_command("events", "--follow", *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        try:
            yield reader
        finally:
            reader.kill()


@in_network_namespace
def test_each_event_of_a_source_is_printed_as_it_comes_and_the_stop_is_the_end(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    listed = tmp_path / "list"
    listed.write_text("192.0.2.1\n")
    place.configure(f'id: listed, path: "{listed}"', every="365d")
    with running(place, "listed") as daemon, following(place, "listed") as source, following(place) as every:
        assert source.stdout
        assert every.stdout
        lines = source.stdout
        assert "blocklist_import_started" in lines.readline()
        assert "blocklist_import_completed" in lines.readline()
        listed.write_text("192.0.2.1\n192.0.2.2\n")
        assert "blocklist_import_started" in lines.readline()
        assert "1 element added" in lines.readline()
        place.ask("ban", "198.51.100.7")
        while "manual_ban_added" not in every.stdout.readline():
            pass
        assert daemon.terminate() == 0
        *_, last = every.communicate(timeout=60)[0].splitlines()
        assert "service_stopped" in last
        assert every.returncode == 69
        assert source.wait(timeout=60) == 69
