"""What the lists had of an address or a network at a moment, or ever: the answer, and its sentences."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.commands.checking.network import entries_near, within_span
from banlistd.control.commands.checking.past_bans import PastBanRow, past_ban_rows, past_ban_words
from banlistd.control.commands.checking.past_exemptions import PastExemptionRow, past_exemption_rows, past_exemption_words
from banlistd.control.page import Page, moment
from banlistd.core.printing import counted, printable

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from banlistd.control.parts import Parts
    from banlistd.core.addresses.sets import AddressSet
    from banlistd.core.feeds.versions.timeline import Period
    from banlistd.model import SourceId, Span


class PeriodRow(TypedDict):
    """A time in which a source listed an address without a break, or a moment at which it listed any of a network.

    `run`: the import run that brought it. `since`: when; not `exact` where it is the oldest version that is kept. `until` null:
    it is listed. `addresses`: how many of a network; `whole`: all of them. `action`: of the source now; empty for one that is
    no longer configured.
    """

    id: str
    entry: str
    run: int
    since: float
    exact: bool
    until: float | None
    addresses: int
    whole: bool
    action: str


class PastAnswer(TypedDict):
    """`at` null: all that is kept. `owner`: the first source that blocks and listed it then, by the order and actions of now;
    null where all of it was allowed or protected. `exempt`: what of it was, the newest end first.

    `first_seen`, `last_seen`: of all sources; the latter is null while one lists it. Seconds since the epoch. `bans`: the
    manual bans of it, the newest first. `listed`: whether a source or a manual ban had it.
    """

    address: str
    at: float | None
    listed: bool
    owner: str | None
    first_seen: float | None
    last_seen: float | None
    periods: list[PeriodRow]
    bans: list[PastBanRow]
    exempt: list[PastExemptionRow]


async def answer_on_past(parts: "Parts", span: "Span", at: float | None) -> PastAnswer:
    import asyncio

    from banlistd.core.addresses.text import span_text
    from banlistd.errors import UsageError

    if span[1] < span[2] and at is None:
        raise UsageError(f"{span_text(span)}: --history is of single addresses", "--at TIME takes networks, too")
    actions = {owner.source_id: owner.action for owner in parts.enforcer.policy.sources}
    known = set(await parts.history.sources())
    ordered = [source_id for source_id in actions if source_id in known] + sorted(known - actions.keys())
    rows: list[PeriodRow] = []
    for source_id in ordered:
        of_source = _of_address if span[1] == span[2] else _of_network
        found = await of_source(parts, source_id, span, at)
        rows += [{**row, "action": str(actions.get(source_id, ""))} for row in found]
    bans, exempt = await past_ban_rows(parts, span, at), await past_exemption_rows(parts, span, at)
    blocking = {source_id for source_id, action in actions.items() if action.blocks}
    # Of 0.0.0.0/0 there may be 200,000 manual bans.
    return await asyncio.to_thread(_past_answer, span_text(span), at, rows, bans, exempt, blocking)


def _past_answer(
    address: str,
    at: float | None,
    rows: list[PeriodRow],
    bans: list[PastBanRow],
    exempt: list[PastExemptionRow],
    blocking: "AbstractSet[str]",
) -> PastAnswer:
    from banlistd.model import MANUAL, Action

    times = [*((row["since"], row["until"]) for row in rows), *((row["created_at"], row["ended_at"]) for row in bans)]
    is_listed = any(until is None for _, until in times)
    whole = [row for row in exempt if row["whole"]]
    # A manual ban overrides what was learned; all gives way to what is allowed. An allow list allowed what it listed.
    is_allowed = any(not row["learned"] for row in whole) or any(row["action"] == Action.ALLOW and row["whole"] for row in rows)
    is_banned_by_hand = any(not row["packets"] for row in bans) and not is_allowed
    by_list = None if whole or is_allowed else next((row["id"] for row in rows if row["id"] in blocking), None)
    owner = MANUAL if is_banned_by_hand else by_list
    return {
        "address": address,
        "at": at,
        "listed": bool(times) if at is not None else is_listed,
        "owner": owner if at is not None else None,
        "first_seen": min((since for since, _ in times), default=None),
        "last_seen": None if is_listed else max((until or 0.0 for _, until in times), default=None),
        "periods": rows,
        "bans": bans,
        "exempt": exempt,
    }


async def _of_address(parts: "Parts", source_id: "SourceId", span: "Span", at: float | None) -> list[PeriodRow]:
    periods = await parts.history.periods(source_id, span[0], span[1])
    return [_row(source_id, span, period) for period in periods if at is None or period.covers(at)]


def _row(source_id: "SourceId", span: "Span", period: "Period") -> PeriodRow:
    from banlistd.core.addresses.sets import from_numbers
    from banlistd.core.addresses.text import range_text

    return {
        "id": source_id,
        "entry": range_text(span[0], *from_numbers(span[0], [period.first, period.last])),
        "run": period.run_id,
        "since": period.came_at,
        "exact": period.exact,
        "until": period.left_at,
        "addresses": 1,
        "whole": True,
        "action": "",
    }


async def _of_network(parts: "Parts", source_id: "SourceId", span: "Span", at: float | None) -> list[PeriodRow]:
    """The version of the moment, and how much of the network it had."""
    import asyncio

    from banlistd.core.addresses.text import span_text

    found = await parts.history.at(source_id, at or 0.0)
    count = await asyncio.to_thread(_count, found[1], span) if found else 0
    if found is None or not count:
        return []
    version = found[0]
    row: PeriodRow = {
        "id": source_id,
        "entry": span_text(span),
        "run": version.run_id,
        "since": version.came_at,
        "exact": False,
        "until": version.left_at,
        "addresses": count,
        "whole": count == span[2] - span[1] + 1,
        "action": "",
    }
    return [row]


def _count(content: "AddressSet", span: "Span") -> int:
    return within_span(span, entries_near(content, span)).count()


def past_lines(answer: PastAnswer) -> Page:
    """What was listed, by whom, and which run brought it."""
    address = printable(answer["address"])
    when = "" if answer["at"] is None else f" at {moment(answer['at'])}"
    exempt = [f"  {past_exemption_words(row)}" for row in answer["exempt"]]
    if not answer["periods"] and not answer["bans"]:
        return [f"{address}: no version of a list that is kept had it{when}, and no manual ban", *exempt]
    first = f"{address} was {_found(answer)}{when}{_result(answer)}" if when else f"{address}: {_seen(answer)}"
    bans = (f"  {past_ban_words(row)}" for row in answer["bans"])
    return [first, *exempt, *bans, *(f"  {period_words(row)}" for row in answer["periods"])]


def _found(answer: PastAnswer) -> str:
    return "listed" if answer["periods"] else "banned by hand"


def _result(answer: PastAnswer) -> str:
    """Whether a ban came of it."""
    if answer["owner"]:
        return f", banned by {printable(answer['owner'])} (by the order and actions of now)" if answer["periods"] else ""
    whole = any(row["whole"] for row in answer["exempt"])
    allowing = [printable(row["id"]) for row in answer["periods"] if row["action"] == "allow" and row["whole"]]
    by = f": allowed by {', '.join(allowing)}" if allowing and not whole else ""
    return f", but not banned{by}" if whole or allowing else ""


def _seen(answer: PastAnswer) -> str:
    last = "listed now" if answer["last_seen"] is None else f"last seen {moment(answer['last_seen'])}"
    return f"first seen {moment(answer['first_seen'] or 0.0)}, {last}"


def period_words(row: PeriodRow) -> str:
    """One line on one source."""
    since = f"{'since' if row['exact'] else 'since at least'} {moment(row['since'])} (run {printable(row['run'])})"
    until = "still listed" if row["until"] is None else f"until {moment(row['until'])}"
    what = printable(row["entry"]) if row["whole"] else counted(row["addresses"], "address", "addresses")
    return f"{printable(row['id'])}: {what} {since}, {until}"
