"""Which refusals of reports are announced: many may come, and each event costs those who follow them."""

from banlistd.core.fleet.reports.judging import ReportRefusal, WhyNot
from banlistd.core.printing import counted, quoted
from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Clock

MOST_IN_A_MINUTE = 10
_MINUTE, _HOUR = 60.0, 3600.0

_MOST_REMEMBERED = 4096
"""Pairs of a node and a reason: with the rights of a broker, topics of any name can be written to."""


class Refusals:
    """Of each node each reason once in an hour, and of all together ten in a minute; more are only counted."""

    def __init__(self, announcer: Announcer, clock: Clock) -> None:
        self._announcer = announcer
        self._clock = clock
        self._announced: dict[tuple[str, WhyNot], float] = {}
        self._minute = 0.0
        self._in_minute = 0
        self._silent = 0

    def note(self, refusal: ReportRefusal) -> None:
        now, key = self._clock.monotonic(), (refusal.node, refusal.why)
        if now - self._minute >= _MINUTE:
            self._minute, self._in_minute = now, 0
        last = self._announced.get(key)
        if (last is not None and now - last < _HOUR) or self._in_minute >= MOST_IN_A_MINUTE:
            self._silent += 1
            return
        self._announced.pop(key, None)
        self._announced[key] = now
        if len(self._announced) > _MOST_REMEMBERED:
            del self._announced[next(iter(self._announced))]
        self._in_minute += 1
        more = f"; {counted(self._silent, 'other was', 'others were')} refused since the last event" if self._silent else ""
        self._silent = 0
        node = quoted(refusal.node, 40)
        words = f"a report of {node} is refused: {refusal.message}{more}"
        self._announcer.announce(Event(EventName.REPORT_REFUSED, words, {"NODE": node, "REASON": str(refusal.why)}))
