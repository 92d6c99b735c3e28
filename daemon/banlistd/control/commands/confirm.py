"""banlistctl confirm: keep what was put in force with `--confirm`, a configuration or a ban."""

from typing import TYPE_CHECKING, NotRequired, TypedDict

from banlistd.control.commands.manual_bans.rows import ORDER_SECONDS, ManualBanRow, ban_rows, until_when
from banlistd.control.commands.manual_bans.targets import (
    BANNED_ADDRESSES,
    MOST_OCTETS,
    ManyLines,
    OneTarget,
    one_request,
    with_prefix6,
)
from banlistd.control.declaration import Command, PageContext
from banlistd.control.page import Page
from banlistd.core.printing import counted, printable
from banlistd.errors import FirewallError, LedgerError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.manual.manual_bans import ConfirmOrder


class ConfirmAnswer(TypedDict):
    """`sources`: how many are configured now. `bans`: those that are confirmed; only where one address was given. `confirmed`,
    `absent`: of an order about many, how many bans were confirmed, and how many lines had none that waits.
    """

    sources: int
    bans: NotRequired[list[ManualBanRow]]
    confirmed: NotRequired[int]
    absent: NotRequired[int]


def _read(request: "ControlRequest") -> OneTarget | ManyLines | None:
    from banlistd.core.manual.manual_bans import read_confirm

    if isinstance(request.fields.get("address"), list):
        return ManyLines(request.fields, request.uid)
    if "address" not in request.fields:
        return None
    read_confirm(request.fields)
    return OneTarget(request.fields, request.uid)


async def _answer(parts: "Parts", asked: OneTarget | ManyLines | None) -> ConfirmAnswer:
    from banlistd.core.manual.manual_bans import read_confirm

    sources = len(parts.service.config.sources)
    if isinstance(asked, ManyLines):
        return await _answer_many(parts, asked)
    if asked is not None:
        return {"sources": sources, "bans": await _confirmed_bans(parts, read_confirm(with_prefix6(parts, asked.fields)))}
    try:
        await parts.service.confirm()
    except UsageError as error:
        hint = _waiting_bans(parts)
        raise (UsageError(error.message, hint) if hint else error) from error
    return {"sources": sources}


async def _answer_many(parts: "Parts", lines: ManyLines) -> ConfirmAnswer:
    import asyncio

    from banlistd.services.orders.mass_orders import read_mass_confirm

    order = await asyncio.to_thread(read_mass_confirm, with_prefix6(parts, lines.fields))
    _require_disk(parts)
    done = await parts.banning.carry_out(order)
    if not done.bans:
        raise UsageError("no ban of these addresses waits for its confirmation", _waiting_bans(parts) or _NONE_WAITS)
    return {"sources": len(parts.service.config.sources), "confirmed": len(done.bans), "absent": done.absent}


_NONE_WAITS = "it was confirmed already, or its time is over: banlistctl bans"


def _require_disk(parts: "Parts") -> None:
    if parts.storage.fault:
        raise LedgerError(f"the confirmation cannot be written down: {parts.storage.fault}", "try again, or wait")


async def _confirmed_bans(parts: "Parts", order: "ConfirmOrder") -> list[ManualBanRow]:
    """Raises UsageError if no ban of these addresses waits, and LedgerError: then none was confirmed."""
    from banlistd.core.addresses.text import span_text

    _require_disk(parts)
    done = await parts.banning.carry_out(order)
    if not done.bans:
        words = f"no ban of {span_text(order.span)} waits for its confirmation"
        raise UsageError(words, _waiting_bans(parts) or _NONE_WAITS)
    return await ban_rows(done.bans, parts.user_name)


def _waiting_bans(parts: "Parts") -> str:
    """What waits for a confirmation, for a hint; empty where nothing does."""
    from banlistd.core.addresses.text import span_text

    waiting = parts.banning.unconfirmed()
    others = f" (and {len(waiting) - 1} more: banlistctl bans)" if len(waiting) > 1 else ""
    return f"a ban waits: banlistctl confirm {span_text(waiting[-1].span)}{others}" if waiting else ""


def _page(answer: ConfirmAnswer, _: PageContext) -> Page:
    if "confirmed" in answer:
        absent = answer.get("absent", 0)
        rest = f"; {counted(absent, 'line', 'lines')} without a ban that waits" if absent else ""
        return [f"{counted(answer['confirmed'], 'ban', 'bans')} confirmed{rest}"]
    if "bans" in answer:
        return [f"{printable(row['address'])} is banned {until_when(row)}: confirmed" for row in answer["bans"]]
    return [f"the configuration is confirmed: {counted(answer['sources'], 'source', 'sources')}"]


CONFIRM: "Command[OneTarget | ManyLines | None, ConfirmAnswer]" = Command(
    name="confirm",
    help="keep the configuration that reload --confirm tries, or a ban that ban --confirm tries",
    details="Without an address it confirms the configuration, with one the manual bans of exactly these addresses that wait"
    " for it, of every origin. Several addresses, or the lines of standard input (-), are one transaction, and lines are those"
    " that `ban` takes. Unless it comes in time the configuration before comes back, and the ban is lifted.",
    method="POST",
    arguments=(BANNED_ADDRESSES,),
    example={"sources": 12},
    read=_read,
    answer=_answer,
    page=_page,
    errors=(UsageError, FirewallError, LedgerError),
    exits={64: "nothing waits for its confirmation"},
    timeout=ORDER_SECONDS,
    requests=one_request,
    max_body=MOST_OCTETS,
)
