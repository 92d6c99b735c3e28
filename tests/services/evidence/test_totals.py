"""Totals over restarts, flushes and reboots, with the daemon's own parts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from banlistd.model import Counter, Mark
from support.fakes import FakeFirewall
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

CONFIG = config_of(source(ONE), source(TWO))


class CountingFirewall(FakeFirewall):
    """Its counters are those that a test sets, by mark."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: dict[int, int] = {}

    async def counters(self) -> Mapping[Mark, Counter]:
        return {Mark(mark): Counter(packets, 100 * packets) for mark, packets in self.counted.items()}


async def totals_of(world: DaemonWorld) -> dict[str, Any]:
    rows = await world.ask("sources")
    by_hits = {row["key"]: row["packets"] for row in (await world.ask("top", by="hits"))["rows"]}
    assert all(by_hits[row["id"]] == row["packets"] for row in rows)
    assert all(row["octets"] in (None, 100 * (row["packets"] or 0)) for row in rows)
    return by_hits


def marks_of(world: DaemonWorld) -> dict[str, int]:
    return {str(owner.source_id): int(owner.mark) for owner in world.enforcer.policy.sources}


def test_totals_go_on_over_a_flush_a_stop_a_kill_and_a_reboot(tmp_path: Path) -> None:
    firewall = CountingFirewall()
    environment = Environment(tmp_path, firewall=firewall)

    async def flushed(world: DaemonWorld) -> None:
        marks = marks_of(world)
        firewall.counted = {marks["one"]: 7, marks["manual"]: 3}
        assert await totals_of(world) == {"one": 7, "two": None, "manual": 3}
        firewall.counted = {marks["one"]: 2, marks["manual"]: 4}
        assert await totals_of(world) == {"one": 9, "two": None, "manual": 4}

    async def after_a_stop(world: DaemonWorld) -> None:
        assert await totals_of(world) == {"one": 9, "two": None, "manual": 4}
        # Nothing is written before a kill, but the firewall counts on.
        firewall.counted[marks_of(world)["one"]] = 5
        assert (await totals_of(world))["one"] == 12

    async def after_a_kill(world: DaemonWorld) -> None:
        assert (await totals_of(world))["one"] == 12
        await world.parts.evidence.totals.keep()

    async def after_a_reboot(world: DaemonWorld) -> None:
        firewall.counted = {marks_of(world)["one"]: 6}
        assert (await totals_of(world))["one"] == 18

    run(environment, CONFIG, flushed, serve=True)
    run(environment, CONFIG, after_a_stop)
    run(environment, CONFIG, after_a_kill)
    environment.boot = "the second boot"
    run(environment, CONFIG, after_a_reboot)


def test_a_ledger_that_was_replaced_gets_the_totals(tmp_path: Path) -> None:
    firewall = CountingFirewall()

    async def life(world: DaemonWorld) -> None:
        firewall.counted = {marks_of(world)["one"]: 7}
        totals = world.parts.evidence.totals
        await totals.now()
        await totals.keep()
        await world.database.run("DELETE FROM counter_totals")
        await totals.resync_ledger()
        rows = await world.database.run("SELECT source_id, packets FROM counter_totals")
        assert [tuple(row) for row in rows] == [("one", 7)]

    run(Environment(tmp_path, firewall=firewall), CONFIG, life)


def test_a_recent_reading_is_used_again_and_an_old_one_is_not(tmp_path: Path) -> None:
    firewall = CountingFirewall()

    async def life(world: DaemonWorld) -> None:
        one, totals = marks_of(world)["one"], world.parts.evidence.totals
        firewall.counted = {one: 7}
        assert await totals.recent() == {"one": Counter(7, 700)}
        firewall.counted = {one: 9}
        assert await totals.recent(3600.0) == {"one": Counter(7, 700)}
        assert await totals.recent(0.0) == {"one": Counter(9, 900)}

    run(Environment(tmp_path, firewall=firewall), CONFIG, life)
