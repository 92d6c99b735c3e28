"""SIGKILL at every call of a change of the configuration: at a start, and in a running daemon that is told to reload.

A change of structure is the daemon's batch between two of nft's; each is met, and so is every moment between them.
"""

import dataclasses
from functools import partial
from pathlib import Path

import pytest

from support.network_namespace import in_network_namespace
from system.kill.attempts import reload, run_daemon, run_once
from system.kill.points import Crossing, sweep
from system.kill.scenes import CONFIGURED, PLAIN, world_in
from system.kill.tracer import Victim
from system.kill.world import KillScenario

pytestmark = pytest.mark.sweep

# How a daemon lives on whose nft is killed: test_kill_nft.
DAEMONS = (Victim.DAEMON, Victim.ALL)


@pytest.mark.parametrize("change", CONFIGURED)
@in_network_namespace
def test_a_configuration_killed_at_any_call_of_a_run_is_in_force_after_the_next(
    tmp_path: Path, day: int | None, change: str
) -> None:
    new = CONFIGURED[change]
    with world_in(tmp_path) as world:
        world.learn(PLAIN)
        begin = partial(world.put_back, world.save("plain"))
        world.learn(new)
        again = partial(run_once, world, new)
        kills = sweep(Crossing(world, PLAIN, new, begin, again, again, in_steps=change == "lists changed as well"), day)
    assert set(kills) == set(Victim)


@pytest.mark.parametrize("change", CONFIGURED)
@in_network_namespace
def test_a_configuration_killed_at_any_call_of_a_reload_is_in_force_after_a_restart(
    tmp_path: Path, day: int | None, change: str
) -> None:
    new = CONFIGURED[change]
    with world_in(tmp_path) as world:
        world.learn(PLAIN)
        begin = partial(world.put_back, world.save("plain"))
        world.learn(new)
        attempt, again = partial(reload, world, PLAIN, new), partial(run_daemon, world, new)
        kills = sweep(
            Crossing(world, PLAIN, new, begin, attempt, again, DAEMONS, in_steps=change == "lists changed as well"), day
        )
    # An allow entry is an element like any other.
    assert set(kills) == set(DAEMONS[:1] if change == "an allow entry added" else DAEMONS)


@in_network_namespace
def test_no_half_of_a_long_script_is_carried_out(tmp_path: Path, day: int | None) -> None:
    # The first 4,096 octets, which a pipe takes at once, end with a line; every chain has lost its rules by then.
    old = KillScenario({f"list-x{number}": [f"192.0.2.{number}"] for number in range(24)})
    new = dataclasses.replace(old, actions=dict.fromkeys(old.lists, "reject"))
    with world_in(tmp_path) as world:
        world.learn(old)
        begin = partial(world.put_back, world.save("old"))
        world.learn(new)
        again = partial(run_once, world, new)
        kills = sweep(Crossing(world, old, new, begin, again, again, beside_nft=True), day)
    assert set(kills) == set(Victim)
