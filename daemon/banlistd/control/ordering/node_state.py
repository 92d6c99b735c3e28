"""The state of this host, as it is published over MQTT."""

import asyncio
import datetime as dt
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, NotRequired, TypedDict

from banlistd.control.declaration import Command, no_fields
from banlistd.control.parts import Parts
from banlistd.core.ruleset.ranking import count
from banlistd.core.ruleset.state import FirewallState

if TYPE_CHECKING:
    from banlistd.services.fleet.fleet_lists import FleetLists

_MOST_NAMES = 100
"""Of sources in one list: a message has at most 48 KiB."""


_FEW = 50_000
"""Elements: to count so many takes 0.3 ms (measured). More are counted in a thread."""

_DIGITS = 16
"""Of a content hash."""


class FleetInState(TypedDict):
    """What a node has of its fleet: versions of root and timestamp, and when they were last proven, in seconds since the epoch.
    `lists`: the content in force of each list, at most 100, by 16 digits of its hash: who compares them with what the hub has
    published sees a node that is behind, or that has what was never published.
    """

    root: int
    timestamp: int
    at: int
    lists: dict[str, str]


class NodeStateAnswer(TypedDict):
    """`packets`: that the present sources have stopped. `failing`, `held`, `stale`: enabled sources, at most 100 of each:
    whose newest poll failed, whose newest list is in quarantine, whose list is stale. `last_import`: ISO 8601; null: there was
    none. `boot`: when the daemon started, in seconds since the epoch. `fleet`: of a machine that takes lists of one.
    """

    boot: int
    version: str
    bans: int
    packets: int
    sources: int
    failing: list[str]
    held: list[str]
    stale: list[str]
    last_import: str | None
    fleet: NotRequired[FleetInState]


async def _answer(parts: Parts, _: tuple[()]) -> NodeStateAnswer:
    state = parts.enforcer.state
    enabled = [source for source in parts.service.config.sources if source.enabled]
    figures, counters, runs = await asyncio.gather(parts.figures(), parts.evidence.totals.now(), parts.ledger.history(None, 1))
    stale, refused = figures.stale_since(enabled, parts.clock.now()), figures.refused
    completed = runs[0].completed_at if runs else None
    answer: NodeStateAnswer = {
        "boot": int(parts.started_at),
        "version": _version(),
        "bans": await _counted(state) if state else 0,
        "packets": sum(counter.packets for counter in counters.values()),
        "sources": len(enabled),
        "failing": _some(one.id for one in enabled if one.id in figures.polls and figures.polls[one.id][1]),
        "held": _some(one.id for one in enabled if one.id in refused),
        "stale": _some(one.id for one in enabled if one.id in stale),
        "last_import": None
        if completed is None
        else dt.datetime.fromtimestamp(completed, dt.UTC).isoformat(timespec="seconds"),
    }
    if lists := parts.fleet():
        answer["fleet"] = await _fleet(parts, lists)
    return answer


async def _counted(state: FirewallState) -> int:
    return count(state) if len(state) <= _FEW else await asyncio.to_thread(count, state)


async def _fleet(parts: Parts, lists: "FleetLists") -> FleetInState:
    state = await lists.state()
    sources = sorted((one.hub, one.id) for one in parts.service.config.sources if one.hub and one.enabled)[:_MOST_NAMES]
    contents = [(name, parts.enforcer.content(source_id)) for name, source_id in sources]
    return {
        "root": state.root_version,
        "timestamp": state.timestamp_version,
        "at": int(state.floor),
        "lists": {name: one.content_hash[:_DIGITS] for name, one in contents if one is not None and not one.adopted},
    }


def _some(names: Iterable[str]) -> list[str]:
    return sorted(names)[:_MOST_NAMES]


@cache
def _version() -> str:
    return version("banlistd")


NODE_STATE: Command[tuple[()], NodeStateAnswer] = Command(
    name="node state",
    help="the state that is published over MQTT",
    method="GET",
    example={
        "boot": 1_795_000_000,
        "version": "0.1.0",
        "bans": 1_000_123,
        "packets": 88_123,
        "sources": 12,
        "failing": [],
        "held": [],
        "stale": [],
        "last_import": "2026-11-27T15:00:00+00:00",
        "fleet": {"root": 3, "timestamp": 5012, "at": 1_795_791_000, "lists": {"ssh": "c391eda6d691b329"}},
    },
    read=no_fields,
    answer=_answer,
    page=lambda *_: [],
)
"""Not among the commands of the control socket: only the connection to the broker asks it."""
