"""banlistctl allow: no longer ban an address, a network, a range or what a host name is at any moment."""

from typing import TYPE_CHECKING

from banlistd.control.commands.allowing.rows import ALLOWED_EXAMPLE, AllowedRow, command_rows
from banlistd.control.commands.manual_bans.rows import ORDER_SECONDS
from banlistd.control.declaration import Argument, Command, PageContext
from banlistd.control.page import Page, due_in, moment, short_duration
from banlistd.core.printing import printable
from banlistd.errors import FirewallError, LedgerError, RefusedError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.ruleset.manual_allows import AllowOrder, NameOrder


class AllowAnswer(AllowedRow):
    """`new`: whether these addresses were not allowed by command before. `carved`: the sources that list any of them."""

    new: bool
    carved: list[str]


def _read(request: "ControlRequest") -> "AllowOrder | NameOrder":
    from banlistd.core.manual.allow_orders import read_allow

    return read_allow(request.fields, request.uid)


async def _answer(parts: "Parts", order: "AllowOrder | NameOrder") -> AllowAnswer:
    import asyncio

    entries, is_new = await parts.allowlist.allow(order)
    await follow(parts)
    (row,) = await asyncio.to_thread(command_rows, entries, parts.user_name, parts.allowlist.name_times)
    spans = {entry.span for entry in entries}
    carved = dict.fromkeys(name for hit in parts.enforcer.hits if hit.protected.span in spans for name in hit.sources)
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
    known_as = ", ".join(printable(address) for address in answer.get("addresses", []))
    name = [f"  it is {known_as} now, and asked for again {due_in(answer.get('asked_at'), context.now)}"] if known_as else []
    also = [f"  although listed by {listed}"] if listed else []
    return [f"{printable(answer['address'])} is allowed {end}{before}", *name, *also]


MANUAL_ALLOW: "Command[AllowOrder | NameOrder, AllowAnswer]" = Command(
    name="allow",
    help="never ban an address, a CIDR network, a range or a host name, from now on",
    details="It is in effect when the command returns: what lists and manual bans have of these addresses is not banned, as"
    " with `allow:` in the configuration. It survives restart, reboot and flush. With --for it ends by itself. Another order"
    " for these addresses replaces the end and the comment of the first. At most a /8, or a /12 of IPv6, and 256 entries. A"
    " host name is asked for anew when its answer ends (its TTL, a minute to an hour; five minutes for what /etc/hosts and mDNS"
    " say): new addresses are allowed at once, an old one for an hour after the last answer that had it, and a name without an"
    " answer keeps what it had.",
    method="POST",
    example={**ALLOWED_EXAMPLE, "new": True, "carved": ["spamhaus-drop"]},
    arguments=(
        Argument("address", "ADDRESS", "an address, a CIDR network, a range a-b or a host name"),
        Argument("--for", "TIME", "how long: 90s, 15m, 1h, 1d; default: permanently"),
        Argument("--comment", "TEXT", "why, for people"),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    exits={
        64: "it is too wide, or a name without an address",
        65: "too many entries are allowed by command",
        71: "the firewall did not accept the change",
    },
    errors=(UsageError, RefusedError, FirewallError, LedgerError),
    timeout=ORDER_SECONDS,
)
