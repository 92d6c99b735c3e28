"""banlistctl timers: when each source is polled next."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import Command, PageContext, no_fields
from banlistd.control.page import Column, Page, Table, due_in, moment, number, since
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts


class TimerRow(TypedDict):
    """`due_at` null: at once. `every`: seconds. `schedule`: the same as a configuration has it; a time of day is in UTC.
    `suspended`: paused or pinned, or both; then it is not polled, and `due_at` is the time before.
    """

    id: str
    due_at: float | None
    every: float
    schedule: str
    polled_at: float | None
    failures: int
    suspended: list[str]


async def _answer(parts: "Parts", _: tuple[()]) -> list[TimerRow]:
    from banlistd.core.config.kinds import EVERY
    from banlistd.model import Poll

    polls = await parts.polls()
    rows: list[TimerRow] = []
    for source in parts.service.config.sources:
        if source.enabled:
            poll = polls.get(source.id) or Poll(source.id)
            rows.append(
                {
                    "id": source.id,
                    "due_at": parts.poll_record.due_at(source, poll) or None,
                    "every": float(source.every),
                    "schedule": EVERY.show(source.every),
                    "polled_at": poll.polled_at,
                    "failures": poll.failures,
                    "suspended": [str(one.kind) for one in parts.suspended.of(source.id)],
                }
            )
    return rows


_COLUMNS = (
    Column("ID"),
    Column("EVERY", right=True, spare=2),
    Column("LAST POLL", spare=3),
    Column("NEXT POLL"),
    Column("AT", spare=4),
    Column("FAILURES", right=True, spare=1),
)


def _page(rows: Sequence[TimerRow], context: PageContext) -> Page:
    if not rows:
        return ["no timers: no sources are enabled"]
    return [Table(_COLUMNS, tuple(_cells(row, context.now) for row in rows))]


def _cells(row: TimerRow, now: float) -> tuple[str, ...]:
    due_at, suspended = row["due_at"], ", ".join(map(printable, row["suspended"]))
    return (
        printable(row["id"]),
        printable(row["schedule"]),
        since(row["polled_at"], now),
        suspended or due_in(due_at, now),
        "" if suspended or due_at is None or due_at <= now else moment(due_at),
        number(row["failures"]),
    )


TIMERS: Command[tuple[()], list[TimerRow]] = Command(
    name="timers",
    help="when each source is polled next",
    method="GET",
    example=[
        {
            "id": "spamhaus-drop",
            "due_at": 1_790_000_000.0,
            "every": 43_200,
            "schedule": "12h",
            "polled_at": 1_790_000_000.0,
            "failures": 0,
            "suspended": [],
        }
    ],
    read=no_fields,
    answer=_answer,
    page=_page,
)
