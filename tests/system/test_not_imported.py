"""What a host does not use, its daemon at work has not in memory: a fleet, a broker, a proxy of SOCKS; and parsers never."""

import re
from pathlib import Path

from system.daemon_process import Installation, running

LIBRARIES = {"aiohttp_socks", "python_socks", "tuf", "securesystemslib", "urllib3", "nacl", "cryptography", "aiomqtt", "paho"}
ROOMS = (
    "banlistd.trust",
    "banlistd.adapters.fetch.fleet",
    "banlistd.adapters.mqtt",
    "banlistd.adapters.signatures.hub_repository",
    "banlistd.adapters.fetch.proxies.socks",
    "banlistd.connecting",
    "banlistd.core.addresses.fleet_files",
    "banlistd.core.feeds.parsers",
    "banlistd.core.feeds.reading",
    "banlistd.services.fleet",
    "banlistd.services.publishing",
)


def test_a_daemon_at_work_has_imported_nothing_that_it_does_not_use(tmp_path: Path) -> None:
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
