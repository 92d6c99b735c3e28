"""The real daemon and a real broker: status, state, events, the description for Home Assistant, buttons and signed orders."""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.mosquitto import Heard, broker, listening_to
from support.network_namespace import in_network_namespace
from support.operators import BERT
from system.daemon_process import Installation, running

ROOT = "banlistd/v1/home"
NODE = f"{ROOT}/node/node-1"
ORDER = f"{ROOT}/order/node-1"
DEVICE = "homeassistant/device/banlistd-node-1/config"
BIRTH = "homeassistant/status"


def configured(folder: Path, port: int, *lines: str) -> Installation:
    place = Installation(folder)
    (folder / "list.txt").write_text("192.0.2.1\n")
    place.configure(f"id: one, path: {folder / 'list.txt'}")
    more = ["mqtt:", f"  broker: mqtt://127.0.0.1:{port}", "  id: node-1", *(f"  {line}" for line in lines)]
    place.file.write_text(place.file.read_text() + "\n".join([*more, ""]))
    return place


async def published(heard: Heard, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
    await heard.client.publish(topic, payload, qos=1, retain=retain)


def operator(place: Installation, folder: Path, *may: str) -> str:
    """An operator with a key of its own, in the configuration; the file of the private key."""
    path = str(folder / "anna.key")
    key = place.ctl("operator-key", path).stdout.strip()
    line = f'  operators: [{{name: anna, key: "{key}", may: [{", ".join(may)}]}}]\n'
    place.file.write_text(place.file.read_text() + line)
    return path


@in_network_namespace
async def test_an_operator_bans_over_the_broker_once_and_nobody_else_does(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        place = configured(tmp_path, mosquitto.port)
        key = operator(place, tmp_path, "ban", "unban", "refresh")

        def signed(*words: str) -> str:
            done = place.ctl("order", "--key", key, "node-1", *words)
            assert done.returncode == 0, done.stderr
            return done.stdout

        ban = await asyncio.to_thread(signed, "ban", "203.0.113.7", "--for", "10m", "--valid", "300")
        async with listening_to(mosquitto, f"{NODE}/answer") as heard:

            async def answer_to(order: str | bytes) -> Any:
                await published(heard, ORDER, order)
                return json.loads(await heard.until(f"{NODE}/answer"))

            with running(place, "one") as daemon:
                await asyncio.to_thread(daemon.wait_for, "mqtt_connected")
                done = await answer_to(ban)
                assert (done["ok"], done["document"]["origin"]) == (True, "mqtt/anna")
                (row,) = place.ask("bans")
                assert (row["address"], row["origin"]) == ("203.0.113.7", "mqtt/anna")
                given = await asyncio.to_thread(daemon.wait_for, "order_given")
                assert (given["order"], given["operator"]) == ("ban 203.0.113.7", "anna")
                assert (await answer_to(ban))["error"]["kind"] == "replayed"
                done = await answer_to(await asyncio.to_thread(signed, "refresh", "one"))
                assert [(row["id"], row["outcome"]) for row in done["document"]] == [("one", "skipped")]
                assert (await answer_to(await asyncio.to_thread(signed, "unban", "203.0.113.7")))["ok"]
                assert await asyncio.to_thread(daemon.terminate) == 0
            with running(place) as daemon:
                await asyncio.to_thread(daemon.wait_for, "mqtt_connected")
                assert (await answer_to(ban))["error"]["kind"] == "replayed"
                wrong = BERT.order(asyncio.get_running_loop().time(), "ban", {"address": "203.0.113.8"}, to="node-1")
                assert (await answer_to(wrong))["error"]["kind"] == "wrong_key"
                beyond = await asyncio.to_thread(signed, "approve", "one", "--hash", "0" * 64)
                assert (await answer_to(beyond))["error"]["kind"] == "not_allowed"
                other = await asyncio.to_thread(place.ctl, "order", "--key", key, "node-2", "ban", "203.0.113.8")
                assert (await answer_to(other.stdout))["error"]["kind"] == "wrong_recipient"
                late = await asyncio.to_thread(signed, "ban", "203.0.113.8", "--valid", "1")
                await asyncio.sleep(2)
                assert (await answer_to(late))["error"]["kind"] == "late"
                since = len(daemon.events)
                await published(heard, ORDER, "PRESS")
                refused = await asyncio.to_thread(daemon.wait_for, "order_refused", since=since)
                assert refused["reason"] == "malformed"
                assert place.ask("bans") == []
                await published(
                    heard, ORDER, await asyncio.to_thread(signed, "ban", "203.0.113.9", "--valid", "300"), retain=True
                )
                await heard.until(f"{NODE}/answer")
            # What the broker keeps comes again at every connect; a subscriber that is there already gets it as any other.
            with running(place) as daemon:
                refused = await asyncio.to_thread(daemon.wait_for, "order_refused")
                assert refused["reason"] == "retained"


@in_network_namespace
async def test_home_assistant_finds_the_device_and_finds_it_again_after_its_start(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        place = configured(tmp_path, mosquitto.port, "home_assistant: yes", "presses: [refresh]", "events: [blocklist_*]")
        with running(place, "one") as daemon:
            await asyncio.to_thread(daemon.wait_for, "mqtt_connected")
            async with listening_to(mosquitto, "#") as heard:
                # Retained: who comes later gets them.
                device = json.loads(await heard.until(DEVICE))
                assert (device["avty_t"], device["stat_t"]) == (f"{NODE}/status", f"{NODE}/state")
                button = device["cmps"]["refresh"]
                await published(heard, BIRTH, "online")
                assert json.loads(await heard.until(DEVICE)) == device
                await published(heard, button["cmd_t"], button["pl_prs"])
                event = json.loads(await heard.until(f"{NODE}/event"))
                assert event.keys() == {"v", "name", "message", "at", "fields"}
                assert (event["v"], event["fields"]["SOURCE_ID"]) == (1, "one")
                await published(heard, f"{NODE}/status", "offline", retain=True)
                await heard.until(f"{NODE}/status", b"online")
            async with listening_to(mosquitto, f"{NODE}/state", f"{NODE}/status") as heard:
                # The first one may be older than the import.
                while (state := json.loads(await heard.until(f"{NODE}/state")))["bans"] == 0:
                    continue
                assert (state["v"], state["sources"], state["bans"], state["failing"], state["lost"]) == (1, 1, 1, [], 0)
                assert await asyncio.to_thread(daemon.terminate) == 0
                await heard.until(f"{NODE}/status", b"offline")


@in_network_namespace
async def test_a_broker_that_goes_and_comes_stops_no_import(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        place = configured(tmp_path, mosquitto.port)
        with running(place, "one") as daemon:
            await asyncio.to_thread(daemon.wait_for, "mqtt_connected")
            mosquitto.stop()
            await asyncio.to_thread(daemon.wait_for, "mqtt_lost")
            (tmp_path / "list.txt").write_text("192.0.2.1\n192.0.2.2\n")
            assert place.ctl("refresh").returncode == 0
            assert place.ask("status")["bans"] == 2
            since = len(daemon.events)
            mosquitto.start()
            await asyncio.to_thread(daemon.wait_for, "mqtt_connected", since=since)
            async with listening_to(mosquitto, f"{NODE}/status") as heard:
                await heard.until(f"{NODE}/status", b"online")
            assert await asyncio.to_thread(daemon.terminate) == 0
            assert daemon.words == []


def test_without_a_broker_nothing_of_the_library_is_in_memory() -> None:
    modules = "import sys, banlistd.cli; print([name for name in sys.modules if name.partition('.')[0] in ('aiomqtt', 'paho')])"
    done = subprocess.run([sys.executable, "-c", modules], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"


@in_network_namespace
async def test_status_and_health_say_how_the_connection_is(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        place = configured(tmp_path, mosquitto.port)
        with running(place, "one") as daemon:
            await asyncio.to_thread(daemon.wait_for, "mqtt_connected")
            row = place.ask("status")["mqtt"]
            assert (row["broker"], row["connected"]) == (f"mqtt://127.0.0.1:{mosquitto.port}", True)
            assert (row["reason"], row["lost"]) == ("", 0)
            mosquitto.stop()
            await asyncio.to_thread(daemon.wait_for, "mqtt_lost")
            assert "mqtt         not connected since" in place.ctl("status").stdout
            assert not place.ask("health")["mqtt"]["connected"]


@in_network_namespace
def test_a_server_that_says_nothing_delays_no_import_and_no_stop(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        place = configured(tmp_path, silent.getsockname()[1])
        with running(place, "one") as daemon, silent.accept()[0]:
            assert place.ask("status")["bans"] == 1
            assert daemon.terminate() == 0
            assert not any(event["event"] == "mqtt_connected" for event in daemon.events)
