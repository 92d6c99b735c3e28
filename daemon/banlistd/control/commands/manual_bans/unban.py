"""banlistctl unban: lift manual bans."""

from typing import TYPE_CHECKING, TypedDict, TypeGuard

from banlistd.control.commands.manual_bans.rows import EXAMPLE, ORDER_SECONDS, ManualBanRow, ban_rows
from banlistd.control.commands.manual_bans.targets import (
    BANNED_ADDRESSES,
    MOST_OCTETS,
    PREFIX6,
    ManyLines,
    OneTarget,
    one_request,
    with_prefix6,
)
from banlistd.control.declaration import NOT_FOUND, Argument, Command, PageContext
from banlistd.control.page import Page
from banlistd.core.printing import counted, printable
from banlistd.errors import FirewallError, LedgerError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest


class UnbanAnswer(TypedDict):
    """`removed`: empty if there was no such ban. `still`: the source that bans a single address nevertheless. `within`: manual
    bans of networks and ranges around a single address, in force still.
    """

    address: str | None
    origin: str | None
    removed: list[ManualBanRow]
    still: str | None
    within: list[ManualBanRow]


class UnbansAnswer(TypedDict):
    """Of an order about many: how many bans were lifted, and how many lines had none."""

    lifted: int
    absent: int


def _read(request: "ControlRequest") -> OneTarget | ManyLines:
    from banlistd.core.manual.manual_bans import read_unban

    if isinstance(request.fields.get("address"), list):
        return ManyLines(request.fields, request.uid)
    read_unban(request.fields)
    return OneTarget(request.fields, request.uid)


async def _answer_many(parts: "Parts", lines: ManyLines) -> UnbansAnswer:
    import asyncio

    from banlistd.services.orders.mass_orders import read_mass_unban

    done = await parts.banning.carry_out(await asyncio.to_thread(read_mass_unban, with_prefix6(parts, lines.fields)))
    return {"lifted": len(done.bans), "absent": done.absent}


async def _answer(parts: "Parts", asked: OneTarget | ManyLines) -> UnbanAnswer | UnbansAnswer:
    if isinstance(asked, ManyLines):
        return await _answer_many(parts, asked)
    from banlistd.control.lookups import owner_of
    from banlistd.core.addresses.text import span_text
    from banlistd.core.manual.manual_bans import read_unban

    order = read_unban(with_prefix6(parts, asked.fields))
    done = await parts.banning.carry_out(order)
    is_single = order.span is not None and order.span[1] == order.span[2]
    owner = owner_of(parts.enforcer.state, *order.span[:2]) if order.span and is_single else None
    around = parts.banning.containing(*order.span[:2]) if order.span and is_single else ()
    return {
        "address": span_text(order.span) if order.span else None,
        "origin": order.origin,
        "removed": await ban_rows(done.bans, parts.user_name),
        "still": owner.source_id if owner is not None and owner.action.blocks else None,
        "within": await ban_rows([ban for ban in around if ban.span != order.span], parts.user_name),
    }


def _is_many(answer: UnbanAnswer | UnbansAnswer) -> TypeGuard[UnbansAnswer]:
    return "lifted" in answer


def _is_one(answer: UnbanAnswer | UnbansAnswer) -> TypeGuard[UnbanAnswer]:
    return "removed" in answer


def _judge(answer: UnbanAnswer | UnbansAnswer) -> int:
    if _is_many(answer):
        return 0 if answer["lifted"] else NOT_FOUND
    if _is_one(answer):
        return 0 if answer["removed"] else NOT_FOUND
    raise KeyError("removed")


def _page(answer: UnbanAnswer | UnbansAnswer, _: PageContext) -> Page:
    if _is_many(answer):
        absent = f"; {counted(answer['absent'], 'line', 'lines')} without a manual ban" if answer["absent"] else ""
        return [f"{counted(answer['lifted'], 'ban', 'bans')} lifted{absent}"]
    if _is_one(answer):
        return _page_of_one(answer)
    raise KeyError("removed")


def _page_of_one(answer: UnbanAnswer) -> Page:
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


UNBAN: "Command[OneTarget | ManyLines, UnbanAnswer | UnbansAnswer]" = Command(
    name="unban",
    help="lift manual bans, or all bans of an origin",
    details="Without --origin, the bans of every origin are lifted; without an address, all bans of the origin. Several"
    " addresses, or the lines of standard input (-), are one transaction, and lines are those that `ban` takes.",
    method="POST",
    example={"address": "203.0.113.7", "origin": None, "removed": [EXAMPLE], "still": None, "within": []},
    arguments=(
        BANNED_ADDRESSES,
        PREFIX6,
        Argument("--origin", "NAME", "of this origin only; without an address: all its bans"),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    exits={NOT_FOUND: "there was no such ban"},
    errors=(FirewallError, LedgerError),
    judge=_judge,
    timeout=ORDER_SECONDS,
    requests=one_request,
    max_body=MOST_OCTETS,
)
