"""banlistctl ban, unban, bans: manual bans."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import LIMIT, MAX_ROWS, NOT_FOUND, Argument, Command, Completes, PageContext
from banlistd.control.own_session import AUTO, own_session
from banlistd.control.page import Column, Page, Table, due_in, moment, short_duration, since
from banlistd.core.printing import counted, printable
from banlistd.errors import FirewallError, LedgerError, RefusedError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.ban_index import BanPlace
    from banlistd.core.manual_bans import BanOrder, UnbanOrder
    from banlistd.core.ruleset.policy import Policy
    from banlistd.model import ManualBan, Protected

# An order waits for the transaction that is under way, which may be one of a million elements.
_SECONDS = 60.0


class ManualBanRow(TypedDict):
    """`address`: an address, a network, or both ends of a range. Times in seconds since the epoch; `expires_at` null: never.

    `user`: who ordered it; empty where that is not known.
    """

    address: str
    origin: str
    user: str
    comment: str
    created_at: float
    expires_at: float | None


class ExemptionRow(TypedDict):
    address: str
    reason: str


class BansRow(ManualBanRow):
    """`spared`: why a part of it is not banned. `in_force`: whether any part of it is."""

    in_force: bool
    spared: str


class BanAnswer(ManualBanRow):
    """`new`: whether this origin had not banned it before. `spared`: the parts that are not banned."""

    new: bool
    spared: list[ExemptionRow]


class UnbanAnswer(TypedDict):
    """`removed`: empty if there was no such ban. `still`: the source that bans a single address nevertheless. `within`: manual
    bans of networks and ranges around a single address, in force still.
    """

    address: str | None
    origin: str | None
    removed: list[ManualBanRow]
    still: str | None
    within: list[ManualBanRow]


async def ban_rows(bans: "Sequence[ManualBan]") -> list[ManualBanRow]:
    import asyncio

    return await asyncio.to_thread(_named_rows, bans)


def _named_rows(bans: "Sequence[ManualBan]") -> list[ManualBanRow]:
    from banlistd.adapters.host.peer import user_name

    users = {uid: "" if uid is None else user_name(uid) for uid in {ban.uid for ban in bans}}
    return [_ban_row(ban, users[ban.uid]) for ban in bans]


def _ban_row(ban: "ManualBan", user: str) -> ManualBanRow:
    from banlistd.core.addresses.text import span_text

    return {
        "address": span_text(ban.span),
        "origin": ban.origin,
        "user": user,
        "comment": ban.comment,
        "created_at": ban.created_at,
        "expires_at": ban.expires_at,
    }


def _read_ban(request: "ControlRequest") -> "BanOrder":
    from banlistd.core.manual_bans import read_ban

    return read_ban(request.fields, request.uid)


async def _ban(parts: "Parts", order: "BanOrder") -> BanAnswer:
    done = await parts.banning.carry_out(order)
    (ban,) = done.bans
    spared: list[ExemptionRow] = [{"address": item.address, "reason": item.reason} for item in done.exemptions]
    (row,) = await ban_rows([ban])
    return {**row, "new": done.is_new, "spared": spared}


def _read_unban(request: "ControlRequest") -> "UnbanOrder":
    from banlistd.core.manual_bans import read_unban

    return read_unban(request.fields)


async def _unban(parts: "Parts", order: "UnbanOrder") -> UnbanAnswer:
    from banlistd.control.lookups import owner_of
    from banlistd.core.addresses.text import span_text

    done = await parts.banning.carry_out(order)
    is_single = order.span is not None and order.span[1] == order.span[2]
    owner = owner_of(parts.enforcer.state, *order.span[:2]) if order.span and is_single else None
    around = parts.banning.containing(*order.span[:2]) if order.span and is_single else ()
    return {
        "address": span_text(order.span) if order.span else None,
        "origin": order.origin,
        "removed": await ban_rows(done.bans),
        "still": owner.source_id if owner is not None and owner.action.blocks else None,
        "within": await ban_rows([ban for ban in around if ban.span != order.span]),
    }


def _read_bans(request: "ControlRequest") -> "tuple[int, BanPlace | None]":
    from banlistd.core.manual_bans import read_place

    after = request.text("after")
    return request.limit if "limit" in request.fields else MAX_ROWS, read_place(after) if after else None


async def _bans(parts: "Parts", order: "tuple[int, BanPlace | None]") -> list[BansRow]:
    import asyncio

    limit, after = order
    bans = parts.banning.newest_first(after, limit)
    return await asyncio.to_thread(_rows, bans, parts.enforcer.policy, parts.enforcer.protected)


def _rows(bans: "Sequence[ManualBan]", policy: "Policy", protected: "Sequence[Protected]") -> list[BansRow]:
    from banlistd.core.manual_bans import exemptions_of_each

    rows: list[BansRow] = []
    exempt = exemptions_of_each(bans, policy, protected)
    for row, (is_exempt, exemptions) in zip(_named_rows(bans), exempt, strict=True):
        reasons = ", ".join(dict.fromkeys(item.reason for item in exemptions))
        rows.append({**row, "in_force": not is_exempt, "spared": reasons})
    return rows


def _next_page(fields: Mapping[str, object], rows: list[BansRow]) -> Mapping[str, object] | None:
    """All bans without `limit`; with it, one page."""
    if "limit" in fields or len(rows) < MAX_ROWS:
        return None
    last = rows[-1]
    return {**fields, "after": f"{last['created_at']!r}|{last['address']}|{last['origin']}"}


def _ban_page(answer: BanAnswer, context: PageContext) -> Page:
    address, origin, expires_at = printable(answer["address"]), printable(answer["origin"]), answer["expires_at"]
    left = "" if expires_at is None else f" ({short_duration(expires_at - context.now)})"
    before = "" if answer["new"] else f"; {origin} had banned it before"
    line = f"{address} is banned {until_when(expires_at)}{left}{before}"
    return [line, *(f"  but not {printable(item['address'])}: {printable(item['reason'])}" for item in answer["spared"])]


def until_when(expires_at: float | None) -> str:
    return "permanently" if expires_at is None else f"until {moment(expires_at)}"


def _unban_page(answer: UnbanAnswer, _: PageContext) -> Page:
    still, removed = answer["still"], answer["removed"]
    if answer["address"] is None:
        return [f"{counted(len(removed), 'ban', 'bans')} of {printable(answer['origin'])} lifted"]
    address = printable(answer["address"])
    lift = " and ".join(f"banlistctl unban {printable(row['address'])}" for row in answer["within"])
    way_out = lift or f"banlistctl check {address}"
    though = f"; it is still banned by {printable(still)} (try: {way_out})" if still is not None else ""
    if not removed:
        return [f"{address} has no manual ban{though or ' (banlistctl bans lists them)'}"]
    origins = ", ".join(printable(row["origin"]) for row in removed)
    return [f"{address} is no longer banned by {origins}{though}"]


_COLUMNS = (
    Column("ADDRESS"),
    Column("ORIGIN", spare=1),
    Column("USER", spare=3),
    Column("SINCE", spare=4),
    Column("UNTIL", spare=2),
    Column("NOT BANNED", below=True),
    Column("COMMENT", below=True),
)


def _bans_page(rows: Sequence[BansRow], context: PageContext) -> Page:
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
        printable(row["spared"]) if row["in_force"] else f"all of it: {printable(row['spared'])}",
        printable(row["comment"]),
    )


_ADDRESS = Argument("address", "ADDRESS", "an address, a CIDR network or a range a-b")
_EXAMPLE: ManualBanRow = {
    "address": "203.0.113.7",
    "origin": "fail2ban/sshd",
    "user": "root",
    "comment": "5 failures",
    "created_at": 1_790_000_000.0,
    "expires_at": 1_790_000_600.0,
}

BAN: "Command[BanOrder, BanAnswer]" = Command(
    name="ban",
    help="ban an address, a CIDR network or a range at once",
    details="The manual ban is in effect when the command returns. It takes precedence over every source, and survives restart,"
    " reboot and flush. Each origin bans for itself: an address is banned as long as one origin bans it. A ban of an allowed"
    " or reserved address, or of the host's own addresses, gateways and networks inside, is refused; other protection yields.",
    method="POST",
    example={**_EXAMPLE, "new": True, "spared": []},
    arguments=(
        _ADDRESS,
        Argument("--for", "TIME", "how long: 90s, 15m, 1h, 1d; default: permanently"),
        Argument("--origin", "NAME", "in whose name; each origin bans for itself; default: operator"),
        Argument("--comment", "TEXT", "why, for people"),
        Argument("--force", "", "ban even the address that the own session comes from", is_flag=True),
        Argument(
            "--session",
            "ADDRESS",
            "where the own session comes from; default: as sshd or logind says",
            kind=own_session,
            default=AUTO,
        ),
    ),
    read=_read_ban,
    answer=_ban,
    page=_ban_page,
    exits={
        64: "it is the address of the own session (--force)",
        65: "the address must never be banned, or the origin has too many bans",
        71: "the firewall did not accept the ban",
    },
    errors=(RefusedError, FirewallError, LedgerError),
    timeout=_SECONDS,
)

UNBAN: "Command[UnbanOrder, UnbanAnswer]" = Command(
    name="unban",
    help="lift a manual ban, or all bans of an origin",
    details="Without --origin, the bans of every origin are lifted; without an address, all bans of the origin.",
    method="POST",
    example={"address": "203.0.113.7", "origin": None, "removed": [_EXAMPLE], "still": None, "within": []},
    arguments=(
        _ADDRESS._replace(nargs="?", completes=Completes.MANUAL_BANS),
        Argument("--origin", "NAME", "of this origin only; without an address: all its bans"),
    ),
    read=_read_unban,
    answer=_unban,
    page=_unban_page,
    exits={NOT_FOUND: "there was no such ban"},
    errors=(FirewallError, LedgerError),
    judge=lambda answer: 0 if answer["removed"] else NOT_FOUND,
    timeout=_SECONDS,
)

BANS: "Command[tuple[int, BanPlace | None], list[BansRow]]" = Command(
    name="bans",
    help="manual bans: by whom, why, until when",
    details=f"The newest come first. The daemon answers in pages of at most {MAX_ROWS} bans; without --limit, every page is"
    " asked for. The next page is the one after the last ban of a page: its created_at, address and origin, with bars between.",
    method="GET",
    example=[{**_EXAMPLE, "in_force": True, "spared": ""}],
    arguments=(
        LIMIT._replace(help=f"one page of 1 to {MAX_ROWS} bans; default: all bans", default=None),
        Argument("--after", "BAN", "begin after this ban: CREATED_AT|ADDRESS|ORIGIN"),
    ),
    read=_read_bans,
    answer=_bans,
    page=_bans_page,
    next_page=_next_page,
)
