"""What is allowed by command, as values: an order becomes an entry, entries become protection. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from banlistd.errors import RefusedError
from banlistd.model import Family, Protected, Span

REASON = "allowed by command"

MOST_ALLOWS = 256
"""More than a person types, and few enough that each plan can look each of them up in each list."""


@dataclass(frozen=True, slots=True)
class ManualAllow:
    """Addresses (integers, both ends inclusive) that were allowed by command, in force until `expires_at`; None: for ever.

    Times in seconds since the epoch. `uid`: the user who ordered it; None where that is not known.
    """

    family: Family
    first: int
    last: int
    comment: str
    created_at: float
    expires_at: float | None
    uid: int | None = None

    @property
    def span(self) -> Span:
        return self.family, self.first, self.last

    def in_force(self, now: float) -> bool:
        return self.expires_at is None or now < self.expires_at

    def contains(self, span: Span) -> bool:
        family, first, last = span
        return family is self.family and self.first <= first and last <= self.last


@dataclass(frozen=True, slots=True)
class AllowOrder:
    """Allow these addresses for so many seconds or, None, for ever."""

    span: Span
    seconds: float | None
    comment: str
    uid: int | None = None

    def at(self, now: float) -> ManualAllow:
        """The entry, if it is carried out at a moment (seconds since the epoch)."""
        until = None if self.seconds is None else now + self.seconds
        return ManualAllow(*self.span, self.comment, now, until, self.uid)


def with_order(entries: Mapping[Span, ManualAllow], order: AllowOrder, now: float) -> tuple[ManualAllow, bool]:
    """The entry that an order makes, and whether those addresses were not allowed before. Raises RefusedError."""
    before = entries.get(order.span)
    if before is not None and before.in_force(now):
        return replace(order.at(now), created_at=before.created_at), False
    if before is None and len(entries) >= MOST_ALLOWS:
        hint = "banlistctl disallow takes one away; allow: in the configuration may have any number"
        raise RefusedError(f"{MOST_ALLOWS} entries are allowed by command, and there may not be more", hint)
    return order.at(now), True


def protection_of_allows(entries: Iterable[ManualAllow], now: float) -> Sequence[Protected]:
    """What is protected at a moment because it was allowed by command. A manual ban gives way to it."""
    return [
        Protected(*entry.span, REASON, since=entry.created_at, until=entry.expires_at)
        for entry in entries
        if entry.in_force(now)
    ]
