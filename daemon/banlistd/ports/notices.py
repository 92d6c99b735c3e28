"""What banlistd-notify reads, remembers and delivers to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from banlistd.core.notices.notice import Happening, Notice
from banlistd.core.notices.state import NoticeState


@dataclass(frozen=True, slots=True)
class EventsAfter:
    """Events that come after a place. `place`: the one to go on from. `lost`: events that can no longer be read."""

    place: str
    lost: int
    happenings: Sequence[Happening]


class EventReader(Protocol):
    async def read(self, place: str, seconds: int) -> EventsAfter:
        """The events after a place, or after so many seconds none; of no place: the place of now, without events.

        Raises BanlistdError.
        """


class NoticeReceiver(Protocol):
    """`most`: notices that it takes at once."""

    @property
    def most(self) -> int: ...

    async def deliver(self, notices: Sequence[Notice], lost: int, waiting: int) -> str:
        """What it said, for the journal. `lost` notices came before these and are gone; `waiting` ones come after them.

        Raises DeliveryError; after another end of it, such as a kill, they are delivered again.
        """


class NoticeStore(Protocol):
    def load(self) -> NoticeState:
        """An empty one where there is none. Raises LedgerError for one that cannot be read."""

    def save(self, state: NoticeState) -> None:
        """All of it or nothing of it. Raises LedgerError."""
