"""Connections end beside later changes, and those of several changes together."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from adapters.firewalls.holdings import ALPHA, addresses, change_of, services, state
from banlistd.core.addresses.canonical import hash_of
from banlistd.core.addresses.sets import Ranges
from banlistd.core.config.model import Source
from banlistd.core.feeds.content import Content
from banlistd.core.manual.manual_bans import read_ban
from banlistd.core.ruleset.diff import Change, difference
from banlistd.model import ServiceEndpoint, SourceId
from banlistd.services.joining.connection_endings import ConnectionEndings
from banlistd.services.null_objects import NoConnections
from support.fakes import FakeFetcher
from support.sources import config_of
from worlds import DaemonWorld, Environment, run

FEED = SourceId("feed")
LISTED = addresses("192.0.2.3")


class SlowConnections(NoConnections):
    """Each end waits for `gate`."""

    def __init__(self) -> None:
        self.began, self.gate = asyncio.Event(), asyncio.Event()
        self.ended: list[tuple[Sequence[Change], Sequence[ServiceEndpoint]]] = []

    async def end(self, changes: Sequence[Change], answers: Sequence[ServiceEndpoint], allowed: Ranges | None = None) -> None:
        self.began.set()
        await self.gate.wait()
        self.ended.append((changes, answers))


def ban(text: str) -> Change:
    return difference(None, state([ALPHA], {"alpha": addresses(text)}))


def test_changes_that_come_meanwhile_end_theirs_together() -> None:
    asyncio.run(_end_some_while_others_end())


async def _end_some_while_others_end() -> None:
    connections, changes = SlowConnections(), [ban(f"192.0.2.{number}") for number in range(1, 5)]
    endings = ConnectionEndings(connections)
    endings.begin(changes[0], ())
    await connections.began.wait()
    for change in changes[1:]:
        endings.begin(change, services("192.0.2.53 udp 53"))
    idle = asyncio.ensure_future(endings.wait_until_idle())
    connections.gate.set()
    await idle
    banned = [[int(change.maps[0].add.first[0]) & 0xFF for change in together] for together, _ in connections.ended]
    assert banned == [[1], [2, 3, 4]]
    assert [list(answers) for _, answers in connections.ended] == [[], list(services("192.0.2.53 udp 53"))]
    # The whole maps do not stay in memory until then.
    assert not any(len(item.whole) for together, _ in connections.ended for change in together for item in change.maps)


def test_a_change_that_bans_nothing_waits_for_none() -> None:
    async def change_nothing() -> None:
        endings = ConnectionEndings(connections)
        endings.begin(change_of(state([ALPHA], {})), ())
        await endings.wait_until_idle()

    connections = SlowConnections()
    asyncio.run(change_nothing())
    assert connections.ended == []


def test_the_next_bans_are_in_force_while_connections_of_the_last_one_end(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        connections.began, connections.gate = asyncio.Event(), asyncio.Event()
        first = asyncio.ensure_future(order(world, "203.0.113.1"))
        await connections.began.wait()
        assert world.banned() == {"203.0.113.1"}
        assert world.enforcer.state is not None
        await world.enforcer.enforce_all([Content(FEED, hash_of(LISTED.encode()), LISTED)])
        environment.firewall.entered.clear()
        second = asyncio.ensure_future(order(world, "203.0.113.2"))
        await asyncio.wait_for(environment.firewall.entered.wait(), 60)
        assert not first.done()
        await world.enforcer.wait_until_idle()  # a repair and `status` do not wait for the end of connections
        ended = asyncio.ensure_future(world.enforcer.connections_ended())
        await world.manual_bans.wait_until_idle()
        assert world.banned() == {"203.0.113.1", "203.0.113.2", "192.0.2.3"}
        assert not any(each.done() for each in (first, second, ended))
        connections.gate.set()
        await asyncio.gather(first, second, ended)
        assert [[change.added for change in together] for together, _ in connections.ended] == [[1], [1, 1]]

    connections = SlowConnections()
    environment = Environment(tmp_path, fetcher=FakeFetcher({FEED: b""}), connections=connections)
    run(environment, config_of(Source(id=FEED, url="http://192.0.2.9/")), life)


async def order(world: DaemonWorld, address: str) -> None:
    await world.manual_bans.carry_out(read_ban({"address": address}))
