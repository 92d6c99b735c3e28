"""banlistctl events: what has happened since the daemon started, and what happens."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.declaration import LIMIT, ONE_SOURCE, Argument, Command, PageContext
from banlistd.control.page import Page, second
from banlistd.core.printing import counted, printable
from banlistd.errors import NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.services.telling.event_stream import NumberedEvent

_PLACE = re.compile(r"([0-9]{1,15}):([0-9]{1,12})", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,2}", re.ASCII)
_MOST_SECONDS = 30
_FOLLOWING = 20  # seconds; an answer without events shows a reader that the daemon is there
_AT_ONCE = 1000


class EventEntry(TypedDict):
    """One event. `at`: seconds since the epoch. `level`: as syslog names it. `fields`: those of the journal."""

    at: float
    level: str
    name: str
    message: str
    fields: dict[str, str | int | float]


class EventsAnswer(TypedDict):
    """`after`: the place to go on from. `lost`: events since the place asked for that are no longer there."""

    after: str
    lost: int
    events: list[EventEntry]


class EventsOrder(NamedTuple):
    """`start` and `number`: the place, of the start and the number of the last event read; None: the newest events."""

    source: str | None
    limit: int
    start: int | None
    number: int
    wait: int


def _read(request: "ControlRequest") -> EventsOrder:
    after, wait = request.text("after"), request.text("wait")
    place = _PLACE.fullmatch(after)
    if after and place is None:
        raise UsageError("after: is no place in the events", "the value of `after` of the answer before")
    if wait and not (_SECONDS.fullmatch(wait) and int(wait) <= _MOST_SECONDS):
        raise UsageError("wait: is no number of seconds", f"0 to {_MOST_SECONDS}")
    start, number = (int(place[1]), int(place[2])) if place else (None, 0)
    return EventsOrder(request.source, request.limit, start, number, int(wait or 0))


async def _answer(parts: "Parts", order: EventsOrder) -> EventsAnswer:
    source_id = None if order.source is None else _source_id(parts, order.source)
    # A place of an earlier start: everything of this one comes after it.
    start = int(parts.started_at * 1000)
    if order.start is None:
        reading = parts.events.newest(order.limit, source_id)
    else:
        number = order.number if order.start == start else 0
        reading = await parts.events.wait_after(number, order.limit, order.wait, source_id)
    return {
        "after": f"{start}:{reading.last}",
        "lost": reading.lost,
        "events": [_entry(each) for each in reading.events],
    }


def _source_id(parts: "Parts", name: str) -> str:
    from banlistd.model import MANUAL

    return name if name == MANUAL else parts.source(name).id


def _entry(each: "NumberedEvent") -> EventEntry:
    kind = each.event.name.kind
    return {
        "at": each.at,
        "level": kind.priority.level,
        "name": kind.name,
        "message": each.event.message,
        "fields": dict(each.event.fields),
    }


def _page(answer: EventsAnswer, _: PageContext) -> Page:
    return _lines(answer)


def _lines(answer: EventsAnswer) -> list[str]:
    lost = answer["lost"]
    return [
        *([f"{counted(lost, 'event', 'events')} lost: the daemon keeps the newest ones only"] if lost else []),
        *(_line(each) for each in answer["events"]),
    ]


def _line(event: EventEntry) -> str:
    return f"{second(event['at'])}  {printable(event['level']):7}  {printable(event['message'])}  [{printable(event['name'])}]"


def _stream(fields: Mapping[str, object], is_json: bool, ask: Callable[[Mapping[str, object]], EventsAnswer]) -> Iterator[str]:
    asked = {key: value for key, value in fields.items() if key != "follow"}
    answer = ask(asked)
    yield _text(answer, is_json=is_json)
    while fields.get("follow"):
        answer = ask({**asked, "after": answer["after"], "wait": _FOLLOWING, "limit": _AT_ONCE})
        if answer["events"] or answer["lost"]:
            yield _text(answer, is_json=is_json)


def _text(answer: EventsAnswer, *, is_json: bool) -> str:
    return "".join(f"{line}\n" for line in ([json.dumps(answer)] if is_json else _lines(answer)))


EVENTS: Command[EventsOrder, EventsAnswer] = Command(
    name="events",
    help="what has happened since the daemon started, and what happens",
    details="The newest events, of all sources or of one, as in the journal; the daemon keeps the last 2,000 in memory, and"
    " `journalctl -u banlistd` has the older ones. With --follow, new events are printed as they come, until the daemon stops."
    " --json prints one document a line for each answer: `events`, `lost` (events that came faster than they were read) and"
    " `after`, the place to go on from. With `wait`, the daemon answers such a request when there is an event, or after so many"
    " seconds without one.",
    method="GET",
    example={
        "after": "1790000000000:7",
        "lost": 0,
        "events": [
            {
                "at": 1_790_000_000.0,
                "level": "info",
                "name": "blocklist_import_skipped",
                "message": "drop: unchanged, the firewall holds it",
                "fields": {"SOURCE_ID": "drop"},
            }
        ],
    },
    arguments=(
        ONE_SOURCE,
        LIMIT,
        Argument("--follow", "", "print new events as they come", is_flag=True),
        Argument("--after", "PLACE", "what came after a place that the control API gave"),
        Argument("--wait", "SECONDS", f"after a place: wait for an event, at most so long (0 to {_MOST_SECONDS})"),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    errors=(UsageError, NoSuchSourceError),
    timeout=60.0,
    stream=_stream,
)
