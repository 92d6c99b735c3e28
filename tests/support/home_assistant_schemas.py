"""Checks a payload of device discovery with Home Assistant's own code, by a Python that has `homeassistant` and `paho-mqtt`.

Reads JSON from standard input; prints what the payload becomes, a component a line, or fails with Home Assistant's own error.
"""

import json
import sys
from typing import Any

from homeassistant.components.mqtt import abbreviations, binary_sensor, button, discovery, schemas, sensor  # type: ignore[import-not-found]

PLATFORMS = {"sensor": sensor, "binary_sensor": binary_sensor, "button": button}


def main() -> None:
    payload = json.load(sys.stdin)
    known = {*abbreviations.ABBREVIATIONS, *abbreviations.DEVICE_ABBREVIATIONS, *abbreviations.ORIGIN_ABBREVIATIONS}
    unknown = sorted(key for key in every_key(payload) if key not in known | {"p", "cmps", "dev", "o", "name", "qos"})
    if unknown:
        sys.exit(f"unknown keys: {unknown}")
    discovery._replace_all_abbreviations(payload)
    whole = schemas.DEVICE_DISCOVERY_SCHEMA(payload)
    shared = {key: whole[key] for key in (*schemas.SHARED_OPTIONS, "qos", "encoding", "device", "origin") if key in whole}
    for name, component in whole["components"].items():
        config = {**shared, **component}
        platform = config.pop("platform")
        config.pop("state_topic" if platform == "button" else "command_topic", None)
        read = PLATFORMS[platform].DISCOVERY_SCHEMA(config)
        if platform != "button" and read.get("entity_category") == "config":
            sys.exit(f"{name}: a sensor cannot be of the category config")
        lost = sorted(key for key in component if key not in read and key != "platform")
        print(name, platform, "lost: " + ",".join(lost) if lost else "whole")  # noqa: T201 - that is its answer


def every_key(payload: dict[str, Any]) -> set[str]:
    """The keys of the device, the origin and each component, and those beside them."""
    parts = [payload, payload["dev"], payload["o"], *payload["cmps"].values()]
    return {key for part in parts for key in part}


main()
