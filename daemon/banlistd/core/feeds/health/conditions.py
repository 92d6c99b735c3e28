"""What is odd about a feed although nothing of it has to be refused: dead, frozen, moved, empty. Times are handed in."""

from dataclasses import dataclass
from enum import StrEnum

from banlistd.core.config.model import Source
from banlistd.core.feeds.quarantine import SourceHealth, frozen_at
from banlistd.model import Poll

DEAD_AFTER = 7 * 86_400.0
"""Seconds of failures in a row."""

_DAY = 86_400.0


class FeedCondition(StrEnum):
    DEAD = "dead"
    FROZEN = "frozen"
    MOVED = "moved"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Oddity:
    """`message`: for a person, without the name of the source."""

    condition: FeedCondition
    message: str


@dataclass(frozen=True, slots=True)
class FeedState:
    """What is known of a feed. `entries`: of the content in force; None where it has some, or there is none.

    `is_refused_as_empty`: of its newest list. `moved_to`: the address that its server names instead of its own, for good;
    empty: none.
    """

    poll: Poll
    health: SourceHealth | None = None
    entries: int | None = None
    is_refused_as_empty: bool = False
    moved_to: str = ""


def is_dead(poll: Poll, now: float) -> bool:
    """Whether every poll has failed for so long that the list may be gone."""
    return bool(poll.failures) and poll.failing_since is not None and now - poll.failing_since >= DEAD_AFTER


def oddities_of(source: Source, state: FeedState, now: float) -> tuple[Oddity, ...]:
    """Every condition of a feed, the worst first. A local file may be empty on purpose."""
    found = []
    poll, health = state.poll, state.health
    if is_dead(poll, now):
        days = (now - (poll.failing_since or now)) / _DAY
        found.append(Oddity(FeedCondition.DEAD, f"every poll has failed for {days:.1f} days"))
    if health is not None and now >= frozen_at(health.changed_at, source):
        found.append(
            Oddity(FeedCondition.FROZEN, f"its content has not changed for {(now - health.changed_at) / _DAY:.1f} days")
        )
    if state.moved_to:
        found.append(Oddity(FeedCondition.MOVED, f"its server says that it has moved for good to {state.moved_to}"))
    if source.url and state.is_refused_as_empty:
        found.append(Oddity(FeedCondition.EMPTY, "its newest list has no entry and was refused"))
    elif source.url and state.entries == 0:
        found.append(Oddity(FeedCondition.EMPTY, "its list has no entry"))
    return tuple(found)
