"""banlistctl report: what each list is worth beside the others."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from banlistd.control.commands.past.moments import TIME_HELP, moment_argument, read_moment
from banlistd.control.commands.value.report_page import report_page
from banlistd.control.commands.value.shapes import CandidateRow, PastRow, ReportAnswer, ValueRow
from banlistd.control.declaration import Argument, Command, Completes, FileContext
from banlistd.errors import FirewallError, LedgerError, NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.feeds.value.candidates import Candidates
    from banlistd.core.feeds.value.lifetimes import Lifetimes
    from banlistd.core.feeds.value.report import ListValue

_MOST_NAMED = 63
"""As many as can be compared (`core.feeds.value.overlap`, which the tool does not import)."""

_HTML_SINCE = "30d"
"""As long as a hit is kept by default."""


class ReportOrder(NamedTuple):
    """`ids` empty: every list. `since`: seconds since the epoch; None: only what is in force now."""

    ids: tuple[str, ...]
    past: bool
    since: float | None


def _read(request: "ControlRequest") -> ReportOrder:
    ids = tuple(dict.fromkeys(request.text("ids").split(","))) if request.text("ids") else ()
    if len(ids) > _MOST_NAMED:
        raise UsageError("too many lists are named", f"at most {_MOST_NAMED} are compared")
    if request.text("past") not in ("", "true", "false"):
        raise UsageError(f"past={request.text('past')[:60]!a} is not possible", "true or false")
    return ReportOrder(ids, request.text("past") == "true", read_moment(request.text("since"), "since"))


async def _answer(parts: "Parts", order: ReportOrder) -> ReportAnswer:
    import asyncio

    named = {parts.source(name).id for name in order.ids}
    report = await parts.value.report(parts.service.config, named, parts.clock.now(), past=order.past)
    shown = [one for one in report.lists if not named or one.source_id in named]
    # Of 1,000 lists, each with its overlap with 63 others, it takes 50 ms.
    lists = await asyncio.to_thread(lambda: [_row(one) for one in shown])
    missing = sorted(named - {one.source_id for one in report.lists})
    if missing:
        raise UsageError(f"{missing[0]} is not compared", "it is off, has no content yet, or is made of other lists")
    answer: ReportAnswer = {"lists": lists, "left_out": [*report.left_out]}
    if order.since is None:
        return answer
    from banlistd.control.commands.value.over_time import bans_by_place, over_time
    from banlistd.core.geo.types import By

    return {
        **answer,
        "over_time": await over_time(parts, order.since, [one.source_id for one in shown]),
        "countries": await bans_by_place(parts, By.COUNTRY),
        "networks": await bans_by_place(parts, By.ASN),
    }


def _row(one: "ListValue") -> ValueRow:
    return {
        "id": one.source_id,
        "action": str(one.action),
        "entries": one.entries,
        "unique": one.unique,
        "addresses": one.addresses,
        "unique_addresses": one.unique_addresses,
        "owned": one.owned,
        "packets": one.packets,
        "sampled": one.met,
        "hits_per_1000": None if one.hits_per_1000 is None else round(one.hits_per_1000, 3),
        "overlap": {str(name): count for name, count in one.overlap.items()},
        "candidates": one.candidates.entries,
        "met": candidate_rows(one.candidates),
        "past": _past_row(one.lifetimes),
    }


def _past_row(found: "Lifetimes | None") -> PastRow | None:
    if found is None:
        return None
    return {
        "since": found.since,
        "first": found.first,
        "days_ahead": found.days_ahead,
        "left": found.left,
        "days_listed": found.days_listed,
    }


def candidate_rows(candidates: "Candidates") -> list[CandidateRow]:
    """The candidates that are named."""
    return [
        {"entry": each.entry, "met": str(each.met), "address": each.address, "reason": each.reason} for each in candidates.shown
    ]


def _requests(fields: Mapping[str, object]) -> tuple[Sequence[Mapping[str, object]], bool]:
    """One request, with the ids in one field. A file has plots over time in any case."""
    ids = fields.get("ids")
    named = {"ids": ",".join(map(str, ids))} if isinstance(ids, list) and ids else {}
    since = {"since": fields.get("since", moment_argument(_HTML_SINCE))} if "html" in fields else {}
    return [{**{key: value for key, value in fields.items() if key not in ("ids", "html")}, **named, **since}], False


def _html(answer: ReportAnswer, context: FileContext) -> str:
    from banlistd.control.commands.value.html.document import document

    return document(answer, context.machine, context.now)


REPORT: Command[ReportOrder, ReportAnswer] = Command(
    name="report",
    help="what each list is worth: unique entries, overlap with other lists, hits, candidates for false positives",
    details="An entry is a single address or a network. It is unique if no other list has any of its addresses; it overlaps"
    " another list that has one of them. The lists are compared as they were read, whatever their action, without sources that"
    " are made of others and without manual bans. Of more than 63 lists the named ones and the largest are compared one by one;"
    " the others count together. A candidate for a false positive is an entry that met an allowed or protected address, or one"
    " that a host here connects to and that answers. With one ID, the overlap with every list is printed. With --past it reads"
    " the versions of each list that are kept, at most 200: which list had single IPv4 addresses before any other that has them"
    " too, and how long those that left were listed. With --since it also says how many entries each list had since then, as"
    " far as runs and versions are kept, how many sampled connections met it (`hits: yes`), and which countries and network"
    " operators have most of the bans. --html writes all of it to one file that loads nothing and runs nothing, in place of an"
    " older file; only its owner may read it (mode 0600), because it names addresses that hosts here talk to. --json has the"
    " whole matrix; `ids` are joined by commas there.",
    method="GET",
    example={
        "lists": [
            {
                "id": "spamhaus-drop",
                "action": "drop",
                "entries": 1_650,
                "unique": 1_402,
                "addresses": 14_904_576,
                "unique_addresses": 13_000_000,
                "owned": 1_234,
                "packets": 98_765,
                "hits_per_1000": 59_857.576,
                "sampled": 0,
                "overlap": {"office-bans": 3},
                "candidates": 1,
                "met": [{"entry": "192.0.2.0/24", "met": "allowed", "address": "192.0.2.7", "reason": "the office"}],
                "past": {"since": 1_790_000_000.0, "first": 17, "days_ahead": 1.5, "left": 12, "days_listed": 6.25},
            }
        ],
        "left_out": [],
        "over_time": {
            "since": 1_790_000_000.0,
            "until": 1_792_592_000.0,
            "slot": 1_296_000.0,
            "entries": [1_600, 1_650],
            "hits": [0, 12],
            "lists": [
                {
                    "id": "spamhaus-drop",
                    "entries": [1_600, 1_650],
                    "hits": [0, 12],
                    "connections": 15,
                    "samples": 1_234,
                }
            ],
        },
        "countries": {
            "bans": 1_234,
            "total": 1,
            "rows": [{"key": "NO", "name": "Norway", "bans": 1_234, "addresses": 14_904_576}],
            "unknown": "",
        },
        "networks": {
            "bans": 1_234,
            "total": 0,
            "rows": [],
            "unknown": "no database on this machine knows network operators (ASN)",
        },
    },
    arguments=(
        Argument("ids", "ID", "these lists only, compared with all", nargs="*", completes=Completes.SOURCES),
        Argument("--past", "", "also who had addresses first, and how long they stay", is_flag=True),
        Argument(
            "--since",
            "TIME",
            f"also entries and hits since then, and countries and networks: {TIME_HELP}",
            kind=moment_argument,
        ),
        Argument(
            "--html",
            "FILE",
            f"write all of it to one HTML file with plots; -: to stdout; without --since of the last {_HTML_SINCE}",
            completes=Completes.FILES,
        ),
    ),
    read=_read,
    answer=_answer,
    page=report_page,
    errors=(UsageError, NoSuchSourceError, FirewallError, LedgerError),
    timeout=60.0,
    requests=_requests,
    files={"html": _html},
)
