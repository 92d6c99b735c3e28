"""Which refused content each user has looked at last. In memory: a restart of the daemon forgets it."""

from dataclasses import dataclass

from banlistd.core.feeds.quarantine import Quarantined
from banlistd.model import ContentHash, SourceId


@dataclass(frozen=True, slots=True)
class Seen:
    content_hash: ContentHash
    guard: str
    entries: int


class SeenContents:
    """Per user (uid) and source, the newest content that `banlistctl quarantine ID` has shown. None has seen nothing."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, SourceId], Seen] = {}

    def note(self, uid: int | None, content: Quarantined) -> None:
        if uid is not None:
            self._seen[uid, content.source_id] = Seen(content.content_hash, content.guard, content.entries)

    def last(self, uid: int | None, source_id: SourceId) -> Seen | None:
        return None if uid is None else self._seen.get((uid, source_id))
