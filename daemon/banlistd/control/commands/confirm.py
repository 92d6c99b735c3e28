"""banlistctl confirm: keep what was put in force with `--confirm`, a configuration or a ban."""

from typing import TYPE_CHECKING, NotRequired, TypedDict

from banlistd.control.commands.manual_bans.rows import BAN_ADDRESS, ORDER_SECONDS, ManualBanRow, ban_rows, until_when
from banlistd.control.commands.manual_bans.targets import OneTarget, with_prefix6
from banlistd.control.declaration import Command, Completes, PageContext
from banlistd.control.page import Page
from banlistd.core.printing import counted, printable
from banlistd.errors import FirewallError, LedgerError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.manual_bans import ConfirmOrder


class ConfirmAnswer(TypedDict):
    """`sources`: how many are configured now. `bans`: those that are confirmed; only where an address was given."""

    sources: int
    bans: NotRequired[list[ManualBanRow]]


def _read(request: "ControlRequest") -> OneTarget | None:
    from banlistd.core.manual_bans import read_confirm

    if "address" not in request.fields:
        return None
    read_confirm(request.fields)
    return OneTarget(request.fields, request.uid)


async def _answer(parts: "Parts", asked: OneTarget | None) -> ConfirmAnswer:
    from banlistd.core.manual_bans import read_confirm

    sources = len(parts.service.config.sources)
    if asked is not None:
        return {"sources": sources, "bans": await _confirmed_bans(parts, read_confirm(with_prefix6(parts, asked.fields)))}
    try:
        await parts.service.confirm()
    except UsageError as error:
        hint = _waiting_bans(parts)
        raise (UsageError(error.message, hint) if hint else error) from error
    return {"sources": sources}


async def _confirmed_bans(parts: "Parts", order: "ConfirmOrder") -> list[ManualBanRow]:
    """Raises UsageError if no ban of these addresses waits, and LedgerError: then none was confirmed."""
    from banlistd.core.addresses.text import span_text

    if parts.storage.fault:
        raise LedgerError(f"the confirmation cannot be written down: {parts.storage.fault}", "try again, or wait")
    done = await parts.banning.carry_out(order)
    if not done.bans:
        words = f"no ban of {span_text(order.span)} waits for its confirmation"
        raise UsageError(words, _waiting_bans(parts) or "it was confirmed already, or its time is over: banlistctl bans")
    return await ban_rows(done.bans, parts.user_name)


def _waiting_bans(parts: "Parts") -> str:
    """What waits for a confirmation, for a hint; empty where nothing does."""
    from banlistd.core.addresses.text import span_text

    waiting = parts.banning.unconfirmed()
    others = f" (and {len(waiting) - 1} more: banlistctl bans)" if len(waiting) > 1 else ""
    return f"a ban waits: banlistctl confirm {span_text(waiting[-1].span)}{others}" if waiting else ""


def _page(answer: ConfirmAnswer, _: PageContext) -> Page:
    if "bans" in answer:
        return [f"{printable(row['address'])} is banned {until_when(row)}: confirmed" for row in answer["bans"]]
    return [f"the configuration is confirmed: {counted(answer['sources'], 'source', 'sources')}"]


CONFIRM: "Command[OneTarget | None, ConfirmAnswer]" = Command(
    name="confirm",
    help="keep the configuration that reload --confirm tries, or a ban that ban --confirm tries",
    details="Without an address it confirms the configuration, with one the manual bans of exactly these addresses that wait"
    " for it, of every origin. Unless it comes in time the configuration before comes back, and the ban is lifted.",
    method="POST",
    arguments=(BAN_ADDRESS._replace(nargs="?", completes=Completes.MANUAL_BANS),),
    example={"sources": 12},
    read=_read,
    answer=_answer,
    page=_page,
    errors=(UsageError, FirewallError, LedgerError),
    exits={64: "nothing waits for its confirmation"},
    timeout=ORDER_SECONDS,
)
