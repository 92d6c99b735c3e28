"""The line that the service manager shows of the daemon (`systemctl status`)."""

from collections.abc import Sequence
from typing import NamedTuple

from banlistd.core.printing import counted

_NAMED = 10
"""Failing sources that the line names."""


class LastVerdict(NamedTuple):
    """What was seen of the daemon from outside. `next_poll`: a time for a person; empty: not known."""

    verdict: str = ""
    next_poll: str = ""


def summary(*, bans: int, sources: int, failing: Sequence[str], fault: str, seen: LastVerdict) -> str:
    """`failing`: ids of sources. `fault`: of the database; empty: none."""
    others = ", ..." if len(failing) > _NAMED else ""
    fails = f", {len(failing)} failing: {', '.join(failing[:_NAMED])}{others}" if failing else ""
    ledger = f", state in memory only: {fault}" if fault else ""
    first = f"{seen.verdict}: " if seen.verdict else ""
    last = f", next poll {seen.next_poll}" if seen.next_poll else ""
    return f"{first}{counted(bans, 'ban', 'bans')} from {counted(sources, 'source', 'sources')}{fails}{ledger}{last}"
