"""A host without a fleet and without a broker: its daemon, at work, has nothing of them in memory."""

import re
from pathlib import Path

from system.daemon_process import Installation, running

LIBRARIES = {"tuf", "securesystemslib", "urllib3", "nacl", "cryptography", "aiomqtt", "paho"}
ROOMS = (
    "banlistd.trust",
    "banlistd.adapters.fetch.fleet",
    "banlistd.adapters.mqtt",
    "banlistd.adapters.signatures.hub_repository",
    "banlistd.connecting",
    "banlistd.core.addresses.fleet_files",
    "banlistd.services.fleet",
    "banlistd.services.publishing",
)


def test_a_daemon_at_work_has_imported_nothing_of_a_fleet(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    (tmp_path / "list.txt").write_text("198.51.100.7\n")
    place.configure(f"id: one, path: {tmp_path / 'list.txt'}")
    place.file.write_text(place.file.read_text() + "backend: memory\n")
    with running(place, "one", through=["env", "PYTHONPROFILEIMPORTTIME=1"]) as daemon:
        assert place.ask("status")["bans"] == 1
        assert place.ctl("ban", "203.0.113.7", "--for", "10m").returncode == 0
        assert daemon.terminate() == 0
    imported = {found[1] for line in daemon.words if (found := re.match(r"import time:.*\| +(\S+)$", line))}
    assert {"numpy", "banlistd.compose"} <= imported
    assert {name.partition(".")[0] for name in imported} & LIBRARIES == set()
    assert [name for name in imported if any(f"{name}.".startswith(f"{room}.") for room in ROOMS)] == []
