"""What banlistctl promote asks: what would change if a source that only counts did block."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.commands.value.report import candidate_rows
from banlistd.control.commands.value.report_page import met_lines
from banlistd.control.commands.value.shapes import CandidateRow
from banlistd.control.declaration import Argument, Command, Completes, PageContext
from banlistd.control.page import Page, moment, number
from banlistd.core.printing import counted, printable
from banlistd.errors import FirewallError, NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest


class PromotionAnswer(TypedDict):
    """`new_bans`: entries, or parts of entries, that no blocking source has. `bans`: all bans of this moment. `packets`: in
    shadow, what would have been dropped; without, what no other source took; null where nothing is counted. `shadow_since`,
    `shadow_ends`: seconds since the epoch; null without a shadow. `candidates`, `met`: as in `report`.
    """

    id: str
    action: str
    entries: int
    new_bans: int
    bans: int
    packets: int | None
    shadow_since: float | None
    shadow_ends: float | None
    candidates: int
    met: list[CandidateRow]


def _read(request: "ControlRequest") -> str:
    if request.source is None:
        raise UsageError("no source is named", "banlistctl sources lists them")
    return request.source


async def _answer(parts: "Parts", source_id: str) -> PromotionAnswer:
    from banlistd.core.ruleset.ranking import count

    source, state = parts.source(source_id), parts.enforcer.state
    found = await parts.value.promotion(parts.service.config, source, parts.clock.now())
    shadow = found.shadow
    return {
        "id": source.id,
        "action": str(source.action),
        "entries": found.growth.entries,
        "new_bans": found.growth.new,
        "bans": count(state) if state else 0,
        "packets": found.packets,
        "shadow_since": shadow.began_at if shadow else None,
        "shadow_ends": shadow.began_at + source.shadow if shadow and source.shadow else None,
        "candidates": found.growth.candidates.entries,
        "met": candidate_rows(found.growth.candidates),
    }


def _page(answer: PromotionAnswer, context: PageContext) -> Page:
    name, packets = printable(answer["id"]), answer["packets"]
    since, ends = answer["shadow_since"], answer["shadow_ends"]
    lines = [
        f"{name} has {counted(answer['entries'], 'entry', 'entries')} and action {printable(answer['action'])}",
        f"  it would add {counted(answer['new_bans'], 'ban', 'bans')} to {number(answer['bans'])}",
    ]
    if packets is not None and since is not None and ends is not None:
        until = "now" if context.now < ends else moment(ends)
        lines.append(f"  from {moment(since)} to {until} it would have dropped {counted(packets, 'packet', 'packets')}")
    elif packets is not None:
        lines.append(f"  it counted {counted(packets, 'packet', 'packets')} that no other source takes (`shadow` counts all)")
    lines.append(f"  {counted(answer['candidates'], 'entry', 'entries')} met an address that is wanted")
    return [*lines, *(f"  {line}" for line in met_lines(answer["id"], answer["met"]))]


PROMOTION: "Command[str, PromotionAnswer]" = Command(
    name="promotion",
    help="what would change if a source that only counts did block",
    method="GET",
    example={
        "id": "spamhaus-drop",
        "action": "count",
        "entries": 1_650,
        "new_bans": 1_402,
        "bans": 20_000,
        "packets": 98_765,
        "shadow_since": 1_790_000_000.0,
        "shadow_ends": 1_791_209_600.0,
        "candidates": 1,
        "met": [{"entry": "192.0.2.0/24", "met": "allowed", "address": "192.0.2.7", "reason": "the office"}],
    },
    arguments=(Argument("id", "ID", "the source", field="source", completes=Completes.SOURCES),),
    read=_read,
    answer=_answer,
    page=_page,
    errors=(UsageError, NoSuchSourceError, FirewallError),
    timeout=60.0,
)
