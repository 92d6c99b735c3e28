"""What a thief can do with the broker of a fleet, and with one of its nodes: real programs, real mosquitto."""

import asyncio
import json
import shutil
import time
from pathlib import Path
from typing import Any

from support.fleet_repository import Repository
from support.mosquitto import broker, listening_to
from support.network_namespace import in_network_namespace
from support.operators import BERT
from support.reporters import FLEET, message_of, report, reported, signer
from support.shipped_broker import ShippedBroker, shipped_broker
from system.daemon_process import Installation, running
from system.fleet.reporting import (
    PUBLISHES,
    ROOT,
    admit,
    ban,
    bans_of,
    hub_in,
    key_file,
    listed,
    next_import,
    sightings,
    topic_of,
    with_credentials,
)
from system.fleet.test_fleet_reports import until
from system.test_fleet_trust import OLD, content, fleet_of
from system.test_mqtt import operator

NODE = f"{ROOT}/node/node-1"
ORDER, BELL = f"{ROOT}/order/node-1", f"{ROOT}/bell"
BELL_REST = 10.0


@in_network_namespace
async def test_a_stolen_broker_changes_no_ban_and_no_list_and_rings_in_vain(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    repository.publish({"drop": content(OLD)})
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "node-key").write_bytes(key_file("node-1"))
    more = ', spread: 0s, report: [fail2ban/*], node_key: "${credential:node-key}"'
    # The thief has the broker: every topic may be written and read.
    with (
        broker(tmp_path) as mosquitto,
        fleet_of(tmp_path, repository.folder, repository.first_root, more=more) as fleet,
    ):
        hub, place, (mirror,) = hub_in(tmp_path / "hub", mosquitto, "quorum: 1"), fleet.place, fleet.mirrors
        lines = ("mqtt:", f"  broker: mqtt://127.0.0.1:{mosquitto.port}", "  id: node-1", "")
        place.file.write_text(place.file.read_text() + "\n".join(lines))
        key = operator(place, tmp_path, "ban", "unban")

        async def signed(*words: str) -> str:
            done = await asyncio.to_thread(place.ctl, "order", "--key", key, "--fleet", FLEET, "node-1", *words)
            assert done.returncode == 0, done.stderr
            return done.stdout

        with running(hub, "reports") as gathers, running(place, "drop", through=with_credentials(place)) as daemon:
            for one in (gathers, daemon):
                await asyncio.to_thread(one.wait_for, "mqtt_connected")
            admit(hub, "node-1", "oslo")
            async with listening_to(mosquitto, topic_of("node-1"), f"{NODE}/answer") as thief:

                async def answer_to(order: str | bytes) -> Any:
                    await thief.client.publish(ORDER, order, qos=1)
                    return json.loads(await thief.until(f"{NODE}/answer"))

                # What is real, and what the thief keeps of it.
                kept = await signed("ban", "203.0.113.9", "--for", "10m", "--valid", "300")
                assert (await answer_to(kept))["ok"]
                assert (await answer_to(await signed("unban", "203.0.113.9")))["ok"]
                since = len(gathers.events)
                await asyncio.to_thread(ban, place, "203.0.113.7")
                old_report = await thief.until(topic_of("node-1"))
                await asyncio.to_thread(next_import, gathers, since)
                banned, known = fleet.banned(), sightings(hub)
                assert (known, bans_of(hub)) == ({"node-1": 1}, 1)

                # Orders: an old one again, and one by a key of the thief.
                assert (await answer_to(kept))["error"]["kind"] == "replayed"
                forged = BERT.order(time.time(), "ban", {"address": "203.0.113.66"}, to="node-1", fleet=FLEET)
                assert (await answer_to(forged))["error"]["kind"] == "wrong_key"
                await thief.client.publish(f"{ROOT}/press/node-1/refresh", b"PRESS", qos=1)

                # Reports: an old one again, and one by a key of the thief.
                by_thief = message_of(report(time.time(), reported("203.0.113.66", time.time())), signer("thief"))
                for octets, reason in ((old_report, "replayed"), (by_thief, "wrong_key")):
                    since = len(gathers.events)
                    await thief.client.publish(topic_of("node-1"), octets, qos=1)
                    refused = await asyncio.to_thread(gathers.wait_for, "report_refused", since=since)
                    assert (refused["node"], refused["reason"]) == ("node-1", reason)

                # The bell, as often as the thief likes.
                before, began = mirror.asked.count("metadata/timestamp.json"), time.monotonic()
                for part in range(2):
                    since = len(daemon.events)
                    for number in range(200):
                        bell = json.dumps({"signed": {"version": 1000 * part + number + 100}})
                        await thief.client.publish(BELL, bell, qos=1)
                    if part == 0:
                        await asyncio.to_thread(daemon.wait_for, "blocklist_import_skipped", "drop", since=since)
                # This one is read after all the bells.
                assert (await answer_to(forged))["error"]["kind"] == "wrong_key"
                polls, seconds = mirror.asked.count("metadata/timestamp.json") - before, time.monotonic() - began
                assert 1 <= polls <= 1 + seconds / BELL_REST
            assert (fleet.banned(), sightings(hub), bans_of(hub)) == (banned, known, 1)
            assert [row["address"] for row in place.ask("bans")] == ["203.0.113.7"]


