"""banlistctl unban: lift manual bans."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.commands.manual_bans.rows import BAN_ADDRESS, EXAMPLE, ORDER_SECONDS, ManualBanRow, ban_rows
from banlistd.control.declaration import NOT_FOUND, Argument, Command, Completes, PageContext
from banlistd.control.page import Page
from banlistd.core.printing import counted, printable
from banlistd.errors import FirewallError, LedgerError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.manual_bans import UnbanOrder


class UnbanAnswer(TypedDict):
    """`removed`: empty if there was no such ban. `still`: the source that bans a single address nevertheless. `within`: manual
    bans of networks and ranges around a single address, in force still.
    """

    address: str | None
    origin: str | None
    removed: list[ManualBanRow]
    still: str | None
    within: list[ManualBanRow]


def _read(request: "ControlRequest") -> "UnbanOrder":
    from banlistd.core.manual_bans import read_unban

    return read_unban(request.fields)


async def _answer(parts: "Parts", order: "UnbanOrder") -> UnbanAnswer:
    from banlistd.control.lookups import owner_of
    from banlistd.core.addresses.text import span_text

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


def _page(answer: UnbanAnswer, _: PageContext) -> Page:
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


UNBAN: "Command[UnbanOrder, UnbanAnswer]" = Command(
    name="unban",
    help="lift a manual ban, or all bans of an origin",
    details="Without --origin, the bans of every origin are lifted; without an address, all bans of the origin.",
    method="POST",
    example={"address": "203.0.113.7", "origin": None, "removed": [EXAMPLE], "still": None, "within": []},
    arguments=(
        BAN_ADDRESS._replace(nargs="?", completes=Completes.MANUAL_BANS),
        Argument("--origin", "NAME", "of this origin only; without an address: all its bans"),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    exits={NOT_FOUND: "there was no such ban"},
    errors=(FirewallError, LedgerError),
    judge=lambda answer: 0 if answer["removed"] else NOT_FOUND,
    timeout=ORDER_SECONDS,
)
