"""What a node says over MQTT of itself and of its fleet, with a real broker."""

import asyncio
import json
from pathlib import Path
from typing import Any

from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.model import Family
from support.fleet_repository import Repository
from support.mirror import mirror_of
from support.mosquitto import Heard, broker, listening_to
from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running
from system.fleet.reporting import settings

STATE = {"v", "boot", "version", "bans", "packets", "sources", "failing", "held", "stale", "last_import", "lost"}
"""The keys of a state, and no others."""


def content(*hosts: int) -> AddressSet:
    return AddressSet.of(from_numbers(Family.IPV4, hosts))


async def state(heard: Heard, topic: str, **lists: str) -> Any:
    """The first state with these lists."""
    while True:
        found = json.loads(await heard.until(topic))
        if found.get("fleet", {}).get("lists") == lists:
            return found


async def boot_of_the_will(heard: Heard, topic: str) -> dict[str, str]:
    async with asyncio.timeout(60):
        async for message in heard.client.messages:
            if str(message.topic) == topic and message.payload == b"offline":
                return dict(getattr(message.properties, "UserProperty", ()))
    raise AssertionError("there was no will")


@in_network_namespace
async def test_the_state_says_which_content_a_node_has_and_the_will_of_which_start_it_is(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    old, new = content(1 << 24), content(1 << 24, (1 << 24) + 2)
    repository.publish({"drop": old})
    (tmp_path / "root.json").write_bytes(repository.first_root)
    place = Installation(tmp_path)
    root = "banlistd/v1/main/node/node-1"
    with broker(tmp_path) as mosquitto, mirror_of(repository.folder) as mirror:
        section = f"fleet: {{name: main, root: {tmp_path}/root.json, urls: '{mirror.url}'}}"
        settings(place, mosquitto, "node-1", "id: d, hub: drop", section)
        with running(place, "d") as daemon:
            async with listening_to(mosquitto, f"{root}/state", f"{root}/status") as heard:
                first = await state(heard, f"{root}/state", drop=old.content_hash()[:16])
                assert first.keys() == {*STATE, "fleet"}
                assert first["fleet"].keys() == {"root", "timestamp", "at", "lists"}
                shown = place.ask("fleet")
                assert first["fleet"]["root"] == shown["root_version"] == 1
                assert first["fleet"]["timestamp"] == shown["timestamp_version"]
                assert first["fleet"]["at"] == int(shown["verified_at"])
                repository.publish({"drop": new})
                assert place.ctl("refresh", "d").returncode == 0
                second = await state(heard, f"{root}/state", drop=new.content_hash()[:16])
                assert second["fleet"]["timestamp"] == first["fleet"]["timestamp"] + 1
                daemon.kill()
                assert await boot_of_the_will(heard, f"{root}/status") == {"boot": str(first["boot"])}


@in_network_namespace
async def test_the_state_of_a_machine_without_a_fleet_says_nothing_of_one(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    with broker(tmp_path) as mosquitto:
        settings(place, mosquitto, "node-1", "", "")
        with running(place):
            async with listening_to(mosquitto, topic := "banlistd/v1/home/node/node-1/state") as heard:
                assert json.loads(await heard.until(topic)).keys() == STATE
