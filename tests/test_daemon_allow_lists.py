"""Lists that allow are read before lists that ban, so that a first start bans nothing that is allowed."""

from pathlib import Path

import pytest

from banlistd.core.config.combining.sources import allowing_first, import_waves
from banlistd.core.config.model import Source
from banlistd.errors import FetchError
from banlistd.events import EventName
from banlistd.model import Action, SourceId
from support.fakes import FakeFetcher
from support.sources import config_of
from worlds import DaemonWorld, Environment, run

FEED, OFFICE, PARTS, PART = (SourceId(name) for name in ("feed", "office", "parts", "part"))
BANS = Source(id=FEED, url="https://lists.example/feed")
ALLOWS = Source(id=OFFICE, url="https://lists.example/office", action=Action.ALLOW)
CONFIG = config_of(BANS, ALLOWS)


def environment_on(disk: Path, **bodies: bytes | FetchError) -> Environment:
    return Environment(disk, fetcher=FakeFetcher({SourceId(name): body for name, body in bodies.items()}))


def test_what_allows_and_its_parts_come_in_earlier_waves() -> None:
    part = Source(id=PART, url="https://lists.example/part", action=Action.NONE)
    made = Source(id=PARTS, merge=(PART,), action=Action.ALLOW)
    sources = [BANS, made, ALLOWS, part]
    assert allowing_first(sources) == {OFFICE, PARTS, PART}
    assert [{source.id for source in wave} for wave in import_waves(sources)] == [{OFFICE, PART}, {PARTS}, {FEED}]
    assert import_waves([BANS, part]) == [[BANS, part]]


def test_a_refresh_bans_nothing_that_an_unread_list_allows(tmp_path: Path) -> None:
    environment = environment_on(tmp_path, feed=b"192.0.2.1\n192.0.2.2\n", office=b"192.0.2.2\n")

    async def life(world: DaemonWorld) -> None:
        await world.service.refresh()
        assert environment.fetcher.polled() == [OFFICE, FEED]
        assert world.banned() == {"192.0.2.1"}

    run(environment, CONFIG, life)


def test_timers_of_lists_that_ban_wait_for_an_unread_list_that_allows(tmp_path: Path) -> None:
    environment = environment_on(tmp_path, feed=b"192.0.2.1\n192.0.2.2\n", office=b"192.0.2.2\n")
    environment.fetcher.gate.clear()

    async def life(world: DaemonWorld) -> None:
        await environment.fetcher.entered.wait()
        assert environment.fetcher.under_way == [OFFICE]
        environment.fetcher.gate.set()
        await world.announcer.until(EventName.IMPORT_COMPLETED, FEED)
        assert world.banned() == {"192.0.2.1"}

    run(environment, CONFIG, life, serve=True)


@pytest.mark.parametrize("start", ["first", "later"])
def test_a_list_that_allows_and_cannot_be_read_delays_no_ban_for_long(tmp_path: Path, start: str) -> None:
    """Later: its content is in force, and nothing waits for its poll."""
    environment = environment_on(tmp_path, feed=b"192.0.2.1\n192.0.2.2\n", office=b"192.0.2.2\n")
    if start == "later":

        async def earlier(world: DaemonWorld) -> None:
            await world.service.refresh([OFFICE])

        run(environment, CONFIG, earlier)
    environment.fetcher.bodies[OFFICE] = FetchError("it is away")

    async def life(world: DaemonWorld) -> None:
        await world.announcer.until(EventName.IMPORT_COMPLETED, FEED)
        assert world.banned() == ({"192.0.2.1", "192.0.2.2"} if start == "first" else {"192.0.2.1"})

    run(environment, CONFIG, life, serve=True)
