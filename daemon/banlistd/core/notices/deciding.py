"""Which events make a notice now: cool-down, what happened during it, and recovery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from banlistd.core.config.service.notify import Notify
from banlistd.core.notices.notice import Happening, Notice
from banlistd.core.notices.recovery import ended_by, lasts
from banlistd.events import EventName, Priority

ALWAYS = frozenset(map(str, (EventName.EVENTS_LOST, EventName.DAEMON_SILENT, EventName.NOTICE_TEST)))
"""What the receivers are sent whatever `events` says: without them, silence would look like peace."""

_URGENT = frozenset({Priority.ERROR.level})

EventKey = tuple[str, str]
"""Name of the event and id of the source."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is remembered of one event of one source.

    `until`: end of the cool-down, in seconds since the epoch. `left_out`: events since the last notice that made none.
    `newest`: the last of them, if what it reports is not over. `is_reported`: the receivers were sent the beginning, and not
    the end.
    """

    until: float
    left_out: int = 0
    newest: Happening | None = None
    is_reported: bool = False


Courses = Mapping[EventKey, Course]


@dataclass(frozen=True, slots=True)
class NoticeDecision:
    courses: Courses
    notices: Sequence[Notice]


def decide_notices(notify: Notify, courses: Courses, happenings: Sequence[Happening], now: float) -> NoticeDecision:
    """The notices of new events, and of cool-downs that have ended by `now` (seconds since the epoch)."""
    selected = frozenset(map(str, notify.selected)) | ALWAYS
    # After a step of the clock back, no cool-down may last longer than it is configured to.
    kept = {key: replace(course, until=min(course.until, now + notify.cool_down)) for key, course in courses.items()}
    notices: list[Notice] = []
    for happening in happenings:
        for begin in sorted(ended_by(happening.name)):
            _end(notify, kept, (begin, happening.source), happening, notices, now)
        if happening.name == EventName.NOTICE_TEST:
            notices.append(Notice(happening, now, is_urgent=True))
        elif happening.name in selected:
            _begin(notify, kept, happening, notices, now)
    _look_at_ends(notify, kept, notices, now)
    return NoticeDecision(kept, notices)


def _begin(notify: Notify, courses: dict[EventKey, Course], happening: Happening, notices: list[Notice], now: float) -> None:
    course = courses.get(happening.key)
    if course is not None and now < course.until:
        courses[happening.key] = replace(course, left_out=course.left_out + 1, newest=happening)
        return
    notices.append(Notice(happening, now, course.left_out if course else 0, is_urgent=happening.level in _URGENT))
    courses[happening.key] = Course(now + notify.cool_down, is_reported=lasts(happening.name))


def _end(
    notify: Notify, courses: dict[EventKey, Course], key: EventKey, happening: Happening, notices: list[Notice], now: float
) -> None:
    course = courses.get(key)
    if course is None:
        return
    if course.is_reported and notify.recovered:
        notices.append(Notice(happening, now, course.left_out, ended=key[0]))
    # The cool-down goes on: what comes and goes again and again makes two notices at most in the time of one.
    courses[key] = replace(course, newest=None, is_reported=False, left_out=0 if course.is_reported else course.left_out)


def _look_at_ends(notify: Notify, courses: dict[EventKey, Course], notices: list[Notice], now: float) -> None:
    for key, course in list(courses.items()):
        if now < course.until:
            continue
        if course.newest is not None:
            urgent = course.newest.level in _URGENT
            notices.append(Notice(course.newest, now, course.left_out - 1, is_urgent=urgent))
            courses[key] = Course(now + notify.cool_down, is_reported=course.is_reported or lasts(key[0]))
        elif not course.is_reported:
            del courses[key]
