"""The running banlistd-notify: one loop that reads events, and one task for each receiver."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from banlistd.core.notices.deciding import decide_notices
from banlistd.core.notices.notice import Happening, Notice
from banlistd.core.notices.state import NoticeState
from banlistd.core.printing import counted, quoted
from banlistd.errors import BanlistdError, LedgerError
from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Clock, Supervisor
from banlistd.ports.notices import EventReader, EventsAfter, NoticeStore
from banlistd.services.notices.deliveries import Deliveries
from banlistd.services.notices.settings import NoticeSettings

_WAIT = 20  # seconds that the daemon waits for an event; the ends of cool-downs are looked for as often
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds until the daemon is asked again
_TEST = str(EventName.NOTICE_TEST)


class NoticeService:
    """`read_settings`: of the configuration as it is now; raises BanlistdError. `jitter`: 0 to 1, at random."""

    def __init__(
        self,
        reader: EventReader,
        store: NoticeStore,
        read_settings: Callable[[], NoticeSettings],
        announcer: Announcer,
        clock: Clock,
        supervisor: Supervisor,
        jitter: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._store = store
        self._read_settings = read_settings
        self._announcer = announcer
        self._clock = clock
        self._supervisor = supervisor
        self._settings = read_settings()
        self._first: list[Happening] = []
        self._state = self._loaded()
        self._fault = ""
        self._deliveries = Deliveries(self._settings, self._state.queues, self._save, announcer, clock, jitter)
        self._answered_at = clock.monotonic()
        course = self._state.courses.get((str(EventName.DAEMON_SILENT), ""))
        self._is_silent = course is not None and course.is_reported
        self._pause = _FIRST_PAUSE

    @property
    def has_receivers(self) -> bool:
        return bool(self._settings.receivers)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set."""
        self._deliveries.use(self._settings)
        reading = asyncio.create_task(self._read_on())
        stopping = asyncio.create_task(stop.wait())
        try:
            self._supervisor.ready()
            # A fault of the loop ends the service: systemd starts it again, and it goes on from its place.
            await asyncio.wait([reading, stopping], return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            self._supervisor.stopping()
            for task in (reading, stopping):
                task.cancel()
            await asyncio.gather(reading, stopping, return_exceptions=True)
            await self._deliveries.stop()
            self._save()

    def reload(self) -> None:
        """Raises BanlistdError; then the settings stay as they are."""
        self._settings = self._read_settings()
        self._deliveries.use(self._settings)

    async def _read_on(self) -> None:
        while True:
            try:
                reading = await self._reader.read(self._state.place, _WAIT)
            except BanlistdError as error:
                self._take(self._state, self._silence(error))
                await asyncio.sleep(self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            else:
                self._pause = _FIRST_PAUSE
                self._take_read(reading)

    def _take_read(self, reading: EventsAfter) -> None:
        own = [*self._answers(), *self._losses(reading)]
        happenings = [*own, *reading.happenings]
        names = [happening.name for happening in reading.happenings]
        is_new = reading.place != self._state.place
        has_ended = names[-1] == EventName.SERVICE_STOPPED if names else self._state.has_ended and not is_new
        state = replace(self._state, place=reading.place, has_ended=has_ended)
        if EventName.CONFIG_RELOADED in names:
            with suppress(BanlistdError):  # the daemon has read it, so it can be read; if not, `--check` says why
                self.reload()
        self._take(state, happenings)

    def _take(self, state: NoticeState, new: Sequence[Happening]) -> None:
        """Decide, write down, and only then deliver."""
        happenings = [*self._first, *new]
        self._first = []
        now = self._clock.now()
        before = (self._state.place, self._state.courses, self._deliveries.queues.copy())
        if self._settings.urls:
            decision = decide_notices(self._settings.notify, state.courses, happenings, now)
            state = replace(state, courses=decision.courses)
            for name in self._settings.urls:
                self._deliveries.put(name, decision.notices)
        for name, events in self._settings.hook_events.items():
            chosen = [Notice(one, now, is_urgent=True) for one in happenings if one.name in events or one.name == _TEST]
            self._deliveries.put(name, chosen)
        self._state = state
        if before != (state.place, state.courses, self._deliveries.queues):
            self._save()
            self._deliveries.wake()
        receivers = counted(len(self._settings.receivers), "receiver", "receivers")
        self._supervisor.status(f"{receivers}, {counted(self._deliveries.waiting, 'notice waits', 'notices wait')}")

    def _silence(self, error: BanlistdError) -> Sequence[Happening]:
        silence = self._settings.notify.silence
        seconds = self._clock.monotonic() - self._answered_at
        if self._is_silent or not silence or seconds < silence:
            return []
        self._is_silent = True
        words = f"banlistd has not answered for {seconds:.0f} s: {quoted(str(error))}"
        return [self._happened(Event(EventName.DAEMON_SILENT, words, {"REASON": str(error)}))]

    def _answers(self) -> Sequence[Happening]:
        self._answered_at = self._clock.monotonic()
        if not self._is_silent:
            return []
        self._is_silent = False
        return [self._happened(Event(EventName.DAEMON_ANSWERS, "banlistd answers again"))]

    def _losses(self, reading: EventsAfter) -> Sequence[Happening]:
        before, after = (place.partition(":")[0] for place in (self._state.place, reading.place))
        words = []
        if before and before != after and not self._state.has_ended:
            words.append(
                "the daemon ended without its last event, or while this service did not run; its last events may be lost"
            )
        if reading.lost:
            words.append(f"{counted(reading.lost, 'event', 'events')} came faster than they were read")
        reason = "; ".join(words)
        return [self._lost(reason)] if reason else []

    def _lost(self, reason: str) -> Happening:
        return self._happened(Event(EventName.EVENTS_LOST, f"events were not read: {reason}", {"REASON": reason}))

    def _happened(self, event: Event) -> Happening:
        """An event of our own: in the journal, and for the receivers."""
        self._announcer.announce(event)
        return Happening(self._clock.now(), event.name.kind.priority.level, event.name, event.message, event.fields)

    def _loaded(self) -> NoticeState:
        try:
            return self._store.load()
        except LedgerError as error:
            self._first.append(self._lost(str(error)))
            return NoticeState()

    def _save(self) -> None:
        """A disk that cannot be written delays no notice."""
        try:
            self._store.save(replace(self._state, queues=self._deliveries.queues))
            self._fault = ""
        except LedgerError as error:
            if not self._fault:
                self._announcer.announce(Event(EventName.LEDGER_FAULT, f"banlistd-notify: {error}", {"REASON": str(error)}))
            self._fault = str(error)
