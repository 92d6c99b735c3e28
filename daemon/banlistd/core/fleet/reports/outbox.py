"""What a node has to report: changes of its manual bans, the newest of each address, until the broker has them. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from banlistd.core.fleet.reports.addresses import address_within
from banlistd.core.fleet.reports.report import LiftedBan, ReportedBan
from banlistd.model import ManualBan

ReportChange = ReportedBan | LiftedBan

MOST_IN_OUTBOX = 10_000
"""Changes that wait to be sent; the oldest go first."""

LIFTED_AGAIN = 3 * 3600.0
"""Seconds in which a ban that was lifted is taken back again at each repetition: two of them at least."""

_NEARLY_OVER = 60
"""Seconds. A ban that is lifted so shortly before its end has ended: fail2ban lifts its bans itself, by a clock of its own."""


def is_reported(ban: ManualBan, patterns: Iterable[str]) -> bool:
    """Whether bans of this origin are reported. One that waits for its confirmation is not, nor one of some packets only."""
    if ban.confirm_by is not None or ban.scope is not None:
        return False
    return _is_of(ban.origin, patterns)


def _is_of(origin: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(origin, pattern) for pattern in patterns)


def change_of(ban: ManualBan) -> ReportedBan | None:
    """A ban as it is reported; None: it is wider than a single host."""
    seen = address_within(*ban.span)
    if seen is None:
        return None
    seconds = None if ban.expires_at is None else max(0, round(ban.expires_at - ban.created_at))
    return ReportedBan(seen, int(ban.created_at), seconds, ban.origin)


def reported_bans(bans: Iterable[ManualBan], patterns: Sequence[str], now: float) -> Iterator[ReportedBan]:
    """What is to be reported of bans, of those in force."""
    for ban in bans:
        if is_reported(ban, patterns) and ban.in_force(now) and (change := change_of(ban)):
            yield change


def reported_ends(ended: Iterable[tuple[ManualBan, float]], patterns: Sequence[str]) -> Iterator[LiftedBan]:
    """What is to be reported of bans and the moments when they ended: what has run out is not lifted."""
    for ban, ended_at in ended:
        if not is_reported(ban, patterns) or (ban.ends_at is not None and ban.ends_at <= ended_at + _NEARLY_OVER):
            continue
        if change := change_of(ban):
            yield LiftedBan(change.address, change.origin)


def ends_again(ended: Iterable[tuple[ManualBan, float, bool]], patterns: Sequence[str]) -> Iterator[LiftedBan]:
    """What is taken back again. `ended`: bans, when each ended, and whether it was lifted; the newest end first.

    The newest end of an address counts: a ban after the lifted one may have run out, and such a one is not taken back.
    """
    seen = set()
    for ban, ended_at, is_lifted in ended:
        change = change_of(ban) if is_reported(ban, patterns) else None
        if change is None or change.address in seen:
            continue
        seen.add(change.address)
        if is_lifted:
            yield from reported_ends([(ban, ended_at)], patterns)


def is_over(change: ReportChange, patterns: Iterable[str], now: float) -> bool:
    """Whether it need not be sent any more: a ban that has run out, or whose origin is no longer reported."""
    return isinstance(change, ReportedBan) and (change.is_over(now) or not _is_of(change.origin, patterns))
