"""banlistctl sources: each source, what it owns in the firewall, and its polls."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from banlistd.control.commands.one_source.details import SourceDetails, details_of, details_page
from banlistd.control.commands.one_source.rows import DatabaseRow, OddityRow, SkippedRow, ages, found_in_list
from banlistd.control.declaration import LIMIT, MAX_ROWS, ONE_SOURCE, Argument, Command, PageContext
from banlistd.control.page import Column, Note, Page, Table, Tone, due_in, number, since, tone_of
from banlistd.core.printing import printable
from banlistd.errors import NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.feeds.found_list import Findings
    from banlistd.model import ImportRun


_AT_ONCE = 250
"""Rows that are made without a pause."""


_HOLD = "hold"  # the guard of what waits, which banlistctl cannot import from the guards: they need numpy


class SourceRow(TypedDict):
    """`state`: never, pending, completed or failed. `entries`, `rejected`: of the newest import run. `owned`: set elements.

    `packets`, `octets`: what its bans stopped in all, since banlistd first counted; null if the firewall does not count.
    `due_at` null: at once, or off.
    `combination`: what a source that is made of others has of them, for a person; empty for another source.
    `extent`: how much of the address space a source of countries covers, for a person. `quarantined`: the guard that refused
    its newest content. `failures`: polls in a row. `error`: of the newest poll that has ended. `polling`: whether another is
    under way. `oddities`: what is odd about the feed. `skipped`: the first lines that were skipped when the list was read
    last, and, as line 0, files of an archive that were left out; five at most.
    `scope`: which packets it blocks; empty: all. `databases`: where a source of countries has them from. `suspended`: paused
    or pinned, or both.
    """

    id: str
    enabled: bool
    state: str
    entries: int
    owned: int
    rejected: int
    action: str
    direction: str
    scope: str
    packets: int | None
    octets: int | None
    polled_at: float | None
    due_at: float | None
    changed_at: float | None
    stale_since: float | None
    combination: str
    extent: str
    quarantined: str | None
    failures: int
    error: str
    polling: bool
    oddities: list[OddityRow]
    skipped: list[SkippedRow]
    databases: list[DatabaseRow]
    suspended: list[str]
    details: SourceDetails | None


class SourcesOrder(NamedTuple):
    """Which sources, and in which order. `sort`: a key of `_ORDERS`; empty: as configured. `limit`, `source` None: all."""

    failing: bool
    sort: str
    limit: int | None
    source: str | None = None


def _read(request: "ControlRequest") -> SourcesOrder:
    failing, sort = request.text("failing"), request.text("sort")
    if failing not in ("", "true", "false"):
        raise UsageError(f"failing={failing[:60]!a} is not possible", "true or false")
    if sort and sort not in _ORDERS:
        raise UsageError(f"sources are not sorted by {sort[:60]!a}", f"by {', '.join(_ORDERS)}")
    return SourcesOrder(failing == "true", sort, request.limit if "limit" in request.fields else None, request.source)


async def _answer(parts: "Parts", order: SourcesOrder) -> list[SourceRow]:
    import asyncio

    from banlistd.control.lookups import extent_of
    from banlistd.core.ruleset.ranking import owned_by_mark
    from banlistd.model import Poll

    configured = parts.service.config.sources if order.source is None else [parts.source(order.source)]
    counters = await parts.evidence.totals.now()
    owned = await asyncio.to_thread(owned_by_mark, parts.enforcer.state)
    owners = {owner.source_id: owner for owner in parts.enforcer.policy.sources}
    overview, runs, findings = await parts.overview(), await parts.ledger.newest_runs(), await parts.findings.every()
    now, polls, refusals = parts.clock.now(), overview.polls, overview.refusals
    stale, oddities = overview.stale_since(configured, now), overview.oddities(configured, now)
    dates = await parts.enricher.database_dates() if any(source.geography for source in configured) else {}
    made: list[DatabaseRow] = [{"name": name, "made_at": when} for name, when in dates.items()]
    rows: list[SourceRow] = []
    for source in configured:
        if len(rows) % _AT_ONCE == 0:
            await asyncio.sleep(0)  # with thousands of sources, others would wait
        owner = owners.get(source.id)
        counter = counters.get(source.id)
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
                "scope": str(source.scope or ""),
                "packets": counter.packets if counter else None,
                "octets": counter.octets if counter else None,
                "polled_at": poll.polled_at,
                "due_at": parts.poll_record.due_at(source, poll) or None if source.enabled else None,
                "changed_at": newest.completed_at if newest else None,
                "stale_since": stale.get(source.id) if source.enabled else None,
                "combination": str(source.combination or ""),
                "extent": await extent_of(parts.enforcer.content(source.id) if source.geography else None),
                "quarantined": refusals.get(source.id),
                "failures": poll.failures,
                "error": poll.error,
                "polling": source.id in parts.poll_record.under_way,
                "oddities": [{"condition": str(one.condition), "message": one.message} for one in oddities[source.id]],
                "skipped": _skipped(findings.get(source.id)),
                "databases": made if source.geography else [],
                "suspended": [str(one.kind) for one in parts.suspended.of(source.id)],
                "details": await details_of(parts, source, _octets(findings.get(source.id))) if order.source else None,
            }
        )
    return rows_asked_for(rows, order)


def rows_asked_for(rows: Sequence[SourceRow], order: SourcesOrder) -> list[SourceRow]:
    """The rows that an order asks for, in its order."""
    found = [row for row in rows if is_failing(row) or not order.failing]
    if order.sort:
        found.sort(key=_ORDERS[order.sort])
    return found[: order.limit]


def is_failing(row: SourceRow) -> bool:
    """Whether a source needs attention: its last poll failed, its list was refused, or its last good list is too old."""
    is_refused = row["quarantined"] and row["quarantined"] != _HOLD
    bad = row["failures"] or row["state"] == "failed" or is_refused or row["stale_since"] is not None
    return row["enabled"] and bool(bad)


_STATE_ORDER = (Tone.BAD, Tone.OPEN, Tone.GOOD, None, Tone.OFF)

# Numbers and states that need attention come first; of equal ones, those that are configured first.
_ORDERS: Mapping[str, Callable[[SourceRow], Any]] = {
    "id": lambda row: row["id"],
    "state": lambda row: _STATE_ORDER.index(tone_of(_state(row))),
    "entries": lambda row: -row["entries"],
    "elements": lambda row: -row["owned"],
    "packets": lambda row: -(row["packets"] or 0),
    "last-poll": lambda row: -(row["polled_at"] or 0.0),
    "next-poll": lambda row: (not row["enabled"], row["due_at"] or 0.0),
}


def _state_of(newest: "ImportRun | None", *, failing: bool) -> str:
    if failing:
        return "failed"
    return str(newest.state) if newest else "never"


def _octets(findings: "Findings | None") -> int:
    return findings.octets if findings else 0


def _skipped(findings: "Findings | None") -> list[SkippedRow]:
    lines = findings.skipped if findings else ()
    return [{"line": one.line, "text": one.text, "reason": one.reason} for one in lines]


_COLUMNS = (
    Column("ID"),
    Column("STATE", is_state=True),
    Column("ENTRIES", right=True, spare=1),
    Column("ELEMENTS", right=True, spare=5),
    Column("ACTION", spare=4),
    Column("PACKETS", right=True, spare=2),
    Column("LAST POLL", spare=3),
    Column("NEXT POLL", spare=6),
    Column("ERROR", below=True),
)


_ELEMENTS = (
    "ENTRIES are in the list, ELEMENTS in the firewall: an allowed address cuts a network into several elements,"
    " and what several sources list counts for the first of them."
)


# Of `Action`, which the tool need not import.
_NO_ACTION = "none"
_KEPT = "A source with action none bans nothing: it is kept for sources that are made of it."


def _page(rows: Sequence[SourceRow], context: PageContext) -> Page:
    if not rows:
        return ["no sources are configured, or none of these"]
    extents = [f"{printable(row['id'])} covers {printable(row['extent'])}" for row in rows if row["extent"]]
    extents += [f"{printable(row['id'])}: {printable(row['combination'])}" for row in rows if row["combination"]]
    extents += [f"{printable(row['id'])} blocks only {printable(row['scope'])}" for row in rows if row["scope"]]
    extents += [_KEPT] if any(row["action"] == _NO_ACTION and row["enabled"] for row in rows) else []
    notes = [Note(_ELEMENTS)] if any(row["owned"] != row["entries"] for row in rows if row["enabled"]) else []
    details = _details(rows[0], context.now) if len(rows) == 1 else []
    return [Table(_COLUMNS, tuple(_cells(row, context.now) for row in rows)), *extents, *details, *notes]


def _details(row: SourceRow, now: float) -> Page:
    """What there is room for where one source is asked for."""
    found = found_in_list(row["oddities"], row["skipped"], row["rejected"])
    return [*ages(row["databases"], now), *found, *(details_page(row, now) if row["details"] else ())]


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
        due_in(row["due_at"], now) if row["enabled"] and not row["suspended"] else "",
        printable(row["error"]),
    )


def _state(row: SourceRow) -> str:
    if not row["enabled"]:
        return "off"
    refused = "waiting" if row["quarantined"] == _HOLD and not row["failures"] else "refused"
    states = [refused if row["quarantined"] else printable(row["state"])]
    states += ["stale"] if row["stale_since"] is not None else []
    states += [printable(one["condition"]) for one in row["oddities"]]
    states += ["polling"] if row["polling"] else []
    states += map(printable, row["suspended"])
    return ", ".join(states)


SOURCES: "Command[SourcesOrder, list[SourceRow]]" = Command(
    name="sources",
    help="each source: state, entries, bans it owns, last and next poll",
    details="With ID everything about it: its configuration in force and where each value is written (a file and line,"
    " the defaults, the catalogue, or built in), without secrets; content, size, last runs and versions; what was skipped"
    " of its list and why; what is allowed or protected; and the newest connections that met it.",
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
            "scope": "",
            "packets": 98_765,
            "octets": 4_000_000,
            "polled_at": 1_790_000_000.0,
            "due_at": 1_790_000_000.0,
            "changed_at": 1_790_000_000.0,
            "stale_since": None,
            "combination": "",
            "extent": "",
            "quarantined": None,
            "failures": 0,
            "error": "",
            "polling": False,
            "oddities": [],
            "skipped": [{"line": 7, "text": "# end", "reason": "no address"}],
            "databases": [],
            "suspended": [],
            "details": None,
        }
    ],
    arguments=(
        ONE_SOURCE,
        Argument("--failing", "", "only those that failed, were refused or are stale", is_flag=True),
        Argument("--sort", "WHAT", "the largest, the newest or what needs attention first", choices=tuple(_ORDERS)),
        LIMIT._replace(help=f"1 to {MAX_ROWS} sources; default: all", default=None),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    errors=(NoSuchSourceError, UsageError),
)
