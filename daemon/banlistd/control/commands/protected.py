"""banlistctl protected: the addresses that no source bans, or not wholly, and why; and an order to forget one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, TypeGuard, cast

from banlistd.control.commands.allowing.holes import HoleRow, hole_page, hole_rows
from banlistd.control.declaration import NOT_FOUND, Argument, Command, PageContext
from banlistd.control.page import Column, Page, Table, due_in, since
from banlistd.core.printing import printable
from banlistd.errors import FirewallError, LedgerError, RefusedError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.model import Family


class ProtectedRow(TypedDict):
    """`sources`: those that list it. `carved`: whether it would be banned without the protection. `banned`: it is banned,
    wholly or in part, because a manual ban overrides the protection.

    `scope`: what passes from it: `everything`, or answers of some services, where a list that has it bans the rest.
    `learned`: a manual ban overrides it. `since`, `until`: seconds since the epoch, null where they are not known, or the
    protection lasts as long as its reason.
    """

    address: str
    reason: str
    scope: str
    learned: bool
    since: float | None
    until: float | None
    sources: list[str]
    carved: bool
    banned: bool


def _read(request: "ControlRequest") -> bool:
    """Whether the holes are asked for."""
    text = request.text("holes").lower()
    if text not in ("", "true", "false"):
        raise UsageError(f"holes={text[:60]!a} is not possible", "true or false")
    return text == "true"


async def _answer(parts: "Parts", holes: bool) -> list[ProtectedRow | HoleRow]:
    if holes:
        return [*await hole_rows(parts)]
    return [*_protected_rows(parts)]


def _protected_rows(parts: "Parts") -> list[ProtectedRow]:
    from banlistd.core.addresses.text import span_text

    hits = {hit.protected: hit for hit in parts.enforcer.hits}
    return [
        {
            "address": span_text(item.span),
            "reason": item.reason,
            "scope": item.scope,
            "learned": item.learned,
            "since": item.since,
            "until": item.until,
            "sources": [*hits[item].sources] if item in hits else [],
            "carved": item in hits and hits[item].carved,
            "banned": item in hits and hits[item].overridden,
        }
        for item in parts.enforcer.protected
    ]


class ForgetAnswer(TypedDict):
    """`forgotten`: false where no login from there was remembered. `still`: why it is protected all the same, or empty."""

    address: str
    forgotten: bool
    still: str


def _read_forget(request: "ControlRequest") -> tuple["Family", int]:
    from banlistd.control.lookups import read_address

    return read_address(str(request.fields.get("address", "")))


async def _forget(parts: "Parts", order: tuple["Family", int]) -> ForgetAnswer:
    from banlistd.control.lookups import protections_of
    from banlistd.core.addresses.text import span_text

    forgotten = await parts.host.forget(order)
    if forgotten:
        await parts.enforcer.reconcile()
    family, number = order
    still = ", ".join(item.reason for item in protections_of(parts.enforcer.protected, family, number))
    return {"address": span_text((family, number, number)), "forgotten": forgotten, "still": still}


_COLUMNS = (
    Column("ADDRESS"),
    Column("REASON", spare=2),
    Column("SCOPE", below=True),
    Column("SINCE", spare=5),
    Column("UNTIL", spare=4),
    Column("LISTED BY", below=True),
    Column("WOULD BE BANNED", spare=3),
)


def _page(rows: Sequence[ProtectedRow | HoleRow], context: PageContext) -> Page:
    holes = [row for row in rows if _is_hole(row)]
    if holes:
        return hole_page(holes)
    if not rows:
        return ["nothing is protected, or with --holes: nothing of it is on a list"]
    return [Table(_COLUMNS, tuple(_cells(cast("ProtectedRow", row), context.now) for row in rows))]


def _is_hole(row: ProtectedRow | HoleRow) -> TypeGuard[HoleRow]:
    return "allowed" in row


def _cells(row: ProtectedRow, now: float) -> tuple[str, ...]:
    return (
        printable(row["address"]),
        printable(row["reason"]),
        printable(row["scope"]),
        "" if row["since"] is None else since(row["since"], now),
        due_in(row["until"], now),
        ", ".join(printable(name) for name in row["sources"]),
        "it is, by a manual ban" if row["banned"] else "yes" if row["carved"] else "no" if row["sources"] else "",
    )


def _forget_page(answer: ForgetAnswer, _: PageContext) -> Page:
    address, still = printable(answer["address"]), printable(answer["still"])
    first = "is forgotten" if answer["forgotten"] else "has no remembered login (banlistctl protected lists them)"
    return [f"{address} {first}{f'; it is still protected: {still}' if still else ''}"]


PROTECTED: Command[bool, list[ProtectedRow | HoleRow]] = Command(
    name="protected",
    help="addresses that no source bans, or from which answers pass, to prevent lock-out: why, for how long, and the sources"
    " that list them",
    details="A manual ban overrides protection that was learned: remote logins, resolvers, feed hosts, time and DHCP servers,"
    " WireGuard endpoints, the other ends of tunnels."
    " The scope says what passes: everything, or only the answers of some services, while lists ban the rest of the address."
    " With --holes: which entries of which list each allow entry cuts, and how many of their addresses are not banned for it.",
    method="GET",
    example=[
        {
            "address": "192.0.2.1",
            "reason": "gateway",
            "scope": "everything",
            "learned": False,
            "since": None,
            "until": None,
            "sources": ["spamhaus-drop"],
            "carved": True,
            "banned": False,
        },
        {
            "address": "203.0.113.53",
            "reason": "resolver",
            "scope": "answers from udp 53, tcp 53, tcp 853",
            "learned": True,
            "since": None,
            "until": None,
            "sources": ["office-bans"],
            "carved": True,
            "banned": False,
        },
        {
            "address": "203.0.113.7",
            "reason": "earlier remote session",
            "scope": "everything",
            "learned": True,
            "since": 1_790_000_000.0,
            "until": 1_792_592_000.0,
            "sources": [],
            "carved": False,
            "banned": False,
        },
    ],
    arguments=(
        Argument("--holes", "", "what each allow entry cuts out of the lists, and what it costs: addresses", is_flag=True),
    ),
    read=_read,
    answer=_answer,
    page=_page,
)

PROTECTED_FORGET: "Command[tuple[Family, int], ForgetAnswer]" = Command(
    name="protected forget",
    help="no longer protect an address for a login of the past",
    details="An address with a session now cannot be forgotten.",
    method="POST",
    example={"address": "203.0.113.7", "forgotten": True, "still": ""},
    arguments=(Argument("address", "ADDRESS", "an address that logged in"),),
    read=_read_forget,
    answer=_forget,
    page=_forget_page,
    exits={NOT_FOUND: "no login from there was remembered", 65: "the address has a session now"},
    errors=(RefusedError, FirewallError, LedgerError),
    judge=lambda answer: 0 if answer["forgotten"] else NOT_FOUND,
)
