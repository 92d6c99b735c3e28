"""Checks a payload of device discovery with Home Assistant's own code, by a Python that has `homeassistant` and `paho-mqtt`.

Reads JSON from standard input; prints what the payload becomes, a component a line, or why it is refused, with exit code 3.
"""

import asyncio
import json
import sys
import tempfile
from typing import Any, NoReturn

import voluptuous  # type: ignore[import-not-found]
from homeassistant.components.mqtt import (  # type: ignore[import-not-found]
    abbreviations,
    binary_sensor,
    button,
    discovery,
    schemas,
    sensor,
)
from homeassistant.core import HomeAssistant  # type: ignore[import-not-found]
from homeassistant.helpers import frame  # type: ignore[import-not-found]

PLATFORMS = {"sensor": sensor, "binary_sensor": binary_sensor, "button": button}


async def main() -> None:
    payload = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        home_assistant = HomeAssistant(folder)
        frame.async_setup(home_assistant)
        try:
            check(payload)
        except voluptuous.Invalid as error:
            refuse(str(error))
        finally:
            await home_assistant.async_stop(force=True)


def check(payload: dict[str, Any]) -> None:
    known = {*abbreviations.ABBREVIATIONS, *abbreviations.DEVICE_ABBREVIATIONS, *abbreviations.ORIGIN_ABBREVIATIONS}
    if unknown := sorted(every_key(payload) - known - {"p", "cmps", "dev", "o", "name", "qos"}):
        refuse(f"unknown keys: {unknown}")
    discovery._replace_all_abbreviations(payload)
    whole = schemas.DEVICE_DISCOVERY_SCHEMA(payload)
    shared = {key: whole[key] for key in (*schemas.SHARED_OPTIONS, "qos", "encoding", "device", "origin") if key in whole}
    for name, component in whole["components"].items():
        config = {**shared, **component}
        platform = config.pop("platform")
        config.pop("state_topic" if platform == "button" else "command_topic", None)
        read = PLATFORMS[platform].DISCOVERY_SCHEMA(config)
        lost = sorted(key for key in component if key not in read and key != "platform")
        print(name, platform, "lost: " + ",".join(lost) if lost else "whole")  # noqa: T201 - that is its answer


def refuse(why: str) -> NoReturn:
    print(f"refused: {why}")  # noqa: T201 - that is its answer
    sys.exit(3)


def every_key(payload: dict[str, Any]) -> set[str]:
    """The keys of the device, the origin and each component, and those beside them."""
    parts = [payload, payload["dev"], payload["o"], *payload["cmps"].values()]
    return {key for part in parts for key in part}


asyncio.run(main())
