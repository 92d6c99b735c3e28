"""The description of the daemon for Home Assistant: by a list of the keys that it reads, and by its own schemas."""

import datetime as dt
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from banlistd.core.config.service.orders import Press
from banlistd.core.mqtt.home_assistant import Description, NodeIdentity, description, is_birth, withdrawal

CHECKER = Path(__file__).resolve().parents[2] / "support" / "home_assistant_schemas.py"
IDENTITY = NodeIdentity("node-0042", "banlistd/v1/home", "1.2.0")
IN_FLEET = NodeIdentity("node-0042", "banlistd/v1/home", "1.2.0", takes_lists=True)
TOPICS = "banlistd/v1/home"

# Of home-assistant.io: which keys a component may have, in the abbreviated form; what is not here would be ignored silently.
COMMON = {"p", "name", "uniq_id", "ent_cat", "ic", "val_tpl", "exp_aft"}
KNOWN = {
    "sensor": COMMON | {"stat_cla", "unit_of_meas", "dev_cla"},
    "binary_sensor": COMMON | {"dev_cla", "json_attr_t", "json_attr_tpl"},
    "button": {"p", "name", "uniq_id", "ent_cat", "cmd_t", "pl_prs"},
}
STATE = {
    "v": 1,
    "boot": 7,
    "version": "1.2",
    "bans": 1_000_123,
    "packets": 88_123,
    "sources": 12,
    "failing": ["x"],
    "held": ["y"],
    "stale": [],
    "last_import": "2026-11-27T15:00:00+00:00",
    "lost": 0,
}


def payload(*presses: Press) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(description(IDENTITY, presses).payload)
    return found


def test_the_device_is_described_at_its_own_topic_and_taken_away_there() -> None:
    topic = "homeassistant/device/banlistd-node-0042/config"
    assert description(IDENTITY, ()).topic == topic
    assert withdrawal("node-0042") == Description(topic, b"")
    assert len(description(IDENTITY, [Press.REFRESH]).payload) < 4096


def test_the_device_has_what_home_assistant_asks_for() -> None:
    found = payload(Press.REFRESH)
    assert found.keys() == {"dev", "o", "avty_t", "stat_t", "qos", "cmps"}
    assert found["dev"] == {
        "ids": ["banlistd-node-0042"],
        "name": "node-0042",
        "mf": "banlistd",
        "mdl": "banlistd",
        "sw": "1.2.0",
    }
    assert found["o"] == {"name": "banlistd", "sw": "1.2.0"}
    assert (found["avty_t"], found["stat_t"]) == (f"{TOPICS}/node/node-0042/status", f"{TOPICS}/node/node-0042/state")


def test_every_component_has_an_id_of_its_own_and_only_known_keys() -> None:
    components = payload(Press.REFRESH)["cmps"]
    assert len({one["uniq_id"] for one in components.values()}) == len(components)
    for one in components.values():
        assert one.keys() <= KNOWN[one["p"]]
        assert {"p", "name", "uniq_id"} <= one.keys()
        assert one["uniq_id"].startswith("banlistd-node-0042-")
        assert one.get("stat_cla", "measurement") in ("measurement", "total_increasing")
        # 2026.11 refuses a sensor that is for configuration.
        assert one.get("ent_cat", "diagnostic") == ("config" if one["p"] == "button" else "diagnostic")


def test_a_button_is_there_only_if_it_is_carried_out() -> None:
    assert "refresh" not in payload()["cmps"]
    button = payload(Press.REFRESH)["cmps"]["refresh"]
    assert (button["cmd_t"], button["pl_prs"]) == (f"{TOPICS}/press/node-0042/refresh", "PRESS")


def test_the_age_of_what_is_proven_is_there_only_where_lists_of_a_fleet_are_taken() -> None:
    assert "hub_age" not in payload()["cmps"]
    one = json.loads(description(IN_FLEET, ()).payload)["cmps"]["hub_age"]
    assert (one["dev_cla"], one["unit_of_meas"], one["ent_cat"]) == ("duration", "s", "diagnostic")
    assert one.keys() <= KNOWN["sensor"]


