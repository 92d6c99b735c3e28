"""The state of this host, as it is published over MQTT."""

import asyncio
import datetime as dt
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import TypedDict

from banlistd.control.declaration import Command, no_fields
from banlistd.control.parts import Parts
from banlistd.core.ruleset.ranking import count

_MOST_NAMES = 100
"""Of sources in one list: a message has at most 48 KiB."""


class NodeStateAnswer(TypedDict):
    """`packets`: that the present sources have stopped. `failing`, `held`, `stale`: enabled sources, at most 100 of each:
    whose newest poll failed, whose newest list is in quarantine, whose list is stale. `last_import`: ISO 8601; null: there was
    none. `boot`: when the daemon started, in seconds since the epoch.
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


async def _answer(parts: Parts, _: tuple[()]) -> NodeStateAnswer:
    state = parts.enforcer.state
    enabled = [source for source in parts.service.config.sources if source.enabled]
    figures, counters, runs = await asyncio.gather(parts.figures(), parts.evidence.totals.now(), parts.ledger.history(None, 1))
    stale = figures.stale_since(enabled, parts.clock.now())
    completed = runs[0].completed_at if runs else None
    return {
        "boot": int(parts.started_at),
        "version": _version(),
        "bans": await asyncio.to_thread(count, state) if state else 0,
        "packets": sum(counter.packets for counter in counters.values()),
        "sources": len(enabled),
        "failing": _some(one.id for one in enabled if one.id in figures.polls and figures.polls[one.id][1]),
        "held": _some(one.id for one in enabled if one.id in figures.refusals),
        "stale": _some(one.id for one in enabled if one.id in stale),
        "last_import": None
        if completed is None
        else dt.datetime.fromtimestamp(completed, dt.UTC).isoformat(timespec="seconds"),
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
    },
    read=no_fields,
    answer=_answer,
    page=lambda *_: [],
)
"""Not among the commands of the control socket: only the connection to the broker asks it."""
