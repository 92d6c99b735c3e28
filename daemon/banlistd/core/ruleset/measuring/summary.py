"""The line that the service manager shows of the daemon (`systemctl status`)."""

from collections.abc import Sequence

from banlistd.core.printing import counted

_NAMED = 10
"""Failing sources that the line names."""


def summary(*, bans: int, sources: int, failing: Sequence[str], fault: str) -> str:
    """`failing`: ids of sources. `fault`: of the database; empty: none."""
    others = ", ..." if len(failing) > _NAMED else ""
    fails = f", {len(failing)} failing: {', '.join(failing[:_NAMED])}{others}" if failing else ""
    ledger = f", state in memory only: {fault}" if fault else ""
    return f"{counted(bans, 'ban', 'bans')} from {counted(sources, 'source', 'sources')}{fails}{ledger}"
