"""What a batch of orders changes of the manual bans."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from banlistd.core.manual.ban_draft import BanDraft
from banlistd.core.manual.ended_bans import EndedBan, ended_with
from banlistd.model import BanKey, ManualBan


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The bans that come, the keys that go, and what ends with it; `expired` of it by itself."""

    come: Sequence[ManualBan]
    go: Sequence[BanKey]
    ended: Sequence[EndedBan]
    expired: Sequence[ManualBan]


def outcome_of(draft: BanDraft, known: Callable[[BanKey], ManualBan | None], now: float) -> BatchOutcome:
    """With what has run out at a moment (seconds since the epoch). `known`: the bans before."""
    expired = draft.run_out(now)
    come, go = draft.changes()
    return BatchOutcome(come, go, ended_with(come, go, known, now), expired)
