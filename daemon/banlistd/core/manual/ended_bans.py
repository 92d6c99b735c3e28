"""Manual bans that are over: when each ended, and how. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from banlistd.model import BanKey, ManualBan


class BanEnd(StrEnum):
    """How a ban ended."""

    LIFTED = "lifted"
    EXPIRED = "expired"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class EndedBan:
    """`ban` as it was last, and when it ended (seconds since the epoch)."""

    ban: ManualBan
    ended_at: float
    how: BanEnd

    def covers(self, at: float) -> bool:
        """Whether it was in force at a moment."""
        return self.ban.created_at <= at < self.ended_at


def ended_with(
    come: Iterable[ManualBan], go: Iterable[BanKey], known: Callable[[BanKey], ManualBan | None], now: float
) -> Sequence[EndedBan]:
    """The bans that end with a change at a moment: those that go, and those that had run out when others came in their place.

    `known`: the bans before the change.
    """
    gone = [ban for key in go if (ban := known(key)) is not None]
    replaced = [before for ban in come if (before := known(ban.key)) is not None and before.created_at != ban.created_at]
    return [_ended(ban, now) for ban in (*gone, *replaced)]


def _ended(ban: ManualBan, now: float) -> EndedBan:
    if ban.ends_at is None or now < ban.ends_at:
        return EndedBan(ban, now, BanEnd.LIFTED)
    return EndedBan(ban, ban.ends_at, BanEnd.UNCONFIRMED if ban.ends_at == ban.confirm_by else BanEnd.EXPIRED)
