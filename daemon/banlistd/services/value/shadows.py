"""The time in shadow of sources: remembered across restarts, and announced when it is over."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Self

from banlistd.core.config.model import Config
from banlistd.core.feeds.value.shadow import Shadow, in_shadow, turn_of
from banlistd.core.printing import counted
from banlistd.events import Event, EventName
from banlistd.model import Counter, Remark, SourceId
from banlistd.ports import Announcer, Clock, ShadowLog

ReadTotals = Callable[[], Awaitable[Mapping[SourceId, Counter]]]
"""Reads what was counted of each source, over restarts and reboots. Raises FirewallError."""


class Shadows:
    """`known`: what the log had at the start."""

    def __init__(self, log: ShadowLog, announcer: Announcer, clock: Clock, known: Mapping[SourceId, Shadow]) -> None:
        self._log = log
        self._announcer = announcer
        self._clock = clock
        self._known = dict(known)
        self._turn = asyncio.Lock()

    @classmethod
    async def opened(cls, log: ShadowLog, announcer: Announcer, clock: Clock) -> Self:
        """With what the log has. Raises LedgerError."""
        return cls(log, announcer, clock, {one.source_id: one for one in await log.every()})

    @property
    def known(self) -> Mapping[SourceId, Shadow]:
        """The time in shadow of each source that has one."""
        return self._known

    def now_in_shadow(self, config: Config) -> frozenset[SourceId]:
        """The sources of a configuration that are in shadow at this moment."""
        return in_shadow(config.sources, self._known, self._clock.now())

    def remarks(self) -> Sequence[Remark]:
        """One for each source whose time is over, as long as it has the key."""
        return [
            Remark(f"{one.source_id} is no longer in shadow: {_dropped(one)}", f"banlistctl promote {one.source_id}")
            for one in self._known.values()
            if one.ended_at is not None
        ]

    async def note(self, config: Config, totals: ReadTotals) -> bool:
        """Write down and announce what begins and ends at this moment; whether the firewall has to follow.

        `totals`: tells what was counted. Raises FirewallError, and LedgerError; then nothing is noted, and the next turn
        tries again.
        """
        async with self._turn:
            sources = [source for source in config.sources if source.shadow is not None]
            if not sources and not self._known:
                return False
            packets = {source_id: counter.packets for source_id, counter in (await totals()).items()}
            turn = turn_of(sources, self._known, packets, self._clock.now())
            changed = {one.source_id: one for one in (*turn.come, *turn.over)}
            if changed or turn.gone:
                await self._log.change(list(changed.values()), turn.gone)
            self._known = {name: one for name, one in (self._known | changed).items() if name not in turn.gone}
            for one in turn.over:
                self._announcer.announce(_ended(one))
            return bool(turn.over or turn.come)


def _ended(shadow: Shadow) -> Event:
    source_id = shadow.source_id
    words = f"{source_id} is no longer in shadow: {_dropped(shadow)}: banlistctl promote {source_id}"
    return Event(EventName.SHADOW_ENDED, words, {"SOURCE_ID": source_id, "PACKETS": shadow.packets})


def _dropped(shadow: Shadow) -> str:
    return f"{counted(shadow.packets, 'packet', 'packets')} would have been dropped"
