"""The connection against a real broker, a silent one and none: nothing of an attempt stays behind."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest

from banlistd.adapters.mqtt import connection
from banlistd.adapters.mqtt.connection import MOST_RECEIVED, BrokerAccess, connected
from banlistd.adapters.mqtt.outbox import MOST_MESSAGES, MOST_OCTETS_WAITING, Outbox
from banlistd.errors import BusError
from banlistd.ports.mqtt import BusMessage
from support.mosquitto import broker, listening_to
from support.ports import reserved_port

WILL = BusMessage("a/status", b"offline", retained=True)


def access(port: int) -> BrokerAccess:
    return BrokerAccess("127.0.0.1", port, "banlistd-a")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count


async def settled(before: int) -> None:
    """Wait until no more descriptors are open than before, and no other task runs."""
    async with asyncio.timeout(60):
        while descriptors() > before or len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.05)


def test_messages_go_out_and_come_in(tmp_path: Path) -> None:
    async def life(port: int) -> None:
        async with listening_to(mosquitto, "a/#") as heard, connected(access(port), WILL, ["b/+"]) as bus:
            sending = asyncio.create_task(bus.run())
            bus.send(BusMessage("a/event", b"1", qos=0, expires=60))
            assert await heard.until("a/event") == b"1"
            await heard.client.publish("b/order", b"2", qos=1)
            assert await bus.received() == BusMessage("b/order", b"2")
            assert (bus.lost, bus.refusals()) == (0, frozenset())
            sending.cancel()

    with broker(tmp_path) as mosquitto:
        asyncio.run(life(mosquitto.port))


def test_aiomqtt_looks_at_the_keepalive_as_often_as_the_connection_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version of aiomqtt that calls the loop by another name would look each second again."""
    looked = asyncio.Event()

    async def look(_: object) -> None:
        looked.set()

    async def life(port: int) -> None:
        async with connected(access(port), WILL, []), asyncio.timeout(60):
            await looked.wait()

    monkeypatch.setattr(connection._Client, "_misc_loop", look)
    with broker(tmp_path) as mosquitto:
        asyncio.run(life(mosquitto.port))


def test_the_topics_that_it_listens_to_can_be_changed(tmp_path: Path) -> None:
    async def life(port: int) -> None:
        async with listening_to(mosquitto, "done") as other, connected(access(port), WILL, ["b", "c"]) as bus:
            sending = asyncio.create_task(bus.run())
            bus.listen(["c", "d"])
            # The broker has taken both changes once a message of the new topic arrives.
            async with asyncio.timeout(60):
                receiving = asyncio.create_task(bus.received())
                while not receiving.done():
                    await other.client.publish("d", b"new", qos=1)
                    await asyncio.wait([receiving], timeout=0.05)
            assert receiving.result().topic == "d"
            await other.client.publish("b", b"old", qos=1)
            await other.client.publish("c", b"kept", qos=1)
            while (message := await bus.received()).topic == "d":
                continue
            assert message == BusMessage("c", b"kept")
            sending.cancel()

    with broker(tmp_path) as mosquitto:
        asyncio.run(life(mosquitto.port))


def test_a_message_above_the_bound_does_not_come_in(tmp_path: Path) -> None:
    async def life(port: int) -> None:
        async with listening_to(mosquitto) as other, connected(access(port), WILL, ["b/+"]) as bus:
            await other.client.publish("b/order", bytes(MOST_RECEIVED), qos=1)
            await other.client.publish("b/order", bytes(MOST_RECEIVED // 2), qos=1)
            assert len((await bus.received()).payload) == MOST_RECEIVED // 2

    with broker(tmp_path) as mosquitto:
        asyncio.run(life(mosquitto.port))


def test_what_the_broker_refuses_is_known(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic read a/#\n")

    async def life(port: int) -> None:
        async with connected(access(port), WILL, []) as bus:
            sending = asyncio.create_task(bus.run())
            bus.send(BusMessage("a/state", b"1"))
            async with asyncio.timeout(60):
                while not (found := bus.refusals()):  # noqa: ASYNC110 - nothing announces it
                    await asyncio.sleep(0.01)
            assert found == {"Not authorized"}
            sending.cancel()

    with broker(tmp_path, "allow_anonymous true", f"acl_file {tmp_path / 'acl'}", "user root") as mosquitto:
        asyncio.run(life(mosquitto.port))


def test_an_end_of_the_connection_is_an_error_of_its_own(tmp_path: Path) -> None:
    async def life(port: int) -> None:
        async with connected(access(port), WILL, []) as bus:
            mosquitto.stop()
            with pytest.raises(BusError):
                await bus.received()

    with broker(tmp_path) as mosquitto:
        asyncio.run(life(mosquitto.port))


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_attempts_that_time_out_or_are_cancelled_leave_nothing_open(*, is_cancelled: bool) -> None:
    async def one(port: int) -> None:
        async with connected(access(port), WILL, [], seconds=0.1):
            raise AssertionError("a silent server has no connection")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    async def life() -> None:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        idle = descriptors()
        port = server.sockets[0].getsockname()[1]
        with suppress(BusError):
            await one(port)  # the threads for connections
        await settled(idle + 10)
        before = descriptors()
        for number in range(30):
            attempt = asyncio.create_task(one(port))
            if is_cancelled:
                await asyncio.sleep(0.005 * (number % 5))
                attempt.cancel()
            with suppress(BusError, asyncio.CancelledError):
                await attempt
        await settled(before)
        server.close()

    asyncio.run(life())


def test_without_a_broker_the_reason_is_named() -> None:
    async def life() -> None:
        with reserved_port() as port:
            async with connected(access(port), WILL, []):
                pass

    with pytest.raises(BusError, match="refused"):
        asyncio.run(life())


def test_the_queue_is_bounded_and_a_newer_state_takes_the_place_of_an_older_one() -> None:
    async def life() -> None:
        outbox = Outbox()
        outbox.put(BusMessage("state", b"old", retained=True))
        outbox.put(BusMessage("event", b"first"))
        outbox.put(BusMessage("state", b"new", retained=True))
        assert [(await outbox.get()).payload for _ in range(2)] == [b"first", b"new"]
        for number in range(MOST_MESSAGES + 3):
            outbox.put(BusMessage("event", b"%d" % number))
        assert (outbox.lost, (await outbox.get()).payload) == (3, b"3")
        outbox.put(BusMessage("event", bytes(MOST_OCTETS_WAITING)))
        assert len((await outbox.get()).payload) == MOST_OCTETS_WAITING

    asyncio.run(life())
