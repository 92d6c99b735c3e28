"""The verdict on daemon and host together: whether bans take effect, and whether lists and database are as they should."""

from collections.abc import Sequence
from dataclasses import dataclass

from banlistd.control_api import Verdict, verdict_by
from banlistd.core.printing import counted
from banlistd.model import Remark, SourceId

TRIES = 3
"""So many polls in a row that failed make a source a reason; a single failure is usual in a large configuration."""

_NAMED = 3


@dataclass(frozen=True, slots=True)
class ListHealth:
    """Enabled sources with a fault. `failing`: since at least TRIES polls. `refused`: their newest list is in quarantine."""

    failing: Sequence[SourceId] = ()
    stale: Sequence[SourceId] = ()
    refused: Sequence[SourceId] = ()


def health_of(
    host: Verdict, reasons: Sequence[Remark], lists: ListHealth, *, ledger_fault: str, drift_recurs: bool
) -> tuple[Verdict, Sequence[Remark]]:
    """`host`, `reasons`: whether bans take effect. The worst verdict of all counts."""
    more = [
        *_of_sources(lists.failing, "fails", "fail", "banlistctl sources --failing"),
        *_of_sources(lists.stale, "has no good list for too long", "have no good list for too long", "banlistctl refresh"),
        *_of_sources(lists.refused, "has a list in quarantine", "have lists in quarantine", "banlistctl quarantine"),
    ]
    if ledger_fault:
        more.append(Remark(f"the database is in memory only: {ledger_fault}", "df -h /var/lib/banlistd"))
    if drift_recurs:
        more.append(Remark("another program changes the bans again and again", "journalctl EVENT=firewall_drift_recurring"))
    verdict = host if host is Verdict.OPEN else verdict_by(gaps=(), weaknesses=[*reasons, *more])
    return verdict, [*reasons, *more]


def _of_sources(found: Sequence[SourceId], one: str, many: str, hint: str) -> Sequence[Remark]:
    if not found:
        return ()
    others = len(found) - _NAMED
    names = ", ".join(found[:_NAMED]) + (f" and {counted(others, 'other', 'others')}" if others > 0 else "")
    return (Remark(f"{names} {one if len(found) == 1 else many}", hint),)
