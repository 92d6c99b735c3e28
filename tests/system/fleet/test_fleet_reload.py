"""A reload of the real daemon begins, changes and ends what it does for a fleet, without a restart."""

import json
from base64 import b64decode
from pathlib import Path

from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.fleet.reports.addresses import address_text
from banlistd.core.fleet.reports.report import NodeReport, read_report
from banlistd.model import Family
from support.fleet import Hub, Node, Owners
from support.fleet_repository import Repository
from support.mirror import mirror_of
from support.mosquitto import Heard, broker, listening_to
from support.network_namespace import in_network_namespace
from system.daemon_process import Daemon, Installation, running
from system.fleet.reporting import node_in, settings, topic_of, with_credentials

BELL = "banlistd/v1/main/bell"


def content(*hosts: int) -> AddressSet:
    return AddressSet.of(from_numbers(Family.IPV4, hosts))


def reload(place: Installation) -> None:
    done = place.ctl("reload")
    assert done.returncode == 0, done.stderr


def faults(daemon: Daemon) -> list[str]:
    return [event["message"] for event in daemon.events if event["event"] == "service_fault"]


def test_a_reload_joins_a_fleet_asks_other_mirrors_and_leaves_it(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(1 << 24)})
    (tmp_path / "root.json").write_bytes(repository.first_root)
    (tmp_path / "node").mkdir()
    place = Installation(tmp_path / "node")

    def write(fleet: str, *sources: str) -> None:
        place.configure(*sources)
        place.file.write_text(f"{place.file.read_text()}backend: memory\n{fleet}\n")

    def refresh() -> int:
        place.ctl("refresh", "drop")
        bans: int = place.ask("status")["bans"]
        return bans

    def fleet_of(url: str, more: str = "", name: str = "main") -> str:
        return f"fleet: {{name: {name}, root: {tmp_path}/root.json, urls: '{url}'{more}}}"

    source = "id: drop, hub: drop"
    with mirror_of(repository.folder) as first, mirror_of(repository.folder) as second:
        write("")
        with running(place) as daemon:
            assert place.ctl("fleet").returncode != 0
            write(fleet_of(first.url), source)
            reload(place)
            daemon.wait_for("blocklist_import_completed", "drop")
            assert place.ask("fleet")["mirrors"][0]["url"] == first.url
            repository.publish({"drop": content(1 << 24, (1 << 24) + 2)})
            write(fleet_of(second.url, ", hold: 1h"), source)
            reload(place)
            asked = len(first.asked)
            assert refresh() == 1
            assert second.asked
            assert len(first.asked) == asked
            assert [held["guard"] for held in place.ask("quarantine")] == ["hold"]
            write(fleet_of(second.url), source)
            reload(place)
            assert refresh() == 2
            write(fleet_of(second.url, name="other"), source)
            done = place.ctl("reload")
            assert "fleet: name: cannot be changed while banlistd runs" in done.stderr
            write("")
            assert place.ctl("reload", "--lift", "2").returncode == 0
            assert place.ask("status")["bans"] == 0
            assert place.ctl("fleet").returncode != 0
            write(fleet_of(first.url), source)
            reload(place)
            assert refresh() == 2
            assert faults(daemon) == []


async def next_report(heard: Heard, topic: str) -> NodeReport:
    envelope = json.loads(await heard.until(topic))
    return read_report(b64decode(envelope["payload"]))


def addresses(report: NodeReport) -> list[str]:
    return [address_text(ban.address) for ban in report.bans]


