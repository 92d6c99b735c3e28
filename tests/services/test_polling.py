"""The timers of thousands of sources begin in groups, so that the event loop has time for others."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from banlistd.core.config.model import Source
from banlistd.model import Action, Outcome, OutcomeKind, SourceId
from banlistd.services.loops.faults import FaultRecorder
from banlistd.services.loops.polling import PollLoop
from support.fakes import FakeAnnouncer
from support.sources import source

MANY = 600


class WaitingScheduler:
    """Counts the timers that have begun; no source is ever due."""

    def __init__(self) -> None:
        self.begun = 0
        self.waiting_for: list[frozenset[SourceId]] = []

    async def until_allow_lists_are_read(self, source_ids: Iterable[SourceId]) -> None:
        self.begun += 1
        self.waiting_for.append(frozenset(source_ids))

    async def is_due(self, _source: Source, _files: Sequence[Path], _sources: int) -> bool:
        await asyncio.Event().wait()
        return True


class NoImporter:
    def place(self, _: SourceId) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def import_source(self, source: Source, *, anyway: bool) -> Outcome:
        raise AssertionError(source, anyway)


async def _polled(source: Source) -> Outcome | None:
    return Outcome(source.id, OutcomeKind.SUSPENDED)


def test_the_timers_of_many_sources_begin_one_group_after_another() -> None:
    sources = [source(SourceId(f"source-{number}"), path=Path("/list")) for number in range(MANY)]
    config = SimpleNamespace(watched=lambda _: ())
    live: Any = SimpleNamespace(enabled={one.id: one for one in sources}, config=config)

    async def life() -> None:
        scheduler = WaitingScheduler()
        loop = PollLoop(
            live, cast("Any", scheduler), NoImporter(), _polled, lambda *_: None, FaultRecorder(FakeAnnouncer()), 60.0
        )
        loop.start_timers()
        await asyncio.sleep(0)
        assert 0 < scheduler.begun < MANY / 2
        loop.start_timers()  # as a reload does meanwhile
        async with asyncio.timeout(60):
            while scheduler.begun < MANY:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0.001)
        await asyncio.gather(loop.timers[-1])
        assert scheduler.begun == MANY
        for timer in loop.timers:
            timer.cancel()
        await asyncio.gather(*loop.timers, return_exceptions=True)

    asyncio.run(life())


def test_the_timers_of_sources_that_allow_begin_first() -> None:
    listing = [source(SourceId(f"source-{number}"), path=Path("/list")) for number in range(MANY)]
    allowing = source(SourceId("allowing"), path=Path("/list"), action=Action.ALLOW)
    live: Any = SimpleNamespace(
        enabled={one.id: one for one in [*listing, allowing]}, config=SimpleNamespace(watched=lambda _: ())
    )

    async def life() -> None:
        scheduler = WaitingScheduler()
        loop = PollLoop(
            live, cast("Any", scheduler), NoImporter(), _polled, lambda *_: None, FaultRecorder(FakeAnnouncer()), 60.0
        )
        loop.start_timers()
        await asyncio.sleep(0)
        assert scheduler.waiting_for[0] == frozenset()
        assert set(scheduler.waiting_for[1:]) == {frozenset({allowing.id})}
        for timer in loop.timers:
            timer.cancel()
        await asyncio.gather(*loop.timers, return_exceptions=True)

    asyncio.run(life())