def test_the_age_is_counted_to_the_moment_of_the_state_and_unknown_until_something_is_proven() -> None:
    """With Jinja, where it is installed."""
    one = json.loads(description(IN_FLEET, ()).payload)["cmps"]["hub_age"]
    jinja2 = pytest.importorskip("jinja2", reason="jinja2 is not installed")
    template = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False).from_string(one["val_tpl"])
    moment = dt.datetime.fromtimestamp(1_795_791_090.5, dt.UTC)
    for at, age in ((1_795_791_000, "90"), (0, "None")):
        assert template.render(now=lambda: moment, value_json={**STATE, "fleet": {"at": at}}) == age


def test_templates_ask_for_keys_of_the_state() -> None:
    """With Jinja, where it is installed."""
    jinja2 = pytest.importorskip("jinja2", reason="jinja2 is not installed")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters["tojson"] = json.dumps
    read = {
        key: environment.from_string(one["val_tpl"]).render(value_json=STATE)
        for key, one in payload()["cmps"].items()
        if "val_tpl" in one
    }
    assert read == {
        "bans": "1000123",
        "packets": "88123",
        "last_import": "2026-11-27T15:00:00+00:00",
        "sources": "12",
        "held": "1",
        "stale": "0",
        "problem": "ON",
    }
    template = payload()["cmps"]["problem"]["json_attr_tpl"]
    attributes = json.loads(environment.from_string(template).render(value_json=STATE))
    assert attributes == {"failing": ["x"], "quarantine": ["y"], "stale": []}


@pytest.mark.parametrize(
    ("topic", "octets", "born"),
    [
        ("homeassistant/status", b"online", True),
        ("homeassistant/status", b"offline", False),
        ("homeassistant/status", b"", False),
        ("homeassistant", b"online", False),
    ],
)
def test_home_assistant_says_when_it_has_started(topic: str, octets: bytes, *, born: bool) -> None:
    assert is_birth(topic, octets) is born


@cache
def home_assistant() -> str:
    """A Python that has Home Assistant."""
    python = os.environ.get("BANLISTD_HOME_ASSISTANT_PYTHON", "python3")
    found = shutil.which(python)
    imports = "import homeassistant.components.mqtt.sensor"
    if found is None or subprocess.run([found, "-c", imports], check=False, capture_output=True, timeout=120).returncode:
        pytest.skip("BANLISTD_HOME_ASSISTANT_PYTHON names no Python with the packages homeassistant and paho-mqtt")
    return found


def checked(python: str, found: dict[str, Any]) -> "subprocess.CompletedProcess[str]":
    command = [python, str(CHECKER)]
    return subprocess.run(command, check=False, capture_output=True, text=True, input=json.dumps(found), timeout=120)


def test_home_assistant_itself_takes_the_description() -> None:
    python = home_assistant()
    found = json.loads(description(IN_FLEET, [Press.REFRESH]).payload)
    done = checked(python, found)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines == {key: f"{one['p']} whole" for key, one in found["cmps"].items()}


@pytest.mark.parametrize("spoil", ["origin", "ids", "class", "key", "wildcard"])
def test_home_assistant_itself_refuses_a_spoilt_description(spoil: str) -> None:
    python, found = home_assistant(), payload(Press.REFRESH)
    match spoil:
        case "origin":
            found["o"] = {}
        case "ids":
            found["dev"].pop("ids")
        case "class":
            found["cmps"]["bans"]["stat_cla"] = "count"
        case "key":
            found["cmps"]["bans"]["no_such_key"] = 1
        case _:
            found["cmps"]["refresh"]["cmd_t"] = "a/+/b"
    done = checked(python, found)
    assert (done.returncode, "refused: " in done.stdout) == (3, True), done.stderr
