"""Connections end beside later changes, and those of several changes together."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from adapters.firewalls.holdings import ALPHA, addresses, change_of, services, state
from banlistd.core.addresses.canonical import hash_of
from banlistd.core.config.model import Source
from banlistd.core.feeds.parsers import parse
from banlistd.core.ruleset.diff import Change, difference
from banlistd.formats import Format
from banlistd.model import ServiceEndpoint, SourceId
from banlistd.services.joining.connection_endings import ConnectionEndings
from banlistd.services.null_objects import NoConnections
from support.fakes import FakeFetcher
from support.sources import config_of
from worlds import DaemonWorld, Environment, run

FEED = SourceId("feed")


class SlowConnections(NoConnections):
    """Each end waits for `gate`."""

    def __init__(self) -> None:
        self.began, self.gate = asyncio.Event(), asyncio.Event()
        self.ended: list[tuple[Sequence[Change], Sequence[ServiceEndpoint]]] = []

    async def end(self, changes: Sequence[Change], answers: Sequence[ServiceEndpoint]) -> None:
        self.began.set()
        await self.gate.wait()
        self.ended.append((changes, answers))


def ban(text: str) -> Change:
    return difference(None, state([ALPHA], {"alpha": addresses(text)}))


def test_changes_that_come_meanwhile_end_theirs_together() -> None:
    asyncio.run(_end_some_while_others_end())


async def _end_some_while_others_end() -> None:
    connections, changes = SlowConnections(), [ban(f"192.0.2.{number}") for number in range(4)]
    endings = ConnectionEndings(connections)
    first = asyncio.ensure_future(endings.end(changes[0]))
    await connections.began.wait()
    others = [asyncio.ensure_future(endings.end(change)) for change in changes[1:]]
    idle = asyncio.ensure_future(endings.wait_until_idle())
    await asyncio.sleep(0)
    endings.answers = services("192.0.2.53 udp 53")
    others[0].cancel()  # whoever waits for it may end: its connections end all the same
    connections.gate.set()
    await asyncio.gather(first, *others[1:], idle)
    assert [list(together) for together, _ in connections.ended] == [changes[:1], changes[1:]]
    assert [list(answers) for _, answers in connections.ended][1] == list(endings.answers)


def test_a_change_that_bans_nothing_waits_for_none() -> None:
    async def change_nothing() -> None:
        endings = ConnectionEndings(connections)
        await endings.end(change_of(state([ALPHA], {})))
        await endings.wait_until_idle()

    connections = SlowConnections()
    asyncio.run(change_nothing())
    assert connections.ended == []


def test_the_next_ban_is_in_force_while_connections_of_the_last_one_end(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        connections.began, connections.gate = asyncio.Event(), asyncio.Event()
        first = asyncio.ensure_future(enforce(world, b"192.0.2.1\n"))
        await connections.began.wait()
        assert world.banned() == {"192.0.2.1"}
        assert world.enforcer.state is not None
        assert len(world.enforcer.state) == 1
        environment.firewall.entered.clear()
        second = asyncio.ensure_future(enforce(world, b"192.0.2.1\n192.0.2.2\n"))
        await asyncio.wait_for(environment.firewall.entered.wait(), 60)
        assert not first.done()
        idle = asyncio.ensure_future(world.enforcer.wait_until_idle())
        connections.gate.set()
        await asyncio.gather(first, second, idle)
        assert [[change.added for change in together] for together, _ in connections.ended] == [[1], [1]]
        waiting = [change for together, _ in connections.ended for change in together]
        assert not any(len(item.whole) for change in waiting for item in change.maps)

    connections = SlowConnections()
    environment = Environment(tmp_path, fetcher=FakeFetcher({FEED: b""}), connections=connections)
    run(environment, config_of(Source(id=FEED, url="http://192.0.2.9/")), life)


async def enforce(world: DaemonWorld, body: bytes) -> Change:
    content = parse(body, Format()).addresses
    return await world.enforcer.enforce(FEED, hash_of(content.encode()), content)
