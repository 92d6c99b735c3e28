"""The real daemon and brokers that go, stop, are slow, are replaced by a reload, or belong to somebody else."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from support.mosquitto import Heard, Mosquitto, broker, free_port, listening_to
from support.network_namespace import in_network_namespace
from system.daemon_process import Daemon, Installation, running

NODE = "banlistd/v1/home/node/node-1"
ORDER = "banlistd/v1/home/order/node-1"


def write(place: Installation, *lines: str) -> None:
    """The configuration with one list, and these lines below `mqtt:`; none: without it."""
    place.configure(f"id: one, path: {place.config / 'list.txt'}")
    more = ["mqtt:", "  id: node-1", *(f"  {line}" for line in lines), ""] if lines else []
    place.file.write_text(place.file.read_text() + "\n".join(more))


def installed(folder: Path, *lines: str) -> Installation:
    place = Installation(folder)
    (place.config / "list.txt").write_text("192.0.2.1\n")
    write(place, *lines)
    return place


def at(port: int) -> str:
    return f"broker: mqtt://127.0.0.1:{port}"


async def seen(daemon: Daemon, event: str, since: int = 0) -> dict[str, Any]:
    return await asyncio.to_thread(daemon.wait_for, event, since=since)


async def reloaded(place: Installation) -> None:
    done = await asyncio.to_thread(place.ctl, "reload")
    assert done.returncode == 0, done.stderr


async def refreshed(place: Installation, *addresses: str) -> None:
    """A new list is in the firewall, whatever the broker does."""
    (place.config / "list.txt").write_text("".join(f"{address}\n" for address in addresses))
    done = await asyncio.to_thread(place.ctl, "refresh")
    assert done.returncode == 0, done.stderr
    assert (await asyncio.to_thread(place.ask, "status"))["bans"] == len(addresses)


@in_network_namespace
async def test_imports_go_on_while_the_broker_is_stopped_or_killed_and_it_is_used_again_afterwards(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        assert mosquitto.process is not None
        place = installed(tmp_path, at(mosquitto.port), "events: ['*']")
        with running(place, "one") as daemon:
            await seen(daemon, "mqtt_connected")
            os.kill(mosquitto.process.pid, signal.SIGSTOP)
            await refreshed(place, "192.0.2.1", "192.0.2.2")
            mosquitto.stop()
            await seen(daemon, "mqtt_lost")
            await refreshed(place, "192.0.2.1", "192.0.2.2", "192.0.2.3")
            since = len(daemon.events)
            mosquitto.start()
            await seen(daemon, "mqtt_connected", since)
            async with listening_to(mosquitto, f"{NODE}/state") as heard:
                assert json.loads(await heard.until(f"{NODE}/state"))["bans"] == 3
            assert daemon.words == []


@asynccontextmanager
async def slow(port: int, seconds: float) -> AsyncIterator[int]:
    """The port of a way to that port on which all that the server says comes so much later."""

    async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float) -> None:
        with suppress(OSError):
            while octets := await reader.read(4096):
                await asyncio.sleep(pause)
                writer.write(octets)
                await writer.drain()
        writer.close()

    ways: set[asyncio.Task[None]] = set()

    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copied(reader, far_writer, 0.0), copied(far_reader, writer, seconds))
        for one in (far_writer, writer):
            with suppress(OSError):
                await one.wait_closed()

    server = await asyncio.start_server(
        lambda reader, writer: ways.add(asyncio.ensure_future(both(reader, writer))), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*ways)  # the client has ended: what is under way is the rest of a pause


@in_network_namespace
async def test_a_slow_broker_delays_no_import(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        async with slow(mosquitto.port, 0.5) as port:
            place = installed(tmp_path, at(port), "events: ['*']")
            with running(place, "one") as daemon:
                await refreshed(place, "192.0.2.1", "192.0.2.2")
                await seen(daemon, "mqtt_connected")
                await refreshed(place, "192.0.2.1")
                assert await asyncio.to_thread(daemon.terminate) == 0


def keyed(place: Installation, folder: Path, name: str) -> tuple[str, Callable[..., str]]:
    """The public key of a new operator, and what signs orders with its private half."""
    path = str(folder / f"{name}.key")
    public = place.ctl("operator-key", path).stdout.strip()

    def signed(*words: str, to: str = "node-1") -> str:
        done = place.ctl("order", "--key", path, to, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return public, signed


def allowed(name: str, key: str, *may: str) -> str:
    return f'operators: [{{name: {name}, key: "{key}", may: [{", ".join(may)}]}}]'


async def answered(heard: Heard, order: str) -> Any:
    """The answer to an order: its document, or the kind of its error."""
    await heard.client.publish(ORDER, order, qos=1)
    answer = json.loads(await heard.until(f"{NODE}/answer"))
    return answer["document"] if answer["ok"] else answer["error"]["kind"]


@in_network_namespace
async def test_a_reload_changes_operators_over_the_connection_that_is_there(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        place = installed(tmp_path, at(mosquitto.port))
        key, signed = keyed(place, tmp_path, "anna")
        with running(place, "one") as daemon:
            await seen(daemon, "mqtt_connected")
            async with listening_to(mosquitto, f"{NODE}/answer", f"{NODE}/event", "homeassistant/#") as heard:
                assert await answered(heard, signed("ban", "203.0.113.1")) == "wrong_key"
                write(
                    place, at(mosquitto.port), allowed("anna", key, "ban"), "events: [config_reloaded]", "home_assistant: yes"
                )
                await reloaded(place)
                await heard.until("homeassistant/device/banlistd-node-1/config")
                assert json.loads(await heard.until(f"{NODE}/event"))["name"] == "config_reloaded"
                assert (await answered(heard, signed("ban", "203.0.113.1")))["origin"] == "mqtt/anna"
                assert await answered(heard, signed("unban", "203.0.113.1")) == "not_allowed"
                write(place, at(mosquitto.port), allowed("anna", key, "unban"))
                await reloaded(place)
                assert await heard.until("homeassistant/device/banlistd-node-1/config") == b""
                assert await answered(heard, signed("ban", "203.0.113.2")) == "not_allowed"
            connections = [event for event in daemon.events if event["event"].startswith("mqtt_")]
            assert [event["event"] for event in connections] == ["mqtt_connected"]


def second(folder: Path) -> Mosquitto:
    """A broker that does not run yet."""
    (folder / "second").mkdir()
    return Mosquitto(folder / "second", free_port())


@in_network_namespace
async def test_a_reload_connects_to_another_broker_before_it_leaves_the_one_before(tmp_path: Path) -> None:
    other = second(tmp_path)
    with broker(tmp_path) as mosquitto:
        place = installed(tmp_path, at(mosquitto.port))
        key, signed = keyed(place, tmp_path, "anna")
        with running(place, "one") as daemon:
            await seen(daemon, "mqtt_connected")
            try:
                async with listening_to(mosquitto, f"{NODE}/answer", f"{NODE}/status") as heard:
                    await heard.until(f"{NODE}/status", b"online")
                    write(place, at(other.port), allowed("anna", key, "ban"))
                    await reloaded(place)
                    lost = await seen(daemon, "mqtt_lost")
                    assert str(other.port) in lost["message"]
                    row = place.ask("status")["mqtt"]
                    assert (row["broker"], row["connected"]) == (f"mqtt://127.0.0.1:{mosquitto.port}", True)
                    assert str(other.port) in row["reason"]
                    # What the reload allows or forbids counts over the old connection, too.
                    assert (await answered(heard, signed("ban", "203.0.113.1")))["origin"] == "mqtt/anna"
                    since = len(daemon.events)
                    other.start()
                    await seen(daemon, "mqtt_connected", since)
                    await heard.until(f"{NODE}/status", b"offline")
                async with listening_to(other, f"{NODE}/status") as heard:
                    await heard.until(f"{NODE}/status", b"online")
                row = place.ask("status")["mqtt"]
                assert (row["broker"], row["connected"], row["reason"]) == (f"mqtt://127.0.0.1:{other.port}", True, "")
                write(place)
                await reloaded(place)
                async with listening_to(other, f"{NODE}/status") as heard:
                    await heard.until(f"{NODE}/status", b"offline")
                assert place.ask("status")["mqtt"]["broker"] == ""
                since = len(daemon.events)
                write(place, at(mosquitto.port))
                await reloaded(place)
                await seen(daemon, "mqtt_connected", since)
                assert (daemon.find("service_fault", "service_stopped") if daemon.terminate() else None) is None
            finally:
                other.stop()


@in_network_namespace
async def test_whoever_has_the_broker_can_ban_nothing(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        place = installed(tmp_path, at(mosquitto.port))
        key, signed = keyed(place, tmp_path, "anna")
        _, forged = keyed(place, tmp_path, "eve")
        write(place, at(mosquitto.port), allowed("anna", key, "ban", "unban"))
        once = signed("ban", "203.0.113.1")
        with running(place, "one") as daemon:
            await seen(daemon, "mqtt_connected")
            async with listening_to(mosquitto, f"{NODE}/answer", f"{NODE}/status") as heard:
                assert (await answered(heard, once))["origin"] == "mqtt/anna"
                await answered(heard, signed("unban", "203.0.113.1"))
                assert await answered(heard, once) == "replayed"
                assert await answered(heard, signed("ban", "203.0.113.2", to="node-2")) == "wrong_recipient"
                assert await answered(heard, forged("ban", "203.0.113.3")) == "wrong_key"
                assert await answered(heard, signed("refresh", "one")) == "not_allowed"
                envelope = json.loads(forged("ban", "203.0.113.4"))
                envelope["signatures"][0]["keyid"] = json.loads(once)["signatures"][0]["keyid"]
                assert await answered(heard, json.dumps(envelope)) == "wrong_key"
                await heard.client.publish("banlistd/v1/home/press/node-1/refresh", "PRESS", qos=1)
                await heard.client.publish(f"{NODE}/status", "offline", qos=1, retain=True)
                await heard.until(f"{NODE}/status", b"online")
                since = len(daemon.events)
                await heard.client.publish(ORDER, b"\xff" * 60_000, qos=1)
                assert (await seen(daemon, "order_refused", since))["reason"] == "too_large"
                assert place.ask("bans") == []
                assert place.ask("status")["bans"] == 1
                given = [event["order"] for event in daemon.events if event["event"] == "order_given"]
                assert given == ["ban 203.0.113.1", "unban 203.0.113.1"]


@in_network_namespace
async def test_the_topics_of_a_host_in_a_fleet_have_its_name(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        place = installed(tmp_path, at(mosquitto.port))
        key, signed = keyed(place, tmp_path, "anna")
        write(place, at(mosquitto.port), allowed("anna", key, "ban"))
        place.file.write_text(place.file.read_text() + "fleet: {name: main}\n")
        root, answers = "banlistd/v1/main", "banlistd/v1/main/node/node-1/answer"
        with running(place) as daemon:
            await seen(daemon, "mqtt_connected")
            async with listening_to(mosquitto, f"{root}/node/node-1/#") as heard:
                for order in (signed("ban", "203.0.113.1"), signed("ban", "203.0.113.2", "--fleet", "main")):
                    await heard.client.publish(f"{root}/order/node-1", order, qos=1)
                assert json.loads(await heard.until(answers))["error"]["kind"] == "wrong_recipient"
                assert json.loads(await heard.until(answers))["document"]["address"] == "203.0.113.2"


def descriptors_of(daemon: Daemon) -> int:
    return len([*Path(f"/proc/{daemon.process.pid}/fd").iterdir()])


@in_network_namespace
async def test_a_broker_that_is_gone_for_good_costs_nothing_but_attempts(tmp_path: Path) -> None:
    attempts = asyncio.Queue[None]()

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        attempts.put_nowait(None)

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    place = installed(tmp_path, at(server.sockets[0].getsockname()[1]), "events: ['*']")
    with running(place, "one") as daemon:
        await seen(daemon, "mqtt_lost")
        before = descriptors_of(daemon)
        async with asyncio.timeout(60):
            for _ in range(2):
                await attempts.get()
        await refreshed(place, "192.0.2.1", "192.0.2.2")
        assert descriptors_of(daemon) <= before + 1  # an attempt may be under way
        assert [event["event"] for event in daemon.events if event["event"].startswith("mqtt_")] == ["mqtt_lost"]
    server.close()


def resident(daemon: Daemon) -> float:
    """Of memory that is the daemon's own, in MB."""
    lines = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    (octets,) = [int(line.split()[1]) for line in lines if line.startswith("RssAnon:")]
    return octets / 1024


@in_network_namespace
async def test_mqtt_and_metrics_cost_few_megabytes(tmp_path: Path) -> None:
    with broker(tmp_path) as mosquitto:
        place = installed(tmp_path)
        with running(place, "one") as daemon:
            assert place.ask("health")["live"]
            before = resident(daemon)
        write(place, at(mosquitto.port), "events: ['*']", "home_assistant: yes")
        port = free_port()
        place.file.write_text(place.file.read_text() + f"metrics: {{listen: '127.0.0.1:{port}'}}\n")
        with running(place) as daemon:
            await seen(daemon, "mqtt_connected")
            await refreshed(place, "192.0.2.1", "192.0.2.2")
            for _ in range(20):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
                writer.close()
            # Measured: 4 MB, of which TLS, asyncio and the client of MQTT are most.
            assert resident(daemon) - before <= 8
