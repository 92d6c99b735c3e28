"""The markers of a plan."""

from pathlib import Path

from banlistd.core.ruleset.protection import ProtectionExclusions
from banlistd.services.planning.desired_state import basis_of
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run


def test_a_source_that_stays_as_it_is_keeps_the_very_marker_that_it_has(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        await world.poll(TWO)
        before, enforcer = world.enforcer.state, world.enforcer
        assert before is not None
        contents = {one: content for one in (ONE, TWO) if (content := enforcer.content(one))}
        _, same = basis_of(enforcer.policy, contents, ProtectionExclusions.none(), before)
        assert [*map(id, same)] == [*map(id, before.markers)]
        world.fetcher.bodies[ONE] = b"192.0.2.77\n"
        await world.poll(ONE)
        after = enforcer.state
        assert after is not None
        kept = {id(marker) for marker in before.markers} & {id(marker) for marker in after.markers}
        assert kept == {id(marker) for marker in before.markers if marker.source_id == TWO}

    run(Environment(tmp_path), config_of(source(ONE), source(TWO)), life)
