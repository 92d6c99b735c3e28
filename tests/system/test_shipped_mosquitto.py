"""The configuration of mosquitto that is shipped, with certificates made by openssl: no host writes or reads as another one."""

import asyncio
import json
import shutil
from pathlib import Path

import aiomqtt
import pytest

from support.certificates import Authority
from support.network_namespace import in_network_namespace
from support.shipped_broker import ShippedBroker, shipped_broker
from system.daemon_process import Installation, running

ROOT = "banlistd/v1/home"
STATE = f"{ROOT}/node/node-1/state"


@pytest.mark.parametrize("fleet", ["home", "main"])
def test_a_host_writes_only_as_itself_and_reads_nothing_of_others(tmp_path: Path, fleet: str) -> None:
    root, state = f"banlistd/v1/{fleet}", f"banlistd/v1/{fleet}/node/node-1/state"

    async def life(shipped: ShippedBroker) -> None:
        async with (
            shipped.client("monitoring", f"{root}/node/#") as monitoring,
            shipped.client("node-1") as victim,
            shipped.client("hub", f"{root}/node/+/report") as hub,
            # As the other host calls itself: the certificate counts.
            shipped.client("node-2", "#", f"{root}/#", f"{root}/node/+/state", id="node-1") as thief,
            shipped.client("anna") as anna,
        ):
            for topic in (
                state,
                f"{root}/node/node-1/status",
                f"{root}/order/node-1",
                "homeassistant/device/banlistd-node-1/config",
                f"{root}/node/node-1/report",
                f"{root}/bell",
            ):
                await thief.client.publish(topic, "stolen", qos=1, retain=True)
            await thief.client.publish(f"{root}/node/node-2/state", "mine", qos=1)
            # Messages of one client keep their order: what came before this one was refused.
            assert await monitoring.until(f"{root}/node/node-2/state") == b"mine"
            await victim.client.publish(state, "secret", qos=1, retain=True)
            assert await monitoring.until(state) == b"secret"
            assert [payload for _, payload in monitoring.messages] == [b"mine", b"secret"]
            await victim.client.publish(f"{root}/node/node-1/report", "bans", qos=1)
            await hub.until(f"{root}/node/node-1/report")
            assert [payload for _, payload in hub.messages] == [b"bans"]
            await anna.client.publish(f"{root}/order/node-1", "for node-1", qos=1)
            await anna.client.publish(f"{root}/bell", "not mine", qos=1)
            await hub.client.publish(f"{root}/bell", "lists", qos=1)
            await thief.until(f"{root}/bell")
            await anna.client.publish(f"{root}/order/node-2", "for node-2", qos=1)
            await thief.until(f"{root}/order/node-2")
            # A message comes once for each of the subscriptions.
            assert {*thief.messages} == {(f"{root}/bell", b"lists"), (f"{root}/order/node-2", b"for node-2")}

    with shipped_broker(tmp_path, fleet) as shipped:
        asyncio.run(life(shipped))


def test_an_operator_writes_orders_only_and_home_assistant_only_presses(tmp_path: Path) -> None:
    async def life(shipped: ShippedBroker) -> None:
        async with (
            shipped.client("node-1", f"{ROOT}/#") as host,
            shipped.client("anna", "#") as anna,
            shipped.client("home-assistant", f"{ROOT}/node/+/+") as assistant,
        ):
            await assistant.client.publish(f"{ROOT}/order/node-1", "not mine", qos=1)
            await assistant.client.publish(f"{ROOT}/press/node-1/ban", "not there", qos=1)
            await anna.client.publish(f"{ROOT}/press/node-1/refresh", "not mine", qos=1)
            await anna.client.publish(STATE, "not mine", qos=1)
            await anna.client.publish(f"{ROOT}/order/node-1", "order", qos=1)
            await host.until(f"{ROOT}/order/node-1", b"order")
            await assistant.client.publish(f"{ROOT}/press/node-1/refresh", "PRESS", qos=1)
            await host.until(f"{ROOT}/press/node-1/refresh", b"PRESS")
            assert [payload for _, payload in host.messages] == [b"order", b"PRESS"]
            await host.client.publish(STATE, "state", qos=1)
            await host.client.publish(f"{ROOT}/node/node-1/answer", "answer", qos=1)
            await host.client.publish(f"{ROOT}/node/node-1/status", "online", qos=1)
            await anna.until(f"{ROOT}/node/node-1/answer")
            await assistant.until(f"{ROOT}/node/node-1/status")
            assert [payload for _, payload in anna.messages] == [b"answer"]
            assert [payload for _, payload in assistant.messages] == [b"state", b"online"]

    with shipped_broker(tmp_path) as shipped:
        asyncio.run(life(shipped))


