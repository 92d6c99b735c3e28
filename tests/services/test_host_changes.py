"""What is protected follows the host at once, with the loops running."""

import asyncio
from pathlib import Path

from banlistd.core.config.model import Source
from banlistd.errors import BanlistdError
from banlistd.events import EventName
from banlistd.model import SourceId
from support.fakes import FakeFetcher, FakeHost, protected
from support.sources import config_of
from worlds import DaemonWorld, Environment, run

FEED = SourceId("feed")
CONFIG = config_of(Source(id=FEED, url="http://lists.example/a"))


def environment_on(disk: Path) -> Environment:
    return Environment(disk, fetcher=FakeFetcher({FEED: b"192.0.2.0/31\n"}), host=FakeHost())


def test_a_new_address_of_the_host_is_carved_out_as_soon_as_it_is_reported(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def life(world: DaemonWorld) -> None:
        await world.completed(FEED)
        assert environment.banned() == {"192.0.2.0", "192.0.2.1"}
        environment.host.now = [protected("192.0.2.1", "address of lan")]
        environment.monitor.change()
        await world.announcer.until(EventName.PROTECTED_CARVED, FEED)
        assert environment.banned() == {"192.0.2.0"}

    run(environment, CONFIG, life, serve=True)


def test_a_login_that_has_ended_when_the_firewall_follows_is_protected_all_the_same(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def life(world: DaemonWorld) -> None:
        await world.completed(FEED)
        firewall, logins = environment.firewall, environment.logins
        firewall.lose_structure()
        firewall.entered.clear()
        firewall.gate.clear()
        environment.monitor.change()
        await firewall.entered.wait()
        logins.looked.clear()
        logins.now = ["192.0.2.1"]
        environment.login_monitor.change()
        await logins.looked.wait()
        logins.now = []
        firewall.gate.set()
        await world.announcer.until(EventName.PROTECTED_CARVED, FEED)
        assert environment.banned() == {"192.0.2.0"}

    run(environment, CONFIG, life, serve=True)


def test_a_host_that_cannot_be_watched_is_a_fault_and_stops_nothing(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    environment.monitor.error = BanlistdError("changes of addresses cannot be watched")

    async def life(world: DaemonWorld) -> None:
        await world.announcer.until(EventName.SERVICE_FAULT)
        await world.completed(FEED)
        await asyncio.sleep(0)
        assert world.announcer.names().count(EventName.SERVICE_FAULT) == 1

    run(environment, CONFIG, life, serve=True)
