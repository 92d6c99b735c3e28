"""banlistctl bans: the manual bans."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from banlistd.control.commands.manual_bans.rows import EXAMPLE, ManualBanRow, named_rows
from banlistd.control.declaration import LIMIT, MAX_ROWS, Argument, Command, PageContext
from banlistd.control.page import Column, Page, Table, due_in, short_duration, since
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.manual.ban_index import BanPlace
    from banlistd.core.ruleset.policy import Policy
    from banlistd.model import ManualBan, Protected


class BansRow(ManualBanRow):
    """`spared`: why a part of it is not banned. `in_force`: whether any part of it is."""

    in_force: bool
    spared: str


def _read(request: "ControlRequest") -> "tuple[int, BanPlace | None]":
    from banlistd.core.manual.manual_bans import read_place

    after = request.text("after")
    return request.limit if "limit" in request.fields else MAX_ROWS, read_place(after) if after else None


async def _answer(parts: "Parts", order: "tuple[int, BanPlace | None]") -> list[BansRow]:
    import asyncio

    from banlistd.services.orders.waiting import NO_SCOPES

    limit, after = order
    bans = parts.banning.newest_first(after, limit)
    policy, protected = parts.enforcer.effective_policy, parts.enforcer.protected
    rows = await asyncio.to_thread(_rows, bans, policy, protected, parts.user_name)
    return [
        row if parts.banning.is_possible(ban) else {**row, "in_force": False, "spared": NO_SCOPES}
        for ban, row in zip(bans, rows, strict=True)
    ]


def _rows(
    bans: "Sequence[ManualBan]", policy: "Policy", protected: "Sequence[Protected]", user_name: Callable[[int], str]
) -> list[BansRow]:
    from banlistd.core.manual.manual_bans import exemptions_of_each

    rows: list[BansRow] = []
    exempt = exemptions_of_each(bans, policy, protected)
    for row, (is_exempt, exemptions) in zip(named_rows(bans, user_name), exempt, strict=True):
        reasons = ", ".join(dict.fromkeys(item.reason for item in exemptions))
        rows.append({**row, "in_force": not is_exempt, "spared": reasons})
    return rows


def _next_page(fields: Mapping[str, object], rows: list[BansRow]) -> Mapping[str, object] | None:
    """All bans without `limit`; with it, one page."""
    if "limit" in fields or len(rows) < MAX_ROWS:
        return None
    last = rows[-1]
    return {**fields, "after": f"{last['created_at']!r}|{last['address']}|{last['origin']}"}


_COLUMNS = (
    Column("ADDRESS"),
    Column("ORIGIN", spare=1),
    Column("USER", spare=3),
    Column("SINCE", spare=4),
    Column("UNTIL", spare=2),
    Column("ONLY", below=True),
    Column("UNCONFIRMED", below=True),
    Column("NOT BANNED", below=True),
    Column("COMMENT", below=True),
)


def _page(rows: Sequence[BansRow], context: PageContext) -> Page:
    if not rows:
        return ["there are no manual bans"]
    return [Table(_COLUMNS, tuple(_cells(row, context.now) for row in rows))]


def _cells(row: BansRow, now: float) -> tuple[str, ...]:
    return (
        printable(row["address"]),
        printable(row["origin"]),
        printable(row["user"]),
        since(row["created_at"], now),
        "" if row["expires_at"] is None else due_in(row["expires_at"], now),
        printable(row["packets"]),
        _trial(row, now),
        printable(row["spared"]) if row["in_force"] else f"all of it: {printable(row['spared'])}",
        printable(row["comment"]),
    )


def _trial(row: BansRow, now: float) -> str:
    if row["confirm_by"] is None:
        return ""
    return f"lifted in {short_duration(row['confirm_by'] - now)} without banlistctl confirm {printable(row['address'])}"


BANS: "Command[tuple[int, BanPlace | None], list[BansRow]]" = Command(
    name="bans",
    help="manual bans: by whom, why, until when",
    details=f"The newest come first. The daemon answers in pages of at most {MAX_ROWS} bans; without --limit, every page is"
    " asked for. The next page is the one after the last ban of a page: its created_at, address and origin, with bars between.",
    method="GET",
    example=[{**EXAMPLE, "in_force": True, "spared": ""}],
    arguments=(
        LIMIT._replace(help=f"one page of 1 to {MAX_ROWS} bans; default: all bans", default=None),
        Argument("--after", "BAN", "begin after this ban: CREATED_AT|ADDRESS|ORIGIN"),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    next_page=_next_page,
)