# paho leaves the socket of a failed handshake to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_without_a_certificate_of_the_authority_nobody_connects(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    foreign = Authority.made_in(tmp_path / "other").signed("node-1")

    async def attempt(shipped: ShippedBroker, certificate: Path | None) -> None:
        async with shipped.client_with(certificate, seconds=2):
            raise AssertionError("this client is unknown")

    with shipped_broker(tmp_path) as shipped:
        for certificate in (None, foreign):
            with pytest.raises(aiomqtt.MqttError):
                asyncio.run(attempt(shipped, certificate))


async def read_again(shipped: ShippedBroker, client: aiomqtt.Client, *validity: str) -> None:
    """The broker has read its files: it does so at the end of a turn, and answers a client in each."""
    shipped.reload(*validity)
    for turn in ("first", "second"):
        await client.subscribe(f"banlistd/v1/main/node/{turn}/answer")


# paho leaves the socket of a failed handshake to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_restart_of_the_broker_ends_the_connection_of_a_withdrawn_certificate(tmp_path: Path) -> None:
    async def life(shipped: ShippedBroker) -> None:
        stolen = shipped.authority.signed("node-1")
        async with shipped.client("anna") as anna, shipped.client_with(stolen) as thief:
            shipped.authority.withdraw(stolen)
            await read_again(shipped, anna.client)
            shipped.mosquitto.stop()
            shipped.mosquitto.start()
            with pytest.raises(aiomqtt.MqttError):
                await thief.until("nothing comes here")
            with pytest.raises(aiomqtt.MqttError):
                async with shipped.client_with(stolen, seconds=2):
                    raise AssertionError("this certificate is withdrawn")
            async with shipped.client("node-1"):
                pass

    with shipped_broker(tmp_path, "main") as shipped:
        asyncio.run(life(shipped))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_list_of_withdrawn_certificates_that_has_expired_lets_no_one_in(tmp_path: Path) -> None:
    async def life(shipped: ShippedBroker) -> None:
        good = shipped.authority.signed("node-1")
        async with shipped.client("anna") as anna:
            await read_again(shipped, anna.client, "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20210101000000Z")
            with pytest.raises(aiomqtt.MqttError):
                async with shipped.client_with(good, seconds=2):
                    raise AssertionError("nothing says what is withdrawn")
            await read_again(shipped, anna.client)
            async with shipped.client_with(good):
                pass

    with shipped_broker(tmp_path, "main") as shipped:
        asyncio.run(life(shipped))


def test_a_message_that_is_too_large_ends_the_connection_of_its_sender_alone(tmp_path: Path) -> None:
    async def life(shipped: ShippedBroker) -> None:
        async with shipped.client("monitoring", STATE) as monitoring, shipped.client("node-2") as other:
            async with shipped.client_with(shipped.authority.signed("node-1")) as host:
                await host.client.publish(STATE, "x" * 48 * 1024, qos=1)
                assert len(await monitoring.until(STATE)) == 48 * 1024
                with pytest.raises(aiomqtt.MqttError):
                    await host.client.publish(STATE, "x" * 65_536, qos=1, timeout=2)
            await other.client.publish(f"{ROOT}/node/node-2/state", "state", qos=1)
            assert [len(payload) for _, payload in monitoring.messages] == [48 * 1024]

    with shipped_broker(tmp_path) as shipped:
        asyncio.run(life(shipped))


@in_network_namespace
async def test_the_daemon_works_with_that_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Installation(tmp_path)
    place.configure()
    with shipped_broker(tmp_path) as shipped:
        certificate = shipped.authority.signed("node-1")
        credentials = tmp_path / "credentials"
        credentials.mkdir()
        shutil.copy(certificate, credentials / "mqtt-key")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
        key = place.ctl("operator-key", str(tmp_path / "anna.key")).stdout.strip()
        lines = [
            "mqtt:",
            f"  broker: {shipped.url}",
            "  id: node-1",
            "  home_assistant: yes",
            f'  tls: {{ca: {shipped.authority.path}, certificate: {certificate}, key: "${{credential:mqtt-key}}"}}',
            f'  operators: [{{name: anna, key: "{key}", may: [ban]}}]',
        ]
        place.file.write_text(place.file.read_text() + "\n".join([*lines, ""]))
        with running(place) as daemon:
            await asyncio.to_thread(daemon.wait_for, "mqtt_connected")
            order = place.ctl("order", "--key", str(tmp_path / "anna.key"), "node-1", "ban", "203.0.113.7").stdout
            answers = f"{ROOT}/node/node-1/answer"
            async with (
                shipped.client("anna", answers) as anna,
                shipped.client("home-assistant", "homeassistant/#") as assistant,
            ):
                await anna.client.publish(f"{ROOT}/order/node-1", order, qos=1)
                assert json.loads(await anna.until(answers))["ok"]
                assert await assistant.until("homeassistant/device/banlistd-node-1/config")
            assert [event["event"] for event in daemon.events if event["event"] == "mqtt_refused"] == []
