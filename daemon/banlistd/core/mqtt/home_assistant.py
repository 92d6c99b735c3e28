"""How the daemon describes itself to Home Assistant: one device, with the state that is published anyway. Pure.

The payload is Home Assistant's device discovery (home-assistant.io, MQTT, "Device discovery payload"), with its abbreviations.
There is never an entity for a ban or a list: they come and go, and an entity stays in a person's automations.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from banlistd.core.config.service.orders import Press

BIRTH_TOPIC = "homeassistant/status"
"""Where Home Assistant says that it has started. What is retained it gets anyway, unless the broker has lost it."""

_BORN = b"online"
_MAKER = "banlistd"
_STATE_EXPIRES = 900
"""Seconds: three times the longest silence of the state."""


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """`node`: the id of this host on the broker. `root`: where the topics of its fleet begin, `banlistd/v1/<fleet>`.

    `version`: of banlistd. `takes_lists`: whether it takes lists of a fleet, so that its state says since when they are proven.
    """

    node: str
    root: str
    version: str
    takes_lists: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """A message to be published retained, with QoS 1. `payload` empty: the device is taken away."""

    topic: str
    payload: bytes


def is_birth(topic: str, payload: bytes) -> bool:
    """Whether Home Assistant has started, so that the description is to be published again."""
    return topic == BIRTH_TOPIC and payload == _BORN


def discovery_topic(node: str) -> str:
    return f"homeassistant/device/{_MAKER}-{node}/config"


def withdrawal(node: str) -> Description:
    """What takes the device away: after `home_assistant: no`, or a change of the id."""
    return Description(discovery_topic(node), b"")


def description(identity: NodeIdentity, presses: Collection[Press]) -> Description:
    """What makes the device. `presses`: the buttons that are carried out; there is no other."""
    node, root = identity.node, identity.root
    state = f"{root}/node/{node}/state"
    document = {
        "dev": {"ids": [f"{_MAKER}-{node}"], "name": node, "mf": _MAKER, "mdl": _MAKER, "sw": identity.version},
        "o": {"name": _MAKER, "sw": identity.version},
        "avty_t": f"{root}/node/{node}/status",
        "stat_t": state,
        "qos": 1,
        "cmps": {
            key: {"p": kind, "name": name, "uniq_id": f"{_MAKER}-{node}-{key.replace('_', '-')}", **entity}
            for key, kind, name, entity in (*_sensors(state), *_of_fleet(identity), *_buttons(root, node, presses))
        },
    }
    return Description(discovery_topic(node), json.dumps(document, separators=(",", ":")).encode())


_Entity = tuple[str, str, str, Mapping[str, Any]]
"""Its key, platform, name and further keys."""

_DIAGNOSTIC = {"ent_cat": "diagnostic"}


def _sensors(state: str) -> tuple[_Entity, ...]:
    lists = {"stat_cla": "measurement", "unit_of_meas": "lists", "exp_aft": _STATE_EXPIRES}
    return (
        (
            "bans",
            "sensor",
            "Bans",
            {
                "stat_cla": "measurement",
                "unit_of_meas": "addresses",
                "val_tpl": "{{ value_json.bans }}",
                "exp_aft": _STATE_EXPIRES,
                "ic": "mdi:shield-lock",
            },
        ),
        (
            "packets",
            "sensor",
            "Packets stopped",
            {"stat_cla": "total_increasing", "unit_of_meas": "packets", "val_tpl": "{{ value_json.packets }}"},
        ),
        (
            "last_import",
            "sensor",
            "Last import",
            {"dev_cla": "timestamp", "val_tpl": "{{ value_json.last_import }}", **_DIAGNOSTIC},
        ),
        ("sources", "sensor", "Lists", {**lists, "val_tpl": "{{ value_json.sources }}", **_DIAGNOSTIC}),
        ("held", "sensor", "Lists in quarantine", {**lists, "val_tpl": "{{ value_json.held | length }}", **_DIAGNOSTIC}),
        ("stale", "sensor", "Stale lists", {**lists, "val_tpl": "{{ value_json.stale | length }}", **_DIAGNOSTIC}),
        (
            "problem",
            "binary_sensor",
            "Problem",
            {
                "dev_cla": "problem",
                "val_tpl": "{{ 'ON' if value_json.failing or value_json.held or value_json.stale else 'OFF' }}",
                "json_attr_t": state,
                "json_attr_tpl": "{{ {'failing': value_json.failing, 'quarantine': value_json.held, 'stale': value_json.stale}"
                " | tojson }}",
                "exp_aft": _STATE_EXPIRES,
                **_DIAGNOSTIC,
            },
        ),
    )


def _of_fleet(identity: NodeIdentity) -> tuple[_Entity, ...]:
    """Seconds since something of the fleet was proven, at the moment of the state. Until there is anything, it is unknown."""
    if not identity.takes_lists:
        return ()
    template = "{{ (now().timestamp() - value_json.fleet.at) | int if value_json.fleet.at else none }}"
    unit = {"dev_cla": "duration", "unit_of_meas": "s", "stat_cla": "measurement", "exp_aft": _STATE_EXPIRES}
    return (("hub_age", "sensor", "Fleet proven before", {**unit, "val_tpl": template, **_DIAGNOSTIC}),)


_BUTTONS: Mapping[Press, str] = {Press.REFRESH: "Poll every list"}


def _buttons(root: str, node: str, presses: Collection[Press]) -> tuple[_Entity, ...]:
    return tuple(
        (str(press), "button", name, {"cmd_t": f"{root}/press/{node}/{press}", "pl_prs": "PRESS", "ent_cat": "config"})
        for press, name in _BUTTONS.items()
        if press in presses
    )
