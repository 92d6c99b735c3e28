"""banlistctl allow: no longer ban an address, a network or a range."""

from typing import TYPE_CHECKING

from banlistd.control.commands.allowing.rows import ALLOWED_EXAMPLE, AllowedRow, command_rows
from banlistd.control.commands.manual_bans.rows import ORDER_SECONDS
from banlistd.control.declaration import Argument, Command, PageContext
from banlistd.control.page import Page, moment, short_duration
from banlistd.core.printing import printable
from banlistd.errors import FirewallError, LedgerError, RefusedError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.ruleset.manual_allows import AllowOrder


class AllowAnswer(AllowedRow):
    """`new`: whether these addresses were not allowed by command before. `carved`: the sources that list any of them."""

    new: bool
    carved: list[str]


def _read(request: "ControlRequest") -> "AllowOrder":
    from banlistd.core.manual_bans import read_allow

    return read_allow(request.fields, request.uid)


async def _answer(parts: "Parts", order: "AllowOrder") -> AllowAnswer:
    import asyncio

    entry, is_new = await parts.allowlist.allow(order)
    await follow(parts)
    (row,) = await asyncio.to_thread(command_rows, [entry], parts.user_name)
    carved = [name for hit in parts.enforcer.hits if hit.protected.span == entry.span for name in hit.sources]
    return {**row, "new": is_new, "carved": [*carved]}


async def follow(parts: "Parts") -> None:
    """Have the firewall follow what is allowed. Raises FirewallError."""
    try:
        await parts.enforcer.reconcile()
    except FirewallError as error:
        raise FirewallError(f"{error.message}; what was asked is written down, and tried again", error.hint) from error


def _page(answer: AllowAnswer, context: PageContext) -> Page:
    until = answer["until"]
    end = "permanently" if until is None else f"until {moment(until)} ({short_duration(until - context.now)})"
    before = "" if answer["new"] else "; it was allowed before, and has this end now"
    listed = ", ".join(printable(name) for name in answer["carved"])
    return [f"{printable(answer['address'])} is allowed {end}{before}", *([f"  although listed by {listed}"] if listed else [])]


MANUAL_ALLOW: "Command[AllowOrder, AllowAnswer]" = Command(
    name="allow",
    help="never ban an address, a CIDR network or a range, from now on",
    details="It is in effect when the command returns: what lists and manual bans have of these addresses is not banned, as"
    " with `allow:` in the configuration. It survives restart, reboot and flush. With --for it ends by itself. Another order"
    " for these addresses replaces the end and the comment of the first. At most a /8, or a /12 of IPv6, and 256 entries.",
    method="POST",
    example={**ALLOWED_EXAMPLE, "new": True, "carved": ["spamhaus-drop"]},
    arguments=(
        Argument("address", "ADDRESS", "an address, a CIDR network or a range a-b"),
        Argument("--for", "TIME", "how long: 90s, 15m, 1h, 1d; default: permanently"),
        Argument("--comment", "TEXT", "why, for people"),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    exits={64: "it is too wide", 65: "too many entries are allowed by command", 71: "the firewall did not accept the change"},
    errors=(RefusedError, FirewallError, LedgerError),
    timeout=ORDER_SECONDS,
)
