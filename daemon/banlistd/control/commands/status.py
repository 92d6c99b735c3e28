"""banlistctl status: the daemon as a whole, and what fails."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypedDict, TypeGuard

from banlistd.control.commands.fleet.rows import PublishedListRow, published_rows, stop_words
from banlistd.control.commands.fleet.signatures import SignatureRow, signature_rows, signature_words
from banlistd.control.commands.monitoring.broker import BrokerRow, broker_lines, broker_row
from banlistd.control.commands.monitoring.faulty import failing_lines, odd_lines
from banlistd.control.commands.sources import SOURCES, SourceRow
from banlistd.control.commands.suspending.rows import SuspensionRow, suspension_rows, suspension_words, way_out
from banlistd.control.declaration import Argument, Command, PageContext
from banlistd.control.page import Page, moment, number, short_duration, since
from banlistd.control_api import VERDICT_EXITS, Verdict
from banlistd.core.printing import counted, printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.feeds.health.conditions import Oddity
    from banlistd.core.ruleset.state import FirewallState
    from banlistd.model import ImportRun, Remark, SourceId


class RemarkRow(TypedDict):
    message: str
    hint: str


class VerdictAnswer(TypedDict):
    """`verdict`: PROTECTED, DEGRADED or OPEN. `reasons`: why it is not PROTECTED."""

    verdict: str
    reasons: list[RemarkRow]


class RefreshRow(TypedDict):
    """How many sources the refreshes under way have polled, and of how many; 0 of 0 while there is none."""

    done: int
    total: int


class StatusAnswer(VerdictAnswer):
    """`since`: the start of the daemon. `failing`, `quarantined`, `stale`, `polling`: how many enabled sources are;
    `waiting`: of how many a version of a fleet waits for its time (`hold`).

    `kept`: how many enabled sources ban nothing (action: none).
    `odd`: how many enabled sources are dead, frozen, moved or empty.
    `bans`: what blocks, as `top` counts it; `watched`: set elements of sources that only log or count.
    `ledger_fault`: why the database is in memory only; empty while it is on the disk. `maps`: elements in each map.
    `last_change`: the end of the newest import run. `remarks`: what the administrator should know about this host's firewall.
    `suspended`: sources that are paused or pinned. `stopped`: lists that this hub has stopped for its fleet.
    `signatures`: those that are missing where more than one hub must sign.
    """

    version: str
    state: str
    backend: str
    since: float
    config: str
    pid: int
    sources: int
    enabled: int
    kept: int
    failing: int
    quarantined: int
    waiting: int
    stale: int
    polling: int
    odd: dict[str, int]
    ledger_fault: str
    bans: int
    watched: int
    maps: dict[str, int]
    last_change: float | None
    remarks: list[RemarkRow]
    refreshing: RefreshRow
    suspended: list[SuspensionRow]
    mqtt: BrokerRow
    stopped: list[PublishedListRow]
    signatures: list[SignatureRow]


def _read(request: "ControlRequest") -> tuple[str, ...]:
    """Empty: all is asked for."""
    return ("verdict",) if request.text("verdict") == "true" else ()


async def _answer(parts: "Parts", order: tuple[str, ...]) -> StatusAnswer | VerdictAnswer:
    return await _verdict(parts) if order else await _status(parts)


async def _verdict(parts: "Parts") -> VerdictAnswer:
    judgement = await parts.coverage.judge(parts.service.config.backend)
    return {"verdict": str(judgement.verdict), "reasons": _rows(judgement.reasons)}


def _rows(remarks: "Sequence[Remark]") -> list[RemarkRow]:
    return [{"message": remark.message, "hint": remark.hint} for remark in remarks]


async def _status(parts: "Parts") -> StatusAnswer:
    import asyncio
    import os

    from banlistd.core.feeds.health.census import census_of
    from banlistd.core.geo.ages import remarks_on_ages
    from banlistd.services.orders.waiting import remarks_on_waiting

    config, now = parts.service.config, parts.clock.now()
    census = census_of(config.sources)
    enabled = census.enabled
    # Together: one after the other, each would wait for a write of the imports that are under way.
    overview, newest, remarks, verdict = await asyncio.gather(
        parts.overview(census.oldest.later(now)), _newest(parts), parts.remarks(), _verdict(parts)
    )
    ages = remarks_on_ages(await parts.enricher.database_dates(), now) if census.by_country else ()
    state = parts.enforcer.state
    bans, watched = await asyncio.to_thread(_counted, state) if state else (0, 0)
    concerned = census.some(overview.known)
    done, total = parts.service.refreshing
    return {
        **verdict,
        "version": _version(),
        "state": "running",
        "backend": str(config.backend),
        "since": parts.started_at,
        "config": parts.config_place,
        "pid": os.getpid(),
        "sources": len(config.sources),
        "enabled": len(enabled),
        "kept": census.kept,
        "failing": sum(bool(poll.failures) for source_id, poll in overview.polls.items() if source_id in enabled),
        "quarantined": len((enabled & overview.refusals.keys()) - overview.waiting),
        "waiting": len(enabled & overview.waiting),
        "stale": len(enabled & overview.stale_since(concerned, now).keys()),
        "odd": _counts(overview.oddities(concerned, now)),
        "polling": len(enabled & parts.poll_record.under_way.keys()),
        "ledger_fault": parts.storage.fault,
        "bans": bans,
        "watched": watched,
        "maps": {map_id.name: len(entries) for map_id, entries in state.map_entries.items()} if state else {},
        "last_change": newest.completed_at if newest else None,
        "remarks": _rows([*remarks, *ages, *parts.value.remarks(), *remarks_on_waiting(parts.banning.waiting())]),
        "refreshing": {"done": done, "total": total},
        "suspended": await suspension_rows(parts, parts.suspended.every),
        "mqtt": broker_row(parts.broker),
        "stopped": [row for row in await published_rows(parts) if row["stopped_since"] is not None],
        "signatures": signature_rows(parts),
    }


def _counted(state: "FirewallState") -> tuple[int, int]:
    """What blocks, and what only logs or counts."""
    from banlistd.core.ruleset.ranking import count, count_watched

    return count(state), count_watched(state)


@cache
def _version() -> str:
    from importlib.metadata import version

    return version("banlistd")


def _counts(oddities: "Mapping[SourceId, Sequence[Oddity]]") -> dict[str, int]:
    from banlistd.core.feeds.health.conditions import FeedCondition

    found = [one.condition for some in oddities.values() for one in some]
    return {str(condition): found.count(condition) for condition in FeedCondition}


async def _newest(parts: "Parts") -> "ImportRun | None":
    (run,) = await parts.ledger.history(None, 1) or (None,)
    return run


def _is_whole(answer: StatusAnswer | VerdictAnswer) -> TypeGuard[StatusAnswer]:
    return "version" in answer


def _judge(answer: StatusAnswer | VerdictAnswer) -> int:
    return 0 if _is_whole(answer) else VERDICT_EXITS[Verdict(answer["verdict"])]


def _page(answer: StatusAnswer | VerdictAnswer, context: PageContext) -> Page:
    if _is_whole(answer):
        return _page_of_all(answer, context)
    return [printable(answer["verdict"]), *_reasons(answer["reasons"])]


def _reasons(reasons: Sequence[RemarkRow]) -> list[str]:
    return [
        line for one in reasons for line in (f"  because      {printable(one['message'])}", f"      {printable(one['hint'])}")
    ]


def _page_of_all(answer: StatusAnswer, context: PageContext) -> Page:
    sources: Sequence[SourceRow] = context.ask(SOURCES) if _needs_attention(answer) else ()
    started, changed = answer["since"], answer["last_change"]
    numbers = {
        "off": answer["sources"] - answer["enabled"],
        "with action none": answer["kept"],
        "failing": answer["failing"],
        "in quarantine": answer["quarantined"],
        "waiting": answer["waiting"],
        "stale": answer["stale"],
        **{printable(condition): count for condition, count in answer["odd"].items()},
        "polling": answer["polling"],
    }
    remarks = ", ".join(f"{number(value)} {what}" for what, value in numbers.items() if value)
    state = f"{printable(answer['version'])} is {printable(answer['state'])}"
    facts = [
        f"banlistd {state} since {moment(started)} ({short_duration(context.now - started)})",
        printable(answer["backend"]),
        counted(answer["sources"], "source", "sources") + (f" ({remarks})" if remarks else ""),
        counted(answer["bans"], "ban", "bans"),
        *([f"{number(answer['watched'])} only watched"] if answer["watched"] else []),
    ]
    maps = [f"{printable(name)} {number(size)}" for name, size in answer["maps"].items()]
    return [
        ", ".join(facts),
        f"  verdict      {printable(answer['verdict'])}",
        *_reasons(answer["reasons"]),
        f"  maps         {', '.join(maps) or 'none'}",
        f"  last change  {'none yet' if changed is None else f'{moment(changed)} ({since(changed, context.now)})'}",
        f"  config       {printable(answer['config'])}",
        f"  process      {printable(answer['pid'])}",
        *_refreshing(answer["refreshing"]),
        *[f"  {printable(row['id'])} is {suspension_words(row)} ({way_out(row)})" for row in answer["suspended"]],
        *[f"  fleet: {printable(row['id'])} is {stop_words(row)}" for row in answer["stopped"]],
        *[f"  fleet: {signature_words(row)}" for row in answer["signatures"]],
        *_ledger(answer["ledger_fault"]),
        *broker_lines(answer["mqtt"], context.now),
        *_remarks([remark for remark in answer["remarks"] if remark not in answer["reasons"]]),
        *failing_lines(sources, context.now),
        *odd_lines(sources),
    ]


def _needs_attention(answer: StatusAnswer) -> bool:
    return bool(answer["failing"] or answer["stale"] or any(answer["odd"].values()))


def _refreshing(progress: RefreshRow) -> list[str]:
    done, total = progress["done"], progress["total"]
    return [f"  refresh      {number(done)} of {counted(total, 'source', 'sources')}"] if total else []


def _ledger(fault: str) -> list[str]:
    if not fault:
        return []
    return [
        f"  database     in memory only: {printable(fault)}",
        "      bans stay and are repaired; later changes would be lost at a restart",
        "      the disk is tried again twice a minute, or at once: banlistctl reload",
    ]


def _remarks(remarks: Sequence[RemarkRow]) -> list[str]:
    return [
        line
        for remark in remarks
        for line in (f"  warning      {printable(remark['message'])}", f"      {printable(remark['hint'])}")
    ]


_EXAMPLE: StatusAnswer = {
    "verdict": "PROTECTED",
    "reasons": [],
    "version": "0.1.0",
    "state": "running",
    "backend": "nftables",
    "since": 1_790_000_000.0,
    "config": "/etc/banlistd",
    "pid": 4711,
    "sources": 12,
    "enabled": 11,
    "kept": 0,
    "failing": 0,
    "quarantined": 0,
    "waiting": 0,
    "stale": 0,
    "odd": {"dead": 0, "frozen": 0, "moved": 0, "empty": 0},
    "polling": 0,
    "ledger_fault": "",
    "bans": 1_234_567,
    "watched": 0,
    "maps": {"hosts4": 1_200_000, "nets4": 34_567},
    "last_change": 1_790_000_000.0,
    "remarks": [],
    "refreshing": {"done": 0, "total": 0},
    "suspended": [],
    "mqtt": {"broker": "", "connected": False, "since": None, "reason": "", "lost": 0, "key_fault": ""},
    "stopped": [],
    "signatures": [],
}

STATUS: "Command[tuple[str, ...], StatusAnswer | VerdictAnswer]" = Command(
    name="status",
    help="the daemon as a whole, and what fails",
    details="The verdict says whether bans take effect, as far as that is known without a packet; `banlistctl prove` sends"
    " some. PROTECTED: the firewall has every rule and every list of this daemon, and nothing is known that packets pass it"
    " by. DEGRADED: some traffic passes no rule (guests on a bridge, macvlan, flowtables, XDP programs, redirects of traffic"
    " control, tables that forward at ingress), a source that is to ban has never been read, or the backend is fail2ban, whose"
    " action banlistd does not see. OPEN: table, chains, rules or markers are missing, or the backend is memory. With"
    " --verdict the exit code says it, for monitoring; without, it is 0.",
    method="GET",
    arguments=(Argument("--verdict", "", "only whether bans take effect, and the exit code of it", is_flag=True),),
    example=_EXAMPLE,
    read=_read,
    answer=_answer,
    page=_page,
    judge=_judge,
    exits={1: "--verdict: DEGRADED", 2: "--verdict: OPEN"},
)