@in_network_namespace
async def test_reports_that_a_stolen_broker_keeps_back_keep_no_ban_of_suspended_nodes_in_force(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        hub, names = hub_in(tmp_path / "hub", mosquitto), ("node-1", "node-2")
        with running(hub, "reports") as gathers:
            await asyncio.to_thread(gathers.wait_for, "mqtt_connected")
            for name in names:
                admit(hub, name, name)
            async with listening_to(mosquitto, BELL) as thief:

                async def give(name: str, at: float, seq: int) -> None:
                    made = report(at, reported("203.0.113.7", at), name=name, seq=seq)
                    await thief.client.publish(topic_of(name), message_of(made), qos=1)

                now = time.time()
                for name in names:
                    await give(name, now, 1)
                await until(lambda: bans_of(hub) == 1)
                for name in names:
                    since = len(gathers.events)
                    await give(name, now - 7200, 2)
                    refused = await asyncio.to_thread(gathers.wait_for, "report_refused", since=since)
                    assert (refused["node"], refused["reason"]) == (name, "late")
            for name in names:
                assert hub.ctl("nodes", "suspend", name).returncode == 0
            assert bans_of(hub) == 0


@in_network_namespace
async def test_a_stolen_node_has_one_vote_until_it_is_suspended_and_cannot_write_as_another(tmp_path: Path) -> None:
    with shipped_broker(tmp_path, FLEET) as shipped:
        hub = hub_behind_tls(tmp_path / "hub", shipped)
        with running(hub, "reports", through=with_credentials(hub)) as gathers:
            await asyncio.to_thread(gathers.wait_for, "mqtt_connected")
            for name, site in (("node-1", "oslo"), ("node-2", "bergen"), ("node-3", "oslo")):
                admit(hub, name, site)
            now = time.time()
            first, second = reported("203.0.113.7", now), reported("203.0.113.8", now)

            def of(name: str, seq: int = 1) -> bytes:
                return message_of(report(now, first, second, name=name, seq=seq))

            async with (
                shipped.client("monitoring", f"{ROOT}/node/+/report", f"{ROOT}/order/+", BELL) as monitoring,
                # Who has stolen node-1 has its certificate and its key.
                shipped.client("node-1") as thief,
                shipped.client("node-2") as honest,
                shipped.client("node-3") as neighbour,
            ):
                # As another: the broker passes nothing on, and the signature would not count either.
                as_other = message_of(report(now, first, name="node-2"), signer("node-1"))
                for topic in (topic_of("node-2"), topic_of("node-3"), f"{ROOT}/order/node-2", BELL):
                    await thief.client.publish(topic, as_other, qos=1)
                await thief.client.publish(topic_of("node-1"), of("node-1"), qos=1)
                # Messages of one client keep their order: what came before this one was refused.
                assert await monitoring.until(topic_of("node-1")) == of("node-1")
                assert [topic for topic, _ in monitoring.messages] == [topic_of("node-1")]
                await until(lambda: sightings(hub)["node-1"] == 2)
                for octets, reason in ((as_other, "wrong_node"), (of("node-2"), "wrong_key")):
                    since = len(gathers.events)
                    await thief.client.publish(topic_of("node-1"), octets, qos=1)
                    refused = await asyncio.to_thread(gathers.wait_for, "report_refused", since=since)
                    assert (refused["node"], refused["reason"]) == ("node-1", reason)
                # One vote of one site, also together with another node of that site.
                await neighbour.client.publish(topic_of("node-3"), of("node-3"), qos=1)
                await until(lambda: sightings(hub)["node-3"] == 2)
                assert bans_of(hub) == 0
                assert hub.ctl("nodes", "forget", "node-3").returncode == 0
                since = len(gathers.events)
                await honest.client.publish(topic_of("node-2"), message_of(report(now, first, name="node-2")), qos=1)
                await asyncio.to_thread(next_import, gathers, since)
                assert (listed(hub, "203.0.113.7"), listed(hub, "203.0.113.8")) == (True, False)
                # Suspended: its sightings are gone with the answer of the command.
                assert hub.ctl("nodes", "suspend", "node-1").returncode == 0
                assert (bans_of(hub), sightings(hub)) == (0, {"node-1": 0, "node-2": 1})
                since = len(gathers.events)
                await thief.client.publish(topic_of("node-1"), of("node-1", seq=2), qos=1)
                assert (await asyncio.to_thread(gathers.wait_for, "report_refused", since=since))["reason"] == "suspended"
                assert sightings(hub)["node-1"] == 0


def hub_behind_tls(folder: Path, shipped: ShippedBroker) -> Installation:
    """It lists what two sites have reported, and bans in memory."""
    (folder / "credentials").mkdir(parents=True)
    certificate = shipped.authority.signed("hub")
    shutil.copy(certificate, folder / "credentials" / "mqtt-key")
    place = Installation(folder)
    place.configure("id: reports, reports: {quorum: 2, window: 1h}")
    tls = f'{{ca: {shipped.authority.path}, certificate: {certificate}, key: "${{credential:mqtt-key}}"}}'
    fleet = f"fleet: {{name: {FLEET}, {PUBLISHES}}}"
    lines = ("backend: memory", f"mqtt: {{broker: '{shipped.url}', id: hub, tls: {tls}}}", fleet, "")
    place.file.write_text(place.file.read_text() + "\n".join(lines))
    return place