@in_network_namespace
async def test_a_reload_begins_changes_and_ends_the_reports_of_a_node(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        node = node_in(tmp_path, mosquitto, "node-1")
        whole = node.file.read_text()
        settings(node, mosquitto, "node-1", "", "")
        topic = topic_of("node-1")

        def ban(address: str, origin: str) -> None:
            done = node.ctl("ban", address, "--origin", origin, "--for", "1h")
            assert done.returncode == 0, done.stderr

        async with listening_to(mosquitto, topic, "banlistd/v1/home/node/node-1/status") as heard:
            with running(node, through=with_credentials(node)) as daemon:
                daemon.wait_for("mqtt_connected")
                ban("203.0.113.1", "fail2ban/sshd")
                since = len(daemon.events)
                node.file.write_text(whole)
                reload(node)
                daemon.wait_for("mqtt_connected", since=since)  # the topics are others
                # What was in force before is reported at once.
                first = await next_report(heard, topic)
                assert addresses(first) == ["203.0.113.1"]
                connections = [event for event in daemon.events if event["event"] == "mqtt_connected"]
                node.file.write_text(whole.replace("fail2ban/*", "crowdsec*"))
                reload(node)
                ban("203.0.113.3", "fail2ban/sshd")
                ban("203.0.113.4", "crowdsec/ssh")
                second = await next_report(heard, topic)
                assert addresses(second) == ["203.0.113.4"]
                assert (second.boot, second.seq) > (first.boot, first.seq)
                # Over the connection that is there.
                assert [event for event in daemon.events if event["event"] == "mqtt_connected"] == connections
                settings(node, mosquitto, "node-1", "", "")
                reload(node)
                ban("203.0.113.5", "crowdsec/ssh")
                await heard.until("banlistd/v1/home/node/node-1/status", b"online")
                assert node.rows("SELECT * FROM report_outbox WHERE address = x'cb007105'") == []
                assert faults(daemon) == []


@in_network_namespace
async def test_what_waits_to_be_reported_outlives_a_reload(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        node = node_in(tmp_path, mosquitto, "node-1")
        whole = node.file.read_text()
        with running(node, through=with_credentials(node)) as daemon:
            daemon.wait_for("mqtt_connected")
            mosquitto.stop()
            daemon.wait_for("mqtt_lost")
            assert node.ctl("ban", "203.0.113.1", "--origin", "fail2ban/sshd").returncode == 0
            node.file.write_text(whole.replace("report: [fail2ban/*]", "spread: 1s, report: [fail2ban/*, crowdsec]"))
            reload(node)
            mosquitto.start()
            async with listening_to(mosquitto, topic_of("node-1")) as heard:
                assert addresses(await next_report(heard, topic_of("node-1"))) == ["203.0.113.1"]


async def rung(heard: Heard, above: int = 0) -> int:
    """The first version above that one."""
    while True:
        version: int = json.loads(await heard.until(BELL))["signed"]["version"]
        if version > above:
            return version


@in_network_namespace
async def test_a_reload_begins_changes_and_ends_the_publishing_of_a_hub(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "owners", "hub-a")
    (tmp_path / "hub/credentials").mkdir(parents=True)
    (tmp_path / "hub/credentials/hub-key").write_bytes(owners.key("hub-a").read_bytes())
    place = Installation(tmp_path / "hub")
    keys = Hub(place.state / "fleet", owners, "hub-a")
    keys.install()
    keys.promote()
    public = place.state / "fleet/public"
    for name in ("drop", "ssh"):
        (tmp_path / name).write_text("11.0.0.1\n")

    with broker(tmp_path) as mosquitto:

        def write(fleet: str) -> None:
            place.configure(*(f"id: {name}, path: {tmp_path / name}" for name in ("drop", "ssh")))
            mqtt = f"mqtt: {{broker: 'mqtt://127.0.0.1:{mosquitto.port}', id: hub}}"
            place.file.write_text(f"{place.file.read_text()}backend: memory\n{mqtt}\n{fleet}\n")

        def publishing(*lists: str) -> str:
            names = ", ".join(lists)
            return f'fleet: {{name: main, publish: {{lists: [{names}], key: "${{credential:hub-key}}", every: 1s}}}}'

        def published(node: str, name: str) -> bool:
            return Node(tmp_path / node, owners).pull(public, f"{name}/full.blz") is not None

        write("")
        async with listening_to(mosquitto, BELL) as heard:
            with running(place, "drop", "ssh", through=with_credentials(place)) as daemon:
                write(publishing("drop"))
                reload(place)
                daemon.wait_for("fleet_published")
                version = await rung(heard)
                assert (published("first", "drop"), published("second", "ssh")) == (True, False)
                since = len(daemon.events)
                write(publishing("drop", "ssh"))
                reload(place)
                daemon.wait_for("fleet_published", since=since)
                await rung(heard, version)
                assert published("third", "ssh")
                write("fleet: {name: main}")
                reload(place)
                before = (public / "metadata/timestamp.json").read_bytes()
                (tmp_path / "ssh").write_text("11.0.0.1\n11.0.0.3\n")
                assert place.ctl("refresh", "ssh").returncode == 0
                assert (public / "metadata/timestamp.json").read_bytes() == before
                since = len(daemon.events)
                write(publishing("ssh"))
                reload(place)
                assert daemon.wait_for("fleet_published", since=since)["entries"] == 2
                assert faults(daemon) == []
