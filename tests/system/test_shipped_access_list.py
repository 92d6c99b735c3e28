"""The access list of mosquitto that is shipped: what each role may write and read, and nothing else."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from support.mosquitto import Heard
from support.shipped_broker import ShippedBroker, shipped_broker

ROOT = "banlistd/v1/home"
ROLES = ("node-1", "node-2", "hub", "anna", "monitoring", "home-assistant")
OF_A_NODE = ("status", "state", "event", "answer", "report", "refusal")

WRITERS = {
    **{f"{ROOT}/node/node-1/{what}": {"node-1"} for what in OF_A_NODE},
    f"{ROOT}/node/node-1/more": set[str](),
    f"{ROOT}/bell": {"hub"},
    f"{ROOT}/order/node-1": {"anna"},
    f"{ROOT}/press/node-1/refresh": {"home-assistant"},
    f"{ROOT}/press/node-1/ban": set[str](),
    "homeassistant/device/banlistd-node-1/config": {"node-1", "home-assistant"},
    "homeassistant/status": {"home-assistant"},
    "banlistd/v1/other/node/node-1/report": set[str](),
    "elsewhere": set[str](),
}
"""Of each topic the roles that may write it."""

WATCH = {"hub", "monitoring"}
READERS = {
    f"{ROOT}/node/node-1/status": {"node-1", "home-assistant", *WATCH},
    f"{ROOT}/node/node-1/state": {"home-assistant", *WATCH},
    f"{ROOT}/node/node-1/event": WATCH,
    f"{ROOT}/node/node-1/answer": {"anna", *WATCH},
    f"{ROOT}/node/node-1/report": WATCH,
    f"{ROOT}/node/node-1/refusal": WATCH,
    f"{ROOT}/bell": {*ROLES},
    f"{ROOT}/order/node-1": {"node-1"},
    f"{ROOT}/press/node-1/refresh": {"node-1"},
    "homeassistant/device/banlistd-node-1/config": {"home-assistant"},
    "homeassistant/status": {*ROLES},
}
"""Of each topic that any role may write, the roles that may read it."""


async def written(client: aiomqtt.Client, topic: str) -> bool:
    """Whether the broker takes a message; its reason is in the acknowledgement."""
    reasons: list[ReasonCode] = []
    paho = client._client
    before = paho.on_publish

    def acknowledged(paho_client: object, userdata: object, number: int, reason: ReasonCode, properties: object) -> None:
        reasons.append(reason)
        before(paho_client, userdata, number, reason, properties)  # type: ignore[misc,call-arg,arg-type]

    paho.on_publish = acknowledged
    await client.publish(topic, topic, qos=1)
    paho.on_publish = before
    (reason,) = reasons
    assert not reason.is_failure or reason == ReasonCode(PacketTypes.PUBACK, "Not authorized")
    return not reason.is_failure


def test_each_role_writes_and_reads_what_is_its_own_and_nothing_else(tmp_path: Path) -> None:
    async def life(shipped: ShippedBroker) -> None:
        async with AsyncExitStack() as stack:
            clients: dict[str, Heard] = {}
            for role in ROLES:
                topics = ("#", *READERS)
                clients[role] = await stack.enter_async_context(shipped.client(role, *topics))
            for topic, allowed in WRITERS.items():
                assert {role for role in ROLES if await written(clients[role].client, topic)} == allowed, topic
            heard = {role: await all_heard(one) for role, one in clients.items()}
        for topic, allowed in READERS.items():
            assert {role for role in ROLES if topic in heard[role]} == allowed, topic
        assert {topic for topics in heard.values() for topic in topics} == {*READERS}

    with shipped_broker(tmp_path) as shipped:
        asyncio.run(life(shipped))


async def all_heard(one: Heard) -> set[str]:
    """Messages come in order, and every role may read the last topic that is written."""
    last = [topic for topic, allowed in WRITERS.items() if allowed][-1]
    await one.until(last)
    return {topic for topic, _ in one.messages}
