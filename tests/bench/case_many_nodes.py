"""A fleet of many nodes on one machine: 1,000 with the real code, 10,000 light ones, and handshakes of certificates."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from bench.measuring import MIB, apart, cpu_seconds
from bench.rows import Row, at_most
from bench.setting import Setting
from support.certificates import Authority
from support.fleet_repository import Repository
from support.many_nodes.crowd import Crowd, allow_many_files, crowd_of
from support.mosquitto import Mosquitto, broker
from support.nginx import nginx
from system.fleet.many_machines import MANY, PATIENCE, many_machines, resident
from system.fleet.ringing import ring
from system.test_fleet_trust import NEW, OLD, content

_SPREAD, _SPREAD_OF_LIGHT = 5, 30
_REST = 12.0
"""Seconds: a node rests between two pulls that a bell causes."""


@dataclass(frozen=True, slots=True)
class _Light:
    """`empty`: octets of memory of the broker before the nodes came."""

    mosquitto: Mosquitto
    crowd: Crowd
    repository: Repository
    empty: int


def many_nodes(setting: Setting) -> Iterator[Row]:
    for measure in (_shared, _real, _light, _handshakes):
        with apart() as namespace:
            rows: list[Row] = namespace.run(partial(measure, setting))
        yield from rows


def _real(setting: Setting) -> list[Row]:
    size = 20 if setting.quick else 1_000
    folder = setting.folder / "real"
    folder.mkdir()
    with many_machines(folder, size, _SPREAD) as machines:
        machines.crowd.until_connected(PATIENCE)
        machines.begin()
        setting.say(f"{size:,} nodes have begun")
        time.sleep(_REST)
        changed = machines.change_list()
        setting.say(f"{changed}")
        time.sleep(_REST)
        banned = machines.ban_on_two("203.0.113.7")
        setting.say(f"{banned}")
        memory = resident(machines.mosquitto) / MIB
        back = machines.restart_broker()
    nodes = f"{size:,} nodes with the real code, spread {_SPREAD} s, all on this machine"
    return [
        _row("change", f"{nodes}: from publication until all have a change of 1 %", "s", changed.all - changed.published),
        _row("requests", f"{nodes}: of each for that change", "requests", changed.requests),
        _row("octets", f"{nodes}: of each for that change", "octets", changed.octets),
        _row("shared", f"{nodes}: from the bans of two sites until all ban the address", "s", banned.all, 15),
        _row("shared-published", "of that: until the hub has published it", "s", banned.published),
        _row("back", f"{nodes}: from the start of a killed broker until all are connected", "s", back, 60),
        _row("broker-memory", f"{nodes}: of the broker", "MB", memory),
    ]


def _shared(setting: Setting) -> list[Row]:
    """Two cores are not enough for the work that 1,000 machines do for themselves: of light nodes, the fleet's own part."""
    size = 20 if setting.quick else 1_000
    folder = setting.folder / "shared"
    folder.mkdir()
    with many_machines(folder, size, _SPREAD, is_light=True) as machines:
        machines.crowd.until_connected(PATIENCE)
        machines.begin()
        banned = machines.ban_on_two("203.0.113.7")
        setting.say(f"{banned}")
    what = f"{size:,} light nodes, spread {_SPREAD} s: from the bans of two sites until all have fetched the list"
    return [
        _row("light-shared", what, "s", banned.all, 15),
        _row("light-shared-published", "of that: until the hub has published it", "s", banned.published),
    ]


def _light(setting: Setting) -> list[Row]:
    size = 200 if setting.quick else 10_000
    with ExitStack() as stack:
        light = _light_crowd(setting, stack, "light", size, _SPREAD_OF_LIGHT, is_secret=False)
        mosquitto, crowd, repository = light.mosquitto, light.crowd, light.repository
        memory = resident(mosquitto) / MIB
        before, began = crowd.now, time.monotonic()
        ring(mosquitto, repository.folder)
        after = crowd.until_all_have(repository.timestamp.signed.version, PATIENCE)
        took = after.at - began
        peak = resident(mosquitto) / MIB
        mosquitto.stop()
        crowd.until(lambda one: one.connected == 0, PATIENCE)
        began = time.monotonic()
        mosquitto.start()
        back = crowd.until_connected(PATIENCE).at - began
    nodes = f"{size:,} light nodes, spread {_SPREAD_OF_LIGHT} s, all on this machine"
    rate = (after.requests - before.requests) / took
    return [
        _row("light-change", f"{nodes}: from the bell until all have asked for all", "s", took, _SPREAD_OF_LIGHT + 2),
        _row("light-requests", f"{nodes}: meanwhile, at nginx", "requests/s", rate),
        _row("light-broker-memory", f"{nodes}: of the broker, at rest", "MB", memory, 300),
        _row("light-broker-peak", f"{nodes}: of the broker, after the bell", "MB", peak, 300),
        _row("light-back", f"{nodes}: from the start of a killed broker until all are connected", "s", back, 60),
    ]


def _handshakes(setting: Setting) -> list[Row]:
    """Each connection with a certificate, checked by the broker."""
    size = 50 if setting.quick else 2_000
    with ExitStack() as stack:
        light = _light_crowd(setting, stack, "secret", size, 1, is_secret=True)
        process = light.mosquitto.process
        assert process is not None
        took, memory = 1000 * cpu_seconds(process.pid) / size, (resident(light.mosquitto) - light.empty) / 1024 / size
    return [
        _row("handshake", f"{size:,} connections with certificates: processor time of the broker for each", "ms", took),
        _row("secret-memory", f"{size:,} connections with certificates: memory of the broker for each", "kB", memory),
    ]


def _light_crowd(setting: Setting, stack: ExitStack, name: str, size: int, spread: int, *, is_secret: bool) -> _Light:
    """All of them connected; the bell has not rung."""
    allow_many_files()
    folder = setting.folder / name
    repository = Repository(folder / "repository")
    repository.publish({"drop": content(OLD)})
    repository.publish({"drop": content(OLD, NEW)})
    authority = Authority.made_in(folder)
    server = authority.signed("server")
    # As root it would become another user, who cannot read the key.
    tls = (
        "user root",
        f"cafile {authority.path}.crt",
        f"certfile {server}.crt",
        f"keyfile {server}",
        "require_certificate true",
    )
    mosquitto = stack.enter_context(broker(folder, *MANY, *(tls if is_secret else ())))
    url = stack.enter_context(nginx(repository.folder, server))
    order = {"port": mosquitto.port, "url": url, "ca": f"{authority.path}.crt", "spread": spread, "list": "drop"}
    if is_secret:
        order["certificate"] = authority.signed("node")
    empty = resident(mosquitto)
    crowd = stack.enter_context(crowd_of(size, "light", order, count=2))
    crowd.until_connected(PATIENCE)
    setting.say(f"{size:,} light nodes are connected")
    return _Light(mosquitto, crowd, repository, empty)


def _row(name: str, what: str, unit: str, value: float, most: float | None = None) -> Row:
    return Row(f"nodes/{name}", what, unit, [value], target=at_most(most) if most is not None else None)
