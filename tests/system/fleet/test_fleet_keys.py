"""Each key of a fleet is changed in turn: lists and reports go on, and the old key counts for nothing."""

import asyncio
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import MetaFile

from support.fleet_repository import Repository, signed
from support.mosquitto import broker, listening_to
from support.network_namespace import in_network_namespace
from support.reporters import FLEET, message_of, report, reported
from support.shipped_broker import shipped_broker
from system.daemon_process import Installation, running
from system.fleet.reporting import (
    ROOT,
    admit,
    ban,
    hub_in,
    key_file,
    key_of,
    listed,
    node_in,
    sightings,
    topic_of,
    with_credentials,
)
from system.fleet.test_fleet_reports import until
from system.test_fleet_trust import NEW, OLD, Fleet, content, fleet_of
from system.test_mqtt import NODE, ORDER, configured, operator


def refused_by(fleet: Fleet, files: Mapping[str, bytes], reason: str) -> None:
    """What a thief gives with an old key changes no ban, and is named."""
    (mirror,), banned = fleet.mirrors, fleet.banned()
    mirror.files |= files
    assert fleet.refresh() == banned
    assert reason in fleet.reason()
    for name in files:
        del mirror.files[name]


def forged_targets(repository: Repository, stolen: CryptoSigner) -> dict[str, bytes]:
    """The next targets, signed by the key of before; all else by a hub's key that counts."""
    hub = [repository.hubs["a"]]
    targets, snapshot, timestamp = (repository.copy_of(name) for name in ("targets", "snapshot", "timestamp"))
    for each in (targets, snapshot, timestamp):
        each.signed.version += 1
    snapshot.signed.meta["targets.json"] = MetaFile(targets.signed.version)
    timestamp.signed.snapshot_meta = MetaFile(snapshot.signed.version)
    return {
        f"metadata/{targets.signed.version}.targets.json": signed(targets, [stolen]),
        f"metadata/{snapshot.signed.version}.snapshot.json": signed(snapshot, hub),
        "metadata/timestamp.json": signed(timestamp, hub),
    }


def change_targets_key(repository: Repository) -> None:
    old, repository.targets_key = repository.targets_key, CryptoSigner.generate_ed25519()
    repository.root.signed.version += 1
    repository.root.signed.revoke_key(old.public_key.keyid, "targets")
    repository.root.signed.add_key(repository.targets_key.public_key, "targets")
    repository.write_root(repository.root_keys[:2])
    repository.targets.signed.version += 1
    repository.write("targets", repository.targets, [repository.targets_key])


