"""banlistctl health: whether all is well, for monitoring."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.commands.monitoring.broker import BrokerRow, broker_lines, broker_row
from banlistd.control.declaration import Command, PageContext, no_fields
from banlistd.control.page import Page, clock_time
from banlistd.control_api import VERDICT_EXITS, Verdict
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts


class HealthReason(TypedDict):
    message: str
    hint: str


class HealthAnswer(TypedDict):
    """`mqtt`: the connection to the broker, which changes no verdict.

    `live`: the daemon answers. `ready`: its bans take effect. `verdict`: PROTECTED, DEGRADED or OPEN. `reasons`: why it is
    not PROTECTED. `next_poll`: when a source is polled next; null: none is, or one is at once.
    """

    live: bool
    ready: bool
    verdict: str
    reasons: list[HealthReason]
    next_poll: float | None
    mqtt: BrokerRow


async def _answer(parts: "Parts", _: tuple[()]) -> HealthAnswer:
    import asyncio

    from banlistd.services.verdicts.health import TRIES, ListHealth, health_of

    service = parts.service
    host, figures = await asyncio.gather(parts.coverage.judge(service.config.backend), parts.figures())
    enabled = [source for source in service.config.sources if source.enabled]
    polls, refused, stale = figures.polls, figures.refused, figures.stale_since(enabled, parts.clock.now())
    lists = ListHealth(
        [one.id for one in enabled if one.id in polls and polls[one.id][1] >= TRIES],
        [one.id for one in enabled if one.id in stale],
        [one.id for one in enabled if one.id in refused],
    )
    verdict, reasons = health_of(
        host.verdict, host.reasons, lists, ledger_fault=parts.storage.fault, drift_recurs=service.repairs.recur
    )
    suspended = {one.source_id for one in parts.suspended.every}
    polled = [one for one in enabled if one.id in polls and one.id not in suspended]
    due = [parts.poll_record.later(one, polls[one.id][0]) for one in polled]
    return {
        "live": True,
        "ready": verdict is not Verdict.OPEN,
        "verdict": str(verdict),
        "reasons": [{"message": reason.message, "hint": reason.hint} for reason in reasons],
        "next_poll": min(due, default=0.0) or None,
        "mqtt": broker_row(parts.broker),
    }


def _page(answer: HealthAnswer, context: PageContext) -> Page:
    lines = [printable(answer["verdict"])]
    for reason in answer["reasons"]:
        lines += [f"  because    {printable(reason['message'])}", f"      {printable(reason['hint'])}"]
    if answer["next_poll"] is not None:
        due = answer["next_poll"]
        lines.append(f"  next poll  {clock_time(due, context.now) if due > context.now else 'now'}")
    return lines + broker_lines(answer["mqtt"], context.now)


HEALTH: Command[tuple[()], HealthAnswer] = Command(
    name="health",
    help="whether all is well, and the exit code of it, for monitoring",
    details="The verdict of `status` on this host, with what is wrong with lists and database. OPEN: bans take no effect."
    " DEGRADED: some of them do not, or not all is known, or a source has failed three times in a row, is stale or has a list"
    " in quarantine, or another program changes the bans again and again, or the database is in memory only. PROTECTED: none of"
    " it. With `metrics:`, the same is answered over HTTP.",
    method="GET",
    example={
        "live": True,
        "ready": True,
        "verdict": "PROTECTED",
        "reasons": [],
        "next_poll": 1_790_000_000.0,
        "mqtt": {"broker": "", "connected": False, "since": None, "reason": "", "lost": 0, "key_fault": ""},
    },
    read=no_fields,
    answer=_answer,
    page=_page,
    judge=lambda answer: VERDICT_EXITS[Verdict(answer["verdict"])],
    exits={1: "DEGRADED", 2: "OPEN"},
)
