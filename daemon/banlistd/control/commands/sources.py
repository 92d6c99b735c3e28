"""banlistctl sources: each source, what it owns in the firewall, and its polls."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import Command, PageContext, no_fields
from banlistd.control.page import Column, Page, Table, due_in, number, since
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.core.config.model import Source
    from banlistd.model import ImportRun


class SourceRow(TypedDict):
    """`state`: never, pending, completed or failed. `entries`, `rejected`: of the newest import run. `owned`: set elements.

    `packets`, `octets`: what its bans stopped; null if the firewall does not count. `due_at` null: at once, or off.
    `extent`: how much of the address space a source with `block` covers, for a person. `quarantined`: the guard that refused
    its newest content. `failures`: polls in a row. `error`: of the newest poll.
    """

    id: str
    enabled: bool
    state: str
    entries: int
    owned: int
    rejected: int
    action: str
    direction: str
    packets: int | None
    octets: int | None
    polled_at: float | None
    due_at: float | None
    changed_at: float | None
    stale_since: float | None
    extent: str
    quarantined: str | None
    failures: int
    error: str


async def _answer(parts: "Parts", _: tuple[()]) -> list[SourceRow]:
    import asyncio

    from banlistd.control.lookups import owned_by_mark
    from banlistd.model import Poll

    counters = await parts.enforcer.counters()
    owned = await asyncio.to_thread(owned_by_mark, parts.enforcer.state)
    owners = {owner.source_id: owner for owner in parts.enforcer.policy.sources}
    polls, runs = await parts.ledger.polls(), await parts.ledger.newest_runs()
    refusals, stale = await parts.quarantine.refusals(), await parts.stale_since()
    rows: list[SourceRow] = []
    for source in parts.service.config.sources:
        owner = owners.get(source.id)
        counter = counters.get(owner.mark) if owner else None
        poll, newest = polls.get(source.id) or Poll(source.id), runs.get(source.id)
        rows.append(
            {
                "id": source.id,
                "enabled": source.enabled,
                "state": _state_of(newest, failing=bool(poll.failures)),
                "entries": newest.entries if newest else 0,
                "owned": owned.get(owner.mark, 0) if owner else 0,
                "rejected": newest.rejected if newest else 0,
                "action": str(source.action),
                "direction": str(source.direction),
                "packets": counter.packets if counter else None,
                "octets": counter.octets if counter else None,
                "polled_at": poll.polled_at,
                "due_at": poll.due_at or None if source.enabled else None,
                "changed_at": newest.completed_at if newest else None,
                "stale_since": stale.get(source.id) if source.enabled else None,
                "extent": await _extent(parts, source),
                "quarantined": refusals.get(source.id),
                "failures": poll.failures,
                "error": poll.error,
            }
        )
    return rows


def _state_of(newest: "ImportRun | None", *, failing: bool) -> str:
    if failing:
        return "failed"
    return str(newest.state) if newest else "never"


async def _extent(parts: "Parts", source: "Source") -> str:
    """How much of the address space a source bans on purpose; empty for an ordinary list."""
    import asyncio

    from banlistd.core.feeds.extent import share_in_words

    content = parts.enforcer.content(source.id) if source.block else None
    return await asyncio.to_thread(share_in_words, content.addresses) if content else ""


_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("ENTRIES", right=True),
    Column("OWNED", right=True),
    Column("ACTION"),
    Column("PACKETS", right=True),
    Column("LAST POLL"),
    Column("NEXT POLL"),
    Column("ERROR"),
)


def _page(rows: Sequence[SourceRow], context: PageContext) -> Page:
    if not rows:
        return ["no sources are configured"]
    extents = [f"{printable(row['id'])} covers {printable(row['extent'])}" for row in rows if row["extent"]]
    return [Table(_COLUMNS, tuple(_cells(row, context.now) for row in rows)), *extents]


def _cells(row: SourceRow, now: float) -> tuple[str, ...]:
    direction = "" if row["direction"] == "in" else f" ({printable(row['direction'])})"
    return (
        printable(row["id"]),
        _state(row),
        number(row["entries"]),
        number(row["owned"]),
        printable(row["action"]) + direction,
        number(row["packets"]),
        since(row["polled_at"], now),
        due_in(row["due_at"], now) if row["enabled"] else "",
        printable(row["error"]),
    )


def _state(row: SourceRow) -> str:
    if not row["enabled"]:
        return "off"
    state = "refused" if row["quarantined"] else printable(row["state"])
    return state if row["stale_since"] is None else f"{state}, stale"


SOURCES: Command[tuple[()], list[SourceRow]] = Command(
    name="sources",
    help="each source: state, entries, bans it owns, last and next poll",
    method="GET",
    example=[
        {
            "id": "spamhaus-drop",
            "enabled": True,
            "state": "completed",
            "entries": 1_650,
            "owned": 1_234,
            "rejected": 2,
            "action": "drop",
            "direction": "in",
            "packets": 98_765,
            "octets": 4_000_000,
            "polled_at": 1_790_000_000.0,
            "due_at": 1_790_000_000.0,
            "changed_at": 1_790_000_000.0,
            "stale_since": None,
            "extent": "",
            "quarantined": None,
            "failures": 0,
            "error": "",
        }
    ],
    read=no_fields,
    answer=_answer,
    page=_page,
)
