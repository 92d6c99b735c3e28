"""Sources in shadow in the running daemon: since when, until when, and what was counted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from banlistd.core.config.model import Config
from banlistd.core.ruleset.state import Hook
from banlistd.events import EventName
from banlistd.model import Action, Counter, Mark
from support.fakes import FakeAnnouncer, FakeFetcher, FakeFirewall
from support.sources import BODIES, ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

DAY = 86_400.0


class Counting(FakeFirewall):
    """`packets`: of every source."""

    packets = 0

    async def counters(self) -> Mapping[Mark, Counter]:
        return {marker.mark: Counter(self.packets, 60 * self.packets) for marker in await self.markers()}


def config(**keys: Any) -> Config:
    return config_of(source(ONE), source(TWO, **{"action": Action.COUNT, "shadow": 14 * DAY, **keys}))


def environment_on(disk: Path, firewall: FakeFirewall) -> Environment:
    """Both lists have the same address."""
    return Environment(disk, firewall, FakeFetcher({**BODIES, TWO: BODIES[ONE]}))


def shadowed(world: DaemonWorld) -> int:
    maps = world.firewall.maps
    return sum(len(entries) for map_id, entries in maps.items() if map_id.hook is Hook.SHADOW_IN)


def test_the_time_begins_once_survives_a_restart_and_ends_with_an_event(tmp_path: Path) -> None:
    firewall = Counting()
    environment = environment_on(tmp_path, firewall)

    async def first(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        assert shadowed(world) == 1
        assert world.banned() == {"192.0.2.1"}

    async def second(world: DaemonWorld) -> None:
        assert shadowed(world) == 1
        firewall.packets = 7
        world.clock.time += 5 * DAY
        await world.announcer.until(EventName.SHADOW_ENDED, TWO)
        (event,) = [event for event in world.announcer.events if event.name is EventName.SHADOW_ENDED]
        assert event.fields["PACKETS"] == 7
        assert event.message.endswith("7 packets would have been dropped: banlistctl promote two")

    async def third(world: DaemonWorld) -> None:
        assert shadowed(world) == 0
        remarks = (await world.ask("status"))["remarks"]
        message = "two is no longer in shadow: 7 packets would have been dropped"
        assert {"message": message, "hint": "banlistctl promote two"} in remarks
        await world.service.refresh([])
        assert EventName.SHADOW_ENDED not in [event.name for event in world.announcer.events]

    run(environment, config(), first, serve=True)
    environment.clock.time += 10 * DAY
    environment.announcer = FakeAnnouncer()
    run(environment, config(), second, serve=True)
    environment.announcer = FakeAnnouncer()
    run(environment, config(), third, serve=True)


def test_a_reload_puts_a_source_in_shadow_and_takes_it_out(tmp_path: Path) -> None:
    environment = environment_on(tmp_path, FakeFirewall())

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        assert shadowed(world) == 0
        environment.next_config = config()
        await world.service.reload()
        assert shadowed(world) == 1
        environment.next_config = config(shadow=None)
        await world.service.reload()
        assert shadowed(world) == 0

    run(environment, config(shadow=None), life, serve=True)
