"""SIGKILL at every call of an import: a first one, one after a reboot, and one of lists that have changed."""

from functools import partial
from pathlib import Path

import pytest

from support.network_namespace import in_network_namespace
from system.kill.attempts import approve, approve_again, refresh, run_daemon, run_once
from system.kill.points import Crossing, sweep
from system.kill.scenes import FULL, PLAIN, SHRUNKEN, UPDATED, world_in
from system.kill.tracer import Victim
from system.kill.world import Saved

pytestmark = pytest.mark.sweep

# A daemon that lives starts no nft for lists that have changed.
NO_NFT = (Victim.DAEMON,)


@in_network_namespace
def test_a_first_import_killed_at_any_call_is_made_good_by_the_next_run(tmp_path: Path, day: int | None) -> None:
    with world_in(tmp_path) as world:
        world.learn(PLAIN)
        again = partial(run_once, world, PLAIN)
        kills = sweep(Crossing(world, None, PLAIN, partial(world.put_back, None), again, again), day)
    assert set(kills) == set(Victim)


@in_network_namespace
def test_a_daemon_killed_at_any_call_of_its_first_hours_is_made_good_by_the_next(tmp_path: Path, day: int | None) -> None:
    with world_in(tmp_path) as world:
        world.learn(PLAIN)
        again = partial(run_daemon, world, PLAIN)
        kills = sweep(Crossing(world, None, PLAIN, partial(world.put_back, world.save_empty()), again, again), day)
    assert set(kills) == set(Victim)


@in_network_namespace
def test_a_restart_after_a_reboot_killed_at_any_call_is_made_good_by_the_next(tmp_path: Path, day: int | None) -> None:
    with world_in(tmp_path) as world:
        world.learn(PLAIN)
        rebooted = Saved(world.save("plain").state, ruleset="")
        again = partial(run_once, world, PLAIN)
        kills = sweep(Crossing(world, None, PLAIN, partial(world.put_back, rebooted), again, again), day)
    assert set(kills) == set(Victim)


@in_network_namespace
def test_an_update_killed_at_any_call_is_made_good_by_the_next_run(tmp_path: Path, day: int | None) -> None:
    # What kills an nft kills the processes that parse the lists.
    with world_in(tmp_path, parser_process=True) as world:
        world.learn(PLAIN)
        begin = partial(world.put_back, world.save("plain"))
        world.learn(UPDATED)
        again = partial(run_once, world, UPDATED)
        kills = sweep(Crossing(world, PLAIN, UPDATED, begin, again, again, in_steps=True), day)
    assert set(kills) == set(Victim)


@in_network_namespace
def test_a_daemon_killed_at_any_call_of_an_update_is_made_good_by_the_next(tmp_path: Path, day: int | None) -> None:
    with world_in(tmp_path) as world:
        world.learn(PLAIN)
        begin = partial(world.put_back, world.save("plain"))
        world.learn(UPDATED)
        attempt, again = partial(refresh, world, PLAIN, UPDATED), partial(run_daemon, world, UPDATED)
        kills = sweep(Crossing(world, PLAIN, UPDATED, begin, attempt, again, NO_NFT, in_steps=True), day)
    assert kills[Victim.DAEMON]


@in_network_namespace
def test_an_approval_killed_at_any_call_is_made_good_by_the_next_one(tmp_path: Path, day: int | None) -> None:
    with world_in(tmp_path) as world:
        world.learn(SHRUNKEN)
        world.put_back(None)
        world.learn(FULL)
        assert run_once(world, SHRUNKEN).told("blocklist_import_refused")
        begin = partial(world.put_back, world.save("refused"))
        attempt, again = partial(approve, world, FULL, SHRUNKEN), partial(approve_again, world, SHRUNKEN)
        kills = sweep(Crossing(world, FULL, SHRUNKEN, begin, attempt, again, NO_NFT), day)
    assert kills[Victim.DAEMON]
