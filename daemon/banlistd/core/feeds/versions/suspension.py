"""A source that is not polled because an operator said so: paused, or pinned to a content. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from banlistd.model import ContentHash, SourceId


class SuspensionKind(StrEnum):
    """Why a source is not polled. Its bans stay in both cases."""

    PAUSED = "paused"
    PINNED = "pinned"


@dataclass(frozen=True, slots=True)
class Suspension:
    """`since`: seconds since the epoch. `uid`: who ordered it; None: not known. `content_hash`, `run_id`: of the content that
    the list is pinned to; None of one that is paused.
    """

    source_id: SourceId
    kind: SuspensionKind
    since: float
    uid: int | None = None
    run_id: int | None = None
    content_hash: ContentHash | None = None

    @property
    def reason(self) -> str:
        """For a person, to follow `is`, with the way out."""
        if self.kind is SuspensionKind.PAUSED:
            return f"paused (banlistctl resume {self.source_id} polls it again)"
        return f"pinned to the content of run {self.run_id} (banlistctl unpin {self.source_id} polls it again)"
