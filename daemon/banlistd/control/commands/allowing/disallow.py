"""banlistctl disallow: take back what was allowed by command."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.commands.allowing.allow import follow
from banlistd.control.commands.allowing.rows import ALLOWED_EXAMPLE, AllowedRow, allowed_rows, allowed_words, command_rows
from banlistd.control.commands.manual_bans.rows import ORDER_SECONDS
from banlistd.control.declaration import NOT_FOUND, Argument, Command, Completes, PageContext
from banlistd.control.page import Page
from banlistd.core.printing import printable
from banlistd.errors import FirewallError, LedgerError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.model import Span


class DisallowAnswer(TypedDict):
    """`removed`: null if exactly these addresses were not allowed by command. `still`: entries that allow them all the same."""

    address: str
    removed: AllowedRow | None
    still: list[AllowedRow]


def _read(request: "ControlRequest") -> "Span | str":
    from banlistd.core.manual.allow_orders import read_allow_target

    return read_allow_target(request.fields)


async def _answer(parts: "Parts", target: "Span | str") -> DisallowAnswer:
    import asyncio

    from banlistd.core.addresses.text import span_text

    entries = await parts.allowlist.disallow(target)
    if entries:
        await follow(parts)
    rows = await asyncio.to_thread(command_rows, entries, parts.user_name, parts.allowlist.name_times)
    spans = [entry.span for entry in entries] if isinstance(target, str) else [target]
    still = {str(row): row for span in spans for row in await allowed_rows(parts, span)}
    address = target if isinstance(target, str) else span_text(target)
    return {"address": address, "removed": rows[0] if rows else None, "still": [*still.values()]}


def _page(answer: DisallowAnswer, _: PageContext) -> Page:
    address = printable(answer["address"])
    still = [f"  it is still allowed {allowed_words(row)}" for row in answer["still"]]
    if answer["removed"] is None:
        return [f"{address} was not allowed by command (banlistctl allowed lists what is)", *still]
    return [f"{address} is no longer allowed by command", *still]


MANUAL_DISALLOW: "Command[Span | str, DisallowAnswer]" = Command(
    name="disallow",
    help="take back what `banlistctl allow` has allowed",
    details="What lists and manual bans have of these addresses is banned again at once. Entries of the configuration stay.",
    method="POST",
    example={"address": "203.0.113.7", "removed": ALLOWED_EXAMPLE, "still": []},
    arguments=(
        Argument(
            "address", "ADDRESS", "the address, network, range or host name that was allowed", completes=Completes.MANUAL_ALLOWS
        ),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    exits={NOT_FOUND: "exactly these addresses were not allowed by command", 71: "the firewall did not accept the change"},
    errors=(FirewallError, LedgerError),
    judge=lambda answer: 0 if answer["removed"] else NOT_FOUND,
    timeout=ORDER_SECONDS,
)
