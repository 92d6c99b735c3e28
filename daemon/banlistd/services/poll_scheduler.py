"""When each source is polled next: by what the ledger remembers, by what this process remembers, or because it is woken."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from banlistd.core.config.model import Source
from banlistd.core.feeds.evaluate import fetch_key_of
from banlistd.core.feeds.schedule import catch_up_delay, wait_for
from banlistd.model import Outcome, OutcomeKind, Poll, SourceId
from banlistd.ports import BlockingCalls, Clock, Ledger
from banlistd.services.file_stamps import FileStamps
from banlistd.services.imports.parts_under_way import PartsUnderWay
from banlistd.services.imports.publishers import Publishers
from banlistd.services.joining.coalescer import Coalescer, Take

# How often a local list is looked at for a new time stamp.
WATCH_EVERY = 2.0

# Seconds that a poll waits for the stamps of its files before it goes on without, and a look at all files for one of them.
ANSWER_WITHIN = 5.0

_WITH_CONTENT = (OutcomeKind.COMPLETED, OutcomeKind.LOST_RACE, OutcomeKind.SKIPPED)

# So many files that do not answer are left out one by one, further ones with their folders: each keeps a thread.
_FEW_SILENT = 4

# How often the clock is looked at: asyncio's timers stop while the machine sleeps, `Clock.monotonic` does not.
LOOK_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class WaitingTimes:
    """In seconds. `first_polls`: how long a combination waits for those of its parts. `allow_lists`: how long other sources
    wait for the first polls of those that allow. `catch_up`: by how much a missed poll of a source is put off, among so many
    sources.
    """

    watch_every: float = WATCH_EVERY
    look_every: float = LOOK_EVERY
    answer_within: float = ANSWER_WITHIN
    first_polls: float = 60.0
    allow_lists: float = 30.0
    catch_up: Callable[[SourceId, int], float] = catch_up_delay


class PollScheduler:
    """`stamps`: of local files; `calls`: where they are looked at. `parts`: of combinations."""

    def __init__(
        self,
        ledger: Ledger,
        publishers: Publishers,
        stamps: FileStamps,
        clock: Clock,
        calls: BlockingCalls,
        parts: PartsUnderWay,
        times: WaitingTimes = WaitingTimes(),
    ) -> None:
        self._ledger = ledger
        self._publishers = publishers
        self._calls = calls
        self._files = stamps
        self._watch = _Watch(stamps, calls, times)
        self._clock = clock
        self._parts = parts
        self._times = times
        self._polls = Coalescer(self._read_polls)
        self._reading = asyncio.Lock()
        self._wakes: dict[SourceId, asyncio.Event] = {}
        self._stamps: dict[SourceId, str] = {}
        # Sources whose file was not looked at in their last poll, which brought nothing.
        self._unread: set[SourceId] = set()
        # Of each source the recipe of the last poll, and the moment before which it is not polled again.
        self._rests: dict[SourceId, tuple[str, float]] = {}
        # Sources that were waited for, and of those whose poll was missed the moment to which it is put off.
        self._seen: set[SourceId] = set()
        self._put_off: dict[SourceId, float] = {}

    def wake(self, source_ids: Iterable[SourceId] | None = None) -> None:
        """Let those who wait read ledger and configuration again; None: all."""
        for source_id in self._wakes if source_ids is None else source_ids:
            if source_id in self._wakes:
                self._wakes[source_id].set()

    async def begin(self, source: Source, files: Sequence[Path]) -> None:
        """A poll begins: what is written from now on to the files that the source is made of is not to be missed."""
        self._put_off.pop(source.id, None)
        if source.combination:
            self._stamps[source.id] = self._parts.stamp(source)
        elif [*files] == [source.path]:
            self._files.take(source.id)  # the one that reads it notes the stamp, first of all
        elif files:
            self._stamps[source.id] = await self._stamp_now(source.id, files)

    async def _stamp_now(self, source_id: SourceId, files: Sequence[Path]) -> str:
        """Empty where the files do not answer: they count as changed once they do."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._times.answer_within):
                return await self._calls.run(source_id, partial(self._files.of, files))
        return ""

    def end(self, source: Source, outcome: Outcome) -> None:
        """A poll has ended. What was taken without a look at the file, as approved content is, leaves the stamp as it is:
        a file that has changed since is polled then.
        """
        stamp = self._files.take(source.id)
        if stamp is not None:
            self._stamps[source.id] = stamp
        elif source.path and outcome.kind not in _WITH_CONTENT:
            self._unread.add(source.id)
        self._rests[source.id] = fetch_key_of(source), self._clock.monotonic() + outcome.delay

    def expect(self, source_ids: Iterable[SourceId]) -> None:
        """Sources are about to be polled, each until it is left."""
        self._parts.expect(source_ids)

    def leave(self, source_id: SourceId) -> None:
        """The poll of a source is over, however it ended: let the combinations that it is a part of look at it."""
        self.wake(self._parts.leave(source_id))

    async def until_allow_lists_are_read(self, source_ids: Iterable[SourceId]) -> None:
        """Wait until each of them has content, or was polled once since the start, but not for long."""
        await self._parts.until_read_once(source_ids, self._times.allow_lists)

    async def is_due(self, source: Source, files: Sequence[Path], sources: int) -> bool:
        """Wait until the source is due, or one of its files or parts changes. `sources`: how many are enabled.

        False where it was woken, so that configuration and ledger are to be read again.
        """
        is_due = await self._is_due(source, files, sources)
        if is_due:
            self._parts.expect([source.id])
        return is_due

    async def _is_due(self, source: Source, files: Sequence[Path], sources: int) -> bool:
        wake = self._wakes.setdefault(source.id, asyncio.Event())
        (poll,) = await self._polls.submit(source.id)
        fetch_key = fetch_key_of(source)
        # A list that is read from another place now, or in another format, is not the one that was polled.
        moved = poll.validators.fetch_key not in ("", fetch_key)
        left = 0.0 if moved else wait_for(poll, now=self._clock.now(), every=source.every)
        rest = await self._publishers.rest(source, poll)
        deadline = self._clock.monotonic() + max(left, rest.seconds if rest else 0.0)
        # If the ledger could not record the due time, the source is not polled in a loop.
        polled, until = self._rests.get(source.id, ("", 0.0))
        deadline = max(deadline, until) if polled == fetch_key else deadline
        if source.id not in self._seen and not left and not moved and poll.content_hash is not None:
            self._put_poll_off(source, sources)  # missed while no daemon ran; a first import waits for nothing
        self._seen.add(source.id)
        deadline = max(deadline, self._put_off.get(source.id, 0.0))
        if source.id in self._unread:
            self._unread.discard(source.id)
            self._stamps[source.id] = await self._stamp_now(source.id, files)
        stamp = self._stamps.get(source.id, poll.validators.etag)
        if source.combination:
            if await self._parts.are_first_polled(source) and await self._is_woken(wake):
                return False
            if self._parts.stamp(source) != stamp:
                deadline = self._clock.monotonic()
            if deadline <= self._clock.monotonic():
                await self._parts.until_at_rest(source)
        with self._watch.over(files, stamp, wake) as watched:
            while (left := deadline - self._clock.monotonic()) > 0 or self._was_missed(source, -left):
                if left <= 0:
                    deadline = self._put_poll_off(source, sources)
                    continue
                try:
                    async with asyncio.timeout(min(left, self._times.look_every)):
                        await wake.wait()
                except TimeoutError:
                    continue
                wake.clear()
                return watched.changed
        return True

    async def _read_polls(self, take: Take[SourceId]) -> Sequence[Poll]:
        """What the ledger has of polling these sources: a start with thousands of them asks once."""
        async with self._reading:
            source_ids = take()
            if len(source_ids) == 1:
                return [await self._ledger.poll(source_ids[0])]
            polls = await self._ledger.polls(source_ids)
            return [polls.get(source_id) or Poll(source_id) for source_id in source_ids]

    async def _is_woken(self, wake: asyncio.Event) -> bool:
        """Whether a first poll of a part ends soon; that of a publisher who wants a pause does not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._times.first_polls):
                await wake.wait()
            wake.clear()
            return True
        return False

    def _was_missed(self, source: Source, late: float) -> bool:
        """Whether a poll is so late that the machine must have slept."""
        return late > self._times.look_every and source.id not in self._put_off

    def _put_poll_off(self, source: Source, sources: int) -> float:
        """Put a missed poll off, once; returns until when. What is at hand here is asked for at once."""
        delay = self._times.catch_up(source.id, sources) if source.url else 0.0
        return self._put_off.setdefault(source.id, self._clock.monotonic() + delay)


@dataclass(slots=True, eq=False)
class _Watched:
    """Files of one source, the stamp that they had, and who is to be woken once they have another."""

    files: Sequence[Path]
    stamp: str
    wake: asyncio.Event
    changed: bool = False


@dataclass(slots=True, eq=False)
class _Turn:
    """One look at the files of some sources, in a thread. `stamps`: those of the first of them; `at`: what it looks at now."""

    watched: Sequence[_Watched]
    stamps: list[str] = field(default_factory=list)
    at: Sequence[Path] = ()
    is_over: bool = False

    def look(self, stamps: FileStamps) -> None:
        for each in self.watched:
            self.at = each.files
            self.stamps.append(stamps.of(each.files))


class _Watch:
    """Looks at the files of all sources that wait, in one turn and in a thread of its own. A file on a dead disk keeps that
    thread, and is left out until it has come back.

    A timer for each of 60 files took more than all else that an idle daemon does (measured: 0.1 % of a core, not 0.02 %).
    """

    def __init__(self, stamps: FileStamps, calls: BlockingCalls, times: WaitingTimes) -> None:
        self._stamps = stamps
        self._calls = calls
        self._every, self._patience = times.watch_every, times.answer_within
        self._watched: set[_Watched] = set()
        self._looking: asyncio.Task[None] | None = None
        # Files that do not answer, and folders, by the turns that have not come back.
        self._silent: dict[_Turn, frozenset[Path]] = {}

    @contextmanager
    def over(self, files: Sequence[Path], stamp: str, wake: asyncio.Event) -> Iterator[_Watched]:
        """While it is waited for `wake`."""
        watched = _Watched(files, stamp, wake)
        if files:
            self._watched.add(watched)
            if self._looking is None or self._looking.done():
                self._looking = asyncio.ensure_future(self._look())
        try:
            yield watched
        finally:
            self._watched.discard(watched)

    async def _look(self) -> None:
        while self._watched:
            await asyncio.sleep(self._every)
            silent = frozenset[Path]().union(*self._silent.values())
            turn = _Turn([each for each in self._watched if not _are_among(each.files, silent)])
            await self._take(turn)
            for each, stamp in zip(turn.watched, turn.stamps, strict=False):
                # Not for a source that waits no longer: the same event serves its next wait.
                if stamp != each.stamp and each in self._watched:
                    each.changed = True
                    each.wake.set()

    async def _take(self, turn: _Turn) -> None:
        """Wait until a turn is over, or comes no further."""
        running = asyncio.ensure_future(self._calls.run(turn, partial(turn.look, self._stamps), lambda _: self._is_back(turn)))
        seen = -1
        while not running.done() and seen < len(turn.stamps):
            seen = len(turn.stamps)
            await asyncio.wait([running], timeout=self._patience)
        if running.done():
            running.exception()  # seen: no thread can be started now
            return
        running.cancel()
        # A link beside it may lead to a disk that answers.
        is_one_of_few = len(self._silent) < _FEW_SILENT
        self._silent[turn] = frozenset(turn.at if is_one_of_few else (file.parent for file in turn.at))
        if turn.is_over or not turn.at:
            self._silent.pop(turn, None)

    def _is_back(self, turn: _Turn) -> None:
        """In the thread of the turn."""
        turn.is_over = True
        self._silent.pop(turn, None)


def _are_among(files: Sequence[Path], silent: Collection[Path]) -> bool:
    return bool(silent) and any(file in silent or file.parent in silent for file in files)