@in_network_namespace
def test_lists_go_on_with_new_keys_of_root_targets_and_hub_and_the_old_ones_are_refused(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    with fleet_of(tmp_path, repository.folder, repository.first_root) as fleet, running(fleet.place, "drop") as daemon:
        assert fleet.banned() == [OLD]

        old_root = repository.root_keys[0]
        repository.rotate_root()
        repository.publish({"drop": content(OLD, NEW)})
        assert fleet.refresh() == [OLD, NEW]
        assert daemon.wait_for("hub_root_changed")["version"] == 2
        root = repository.copy_of("root")
        root.signed.version += 1
        # The old key and one that counts are two signatures, of which one counts.
        refused_by(fleet, {"metadata/3.root.json": signed(root, [old_root, repository.root_keys[0]])}, "root")

        old_targets = repository.targets_key
        change_targets_key(repository)
        repository.publish({"drop": content(NEW)})
        assert fleet.refresh() == [NEW]
        refused_by(fleet, forged_targets(repository, old_targets), "targets")

        old_hub = repository.hubs["a"]
        repository.revoke("a", by="b")
        repository.publish({"drop": content(OLD)}, hub="b")
        assert fleet.refresh() == [OLD]
        ahead = repository.copy_of("timestamp")
        ahead.signed.version += 1000
        refused_by(fleet, {"metadata/timestamp.json": signed(ahead, [old_hub])}, "timestamp")

        repository.publish({"drop": content(OLD, NEW)}, hub="b")
        assert fleet.refresh() == [OLD, NEW]
        assert fleet.place.ask("fleet")["root_version"] == 4


@in_network_namespace
async def test_a_node_reports_on_with_a_new_key_and_the_old_one_counts_no_more(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        hub, node = hub_in(tmp_path / "hub", mosquitto, "quorum: 1"), node_in(tmp_path, mosquitto, "node-1")
        with running(hub, "reports") as gathers:
            await asyncio.to_thread(gathers.wait_for, "mqtt_connected")
            admit(hub, "node-1", "oslo")
            with running(node, through=with_credentials(node)):
                ban(node, "203.0.113.7")
                await until(lambda: listed(hub, "203.0.113.7"))
            again = hub.ctl("nodes", "admit", "node-1", "--site", "oslo", "--key", key_of("node-1-new"))
            assert again.returncode == 0, again.stderr
            async with listening_to(mosquitto) as thief:
                since, now = len(gathers.events), time.time()
                old = message_of(report(now, reported("203.0.113.66", now), name="node-1", boot=int(now) + 1000))
                await thief.client.publish(topic_of("node-1"), old, qos=1)
                refused = await asyncio.to_thread(gathers.wait_for, "report_refused", since=since)
                assert (refused["node"], refused["reason"]) == ("node-1", "wrong_key")
            (tmp_path / "node-1" / "credentials" / "node-key").write_bytes(key_file("node-1-new"))
            assert sightings(hub) == {"node-1": 0}
            with running(node, through=with_credentials(node)):
                # What is in force is reported again with the new key, at once.
                await until(lambda: sightings(hub) == {"node-1": 1})
                assert hub.ctl("refresh", "reports").returncode == 0
                assert listed(hub, "203.0.113.7")


@in_network_namespace
async def test_an_operator_goes_on_with_a_new_key_and_the_old_one_orders_nothing(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        place = configured(tmp_path, mosquitto.port)
        before = place.file.read_text()
        old = operator(place, tmp_path, "ban")
        new = str(tmp_path / "new.key")
        public = place.ctl("operator-key", new).stdout.strip()
        one = f'{{name: anna-2, key: "{public}", may: [ban]}}'

        async def order(key: str, address: str) -> str:
            done = await asyncio.to_thread(place.ctl, "order", "--key", key, "node-1", "ban", address)
            assert done.returncode == 0, done.stderr
            return done.stdout

        with running(place, "one") as daemon:
            await asyncio.to_thread(daemon.wait_for, "mqtt_connected")
            async with listening_to(mosquitto, f"{NODE}/answer") as heard:

                async def answer_to(key: str, address: str) -> Any:
                    await heard.client.publish(ORDER, await order(key, address), qos=1)
                    return json.loads(await heard.until(f"{NODE}/answer"))

                async def reload(text: str) -> None:
                    since = len(daemon.events)
                    place.file.write_text(text)
                    daemon.reload()
                    await asyncio.to_thread(daemon.wait_for, "config_reloaded", since=since)

                assert (await answer_to(old, "203.0.113.1"))["ok"]
                await reload(place.file.read_text().replace("operators: [", f"operators: [{one}, "))
                for key, address in ((old, "203.0.113.2"), (new, "203.0.113.3")):
                    assert (await answer_to(key, address))["ok"]
                await reload(f"{before}  operators: [{one}]\n")
                assert (await answer_to(old, "203.0.113.4"))["error"]["kind"] == "wrong_key"
                assert (await answer_to(new, "203.0.113.5"))["ok"]
            banned = {row["address"] for row in place.ask("bans")}
            assert banned == {f"203.0.113.{number}" for number in (1, 2, 3, 5)}
            # Over one connection.
            assert [event["event"] for event in daemon.events if event["event"].startswith("mqtt_")] == ["mqtt_connected"]


# paho leaves the socket of a failed handshake to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@in_network_namespace
async def test_a_node_goes_on_with_a_new_certificate_and_who_has_the_old_one_is_put_out(tmp_path: Path) -> None:
    with shipped_broker(tmp_path, FLEET) as shipped:
        place, authority = Installation(tmp_path), shipped.authority
        (tmp_path / "credentials").mkdir()

        def renew() -> Path:
            """A new certificate in place of the one before, of which the thief has a copy."""
            path = authority.folder / "node-1.pem"
            if path.exists():
                for end in ("", ".crt"):
                    shutil.copy(f"{path}{end}", authority.folder / f"stolen.pem{end}")
            shutil.copy(authority.signed("node-1"), tmp_path / "credentials" / "mqtt-key")
            return path

        certificate, stolen = renew(), authority.folder / "stolen.pem"
        place.configure()
        tls = f'{{ca: {authority.path}, certificate: {certificate}, key: "${{credential:mqtt-key}}"}}'
        lines = (
            "backend: memory",
            f"mqtt: {{broker: '{shipped.url}', id: node-1, tls: {tls}}}",
            f"fleet: {{name: {FLEET}}}",
            "",
        )
        place.file.write_text(place.file.read_text() + "\n".join(lines))
        status = f"{ROOT}/node/node-1/status"
        renew()
        async with shipped.client("monitoring", status) as monitoring, shipped.client_with(stolen) as thief:
            authority.withdraw(stolen)
            shipped.reload()
            # A connection that is there stays: mosquitto asks for certificates at its beginning only.
            await thief.client.publish(status, b"stolen", qos=1)
            await monitoring.until(status, b"stolen")
            with running(place, through=with_credentials(place)) as daemon:
                await asyncio.to_thread(daemon.wait_for, "mqtt_connected")
                await monitoring.until(status, b"online")
                # The node has the same CN, which is the client id: the other connection is ended.
                with pytest.raises(aiomqtt.MqttError):
                    await thief.until("a topic that the thief hears nothing of")
                with pytest.raises(aiomqtt.MqttError):
                    async with shipped.client_with(stolen, seconds=2):
                        raise AssertionError("this certificate is withdrawn")
                # The next certificate is read at the next connection.
                renew()
                authority.withdraw(stolen)
                shipped.reload()
                since = len(daemon.events)
                shipped.mosquitto.stop()
                shipped.mosquitto.start()
                await asyncio.to_thread(daemon.wait_for, "mqtt_connected", since=since)
                with pytest.raises(aiomqtt.MqttError):
                    async with shipped.client_with(stolen, seconds=2):
                        raise AssertionError("this certificate is withdrawn")
