"""The configuration in force, and the policy that follows from it."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from banlistd.core.config.model import Config, Source
from banlistd.core.config.values import closest
from banlistd.core.ruleset.policy import Policy, identities, policy_of
from banlistd.errors import NoSuchSourceError
from banlistd.model import Mark, Marker, SourceId
from banlistd.ports import Clock, Ledger


class LiveConfig:
    """`markers`: reads the applied-state markers, so that a ledger that was lost takes over their marks. `shadowed`: the
    sources that are in shadow at this moment.
    """

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        markers: Callable[[], Awaitable[Sequence[Marker]]],
        shadowed: Callable[[Config], Collection[SourceId]],
        clock: Clock,
    ) -> None:
        self._config = config
        self._enabled = enabled_sources(config)
        self._ledger = ledger
        self._markers = markers
        self._shadowed = shadowed
        self._clock = clock
        self._marks: Mapping[SourceId, Mark] = {}
        self._replaced = asyncio.Event()

    @property
    def config(self) -> Config:
        return self._config

    @property
    def enabled(self) -> Mapping[SourceId, Source]:
        """The sources that are polled."""
        return self._enabled

    def named(self, source_ids: Sequence[SourceId]) -> Sequence[Source]:
        """These of them; all, if none is named. Raises NoSuchSourceError."""
        for source_id in source_ids:
            if source_id not in self._enabled:
                near = closest(source_id, self._enabled)
                hint = f"did you mean {near}?" if near else "banlistctl sources lists them"
                raise NoSuchSourceError(f"no enabled source is called {source_id!r}", hint)
        return [self._enabled[source_id] for source_id in source_ids or self._enabled]

    def replace(self, config: Config) -> Config:
        """Put another configuration in force; returns the one before."""
        before, self._config = self._config, config
        self._enabled = enabled_sources(config)
        self._replaced.set()
        self._replaced = asyncio.Event()
        return before

    async def wait_for_another(self, config: Config) -> None:
        """Until another configuration than this one is in force."""
        while self._config is config:
            await self._replaced.wait()

    async def policy(self, config: Config) -> Policy:
        """The policy of a configuration at this moment. Raises LedgerError and FirewallError for a source without a mark."""
        # The ledger is asked once for each source: drift is repaired even when the disk fails.
        if not set(identities(config)) <= self._marks.keys():
            self._marks = await self._marks_for(config)
        # In a thread: of 5,000 sources it takes 30 ms (measured), for which the event loop would pause every ten seconds.
        return await asyncio.to_thread(policy_of, config, self._marks, self._clock.now(), self._shadowed(config))

    async def read_marks_again(self) -> None:
        """For a ledger that was replaced."""
        self._marks = await self._marks_for(self._config)

    async def _marks_for(self, config: Config) -> Mapping[SourceId, Mark]:
        return await self._ledger.marks_for(identities(config), await self._markers())


def enabled_sources(config: Config) -> Mapping[SourceId, Source]:
    return {source.id: source for source in config.sources if source.enabled}
