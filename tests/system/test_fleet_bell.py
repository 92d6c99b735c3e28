"""The bell: a message over a real broker, and the list is banned long before its poll is due; a false one changes nothing."""

from pathlib import Path

import pytest

from support.fleet import Hub, Owners
from support.fleet_repository import Repository
from support.mirror import mirror_of
from support.mosquitto import broker, listening_to
from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running
from system.test_fleet_trust import NEW, OLD, content, fleet_of

BELL = "banlistd/v1/main/bell"


@in_network_namespace
async def test_a_bell_brings_a_new_version_and_a_false_one_brings_nothing(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    at_once = fleet_of(tmp_path, repository.folder, repository.first_root, more=", spread: 0s")
    with broker(tmp_path) as mosquitto, at_once as fleet:
        section = f"mqtt: {{broker: 'mqtt://127.0.0.1:{mosquitto.port}', id: node-1}}\n"
        fleet.place.file.write_text(fleet.place.file.read_text() + section)
        with running(fleet.place, "drop") as daemon:
            daemon.wait_for("mqtt_connected")
            assert fleet.banned() == [OLD]
            async with listening_to(mosquitto) as heard:
                before = len(daemon.events)
                repository.publish({"drop": content(OLD, NEW)})
                timestamp = (repository.folder / "metadata/timestamp.json").read_bytes()
                await heard.client.publish(BELL, timestamp, qos=1, retain=True)
                daemon.wait_for("blocklist_import_completed", "drop", since=before)
                assert fleet.banned() == [OLD, NEW]
                before = len(daemon.events)
                for payload in (b"", b"{}", b'{"signed": {"version": 99}}'):
                    await heard.client.publish(BELL, payload, qos=1)
                daemon.wait_for("blocklist_import_skipped", "drop", since=before)
                assert fleet.banned() == [OLD, NEW]


def test_what_a_hub_imports_is_on_a_node_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owners = Owners(tmp_path / "owners", "hub-a")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "hub-key").write_bytes(owners.key("hub-a").read_bytes())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    feed = tmp_path / "list.txt"
    feed.write_text("11.0.0.1\n")
    places = [Installation(made(tmp_path / name)) for name in ("hub", "node")]
    public = places[0].state / "fleet" / "public"
    hub = Hub(places[0].state / "fleet", owners, "hub-a")
    hub.install()
    hub.promote()
    root = owners.folder.path / "1.root.json"
    with broker(tmp_path) as mosquitto, mirror_of(public) as mirror:
        mqtt = f"mqtt: {{broker: 'mqtt://127.0.0.1:{mosquitto.port}', id: %s}}\n"
        write(
            places[0],
            f"id: drop, path: {feed}",
            mqtt % "hub",
            "publish: {lists: [drop], key: '${credential:hub-key}', every: 1s}",
        )
        write(places[1], "id: drop, hub: drop", mqtt % "node", f"root: {root}, urls: '{mirror.url}', spread: 0s")
        with running(places[0], "drop") as publishing:
            publishing.published("drop")
            with running(places[1], "drop") as node:
                node.wait_for("mqtt_connected")
                seen = len(node.events)
                feed.write_text("11.0.0.1\n11.0.0.3\n")
                assert places[0].ctl("refresh", "drop").returncode == 0
                imported = node.wait_for("blocklist_import_completed", "drop", since=seen)
                assert imported["entries"] == 2


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def write(place: Installation, source: str, mqtt: str, fleet: str) -> None:
    place.configure(source)
    place.file.write_text(f"{place.file.read_text()}backend: memory\n{mqtt}fleet: {{name: main, {fleet}}}\n")
