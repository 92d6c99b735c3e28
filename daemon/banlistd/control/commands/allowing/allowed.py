"""banlistctl allowed: what is never banned by order of the operator, and where that is written."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from banlistd.control.commands.allowing.rows import ALLOWED_EXAMPLE, AllowedRow, allowed_rows
from banlistd.control.declaration import Command, PageContext, no_fields
from banlistd.control.page import Column, Page, Table, due_in, since
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts


async def _answer(parts: "Parts", _: tuple[()]) -> list[AllowedRow]:
    return await allowed_rows(parts)


_COLUMNS = (
    Column("ADDRESS"),
    Column("ORIGIN", spare=1),
    Column("USER", spare=3),
    Column("SINCE", spare=4),
    Column("UNTIL", spare=2),
    Column("USE", below=True),
    Column("ASKED", below=True),
    Column("COMMENT", below=True),
)


def _page(rows: Sequence[AllowedRow], context: PageContext) -> Page:
    if not rows:
        return ["nothing is allowed (banlistctl protected lists what is never banned all the same)"]
    return [Table(_COLUMNS, tuple(_cells(row, context.now) for row in rows))]


def _cells(row: AllowedRow, now: float) -> tuple[str, ...]:
    return (
        printable(row["address"]),
        printable(row["origin"]),
        printable(row["user"]),
        "" if row["since"] is None else since(row["since"], now),
        "" if row["until"] is None else due_in(row["until"], now),
        ", ".join(printable(text) for text in row.get("addresses", [row["use"]])),
        _asked(row, now),
        printable(row["comment"]),
    )


def _asked(row: AllowedRow, now: float) -> str:
    """Of a host name, how old its answer is, and when it is asked for again."""
    if "answered_at" not in row:
        return ""
    answered, asked = row["answered_at"], row.get("asked_at")
    old = f"answered {since(answered, now)}" if answered is not None else "no answer since the start"
    return f"{old}, asked again {due_in(asked, now) or 'at once'}"


ALL_ALLOWED: Command[tuple[()], list[AllowedRow]] = Command(
    name="allowed",
    help="what is allowed, by the configuration and by command: by whom, why, until when",
    details="What is allowed by command comes first, in the order in which it came, a host name with what it is now, how old"
    " that answer is and when it is asked for again; then the entries of `allow:`, and a row for each list that allows.",
    method="GET",
    example=[
        ALLOWED_EXAMPLE,
        {
            "address": "198.51.100.0/24",
            "origin": "configuration",
            "user": "",
            "use": "",
            "comment": "office",
            "since": None,
            "until": None,
        },
    ],
    read=no_fields,
    answer=_answer,
    page=_page,
)
