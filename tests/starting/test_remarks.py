"""What is said of this machine at a start."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from banlistd.adapters.host.coverage.uncovered import UncoveredTraffic
from banlistd.adapters.parser_process.confinement import landlock_version
from banlistd.core.config.model import Config
from banlistd.core.feeds.health.newest import OfNewest
from banlistd.model import Remark
from banlistd.starting import remarks
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

REMARK = Remark("a list is gone", "delete the source")


def test_a_kernel_without_landlock_is_remarked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remarks, "landlock_version", lambda: 0)
    (remark,) = remarks.confinement_remarks()
    assert "no Landlock" in remark.message
    assert "lsm=" in remark.hint


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_a_kernel_with_landlock_is_not() -> None:
    assert remarks.confinement_remarks() == ()


def test_the_lists_of_a_configuration_are_looked_at_once_for_all_who_ask(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looked: list[Config] = []

    def look(config: Config) -> Sequence[Remark]:
        looked.append(config)
        return [REMARK]

    class Uncovered(UncoveredTraffic):
        async def remarks(self) -> Sequence[Remark]:
            return ()

    monkeypatch.setattr(remarks, "_KEPT", OfNewest(look))

    async def life(world: DaemonWorld) -> None:
        quiet = SimpleNamespace(remarks=lambda: ())
        outside: Any = (world.firewall, quiet, Uncovered(), quiet, quiet, SimpleNamespace(root=tmp_path), quiet)
        for _ in range(2):
            assert REMARK in await remarks.remarks_of_now(world.service, *outside)
        assert looked == [world.service.config]
        world.environment.next_config = config_of(source(ONE))
        await world.service.reload()
        await remarks.remarks_of_now(world.service, *outside)
        assert len(looked) == 2

    run(Environment(tmp_path), config_of(source(ONE), source(TWO)), life)
