"""How many new sightings a node may report in an hour, by what it has reported in each of the last minutes. Pure."""

from dataclasses import dataclass

MOST_NEW = 500
"""Sightings within an hour that make no earlier one longer. One node is one vote all the same; this bounds the table."""

_HOUR, _MINUTE = 3600, 60


@dataclass(frozen=True, slots=True)
class Quota:
    """`spent`: minutes since the epoch, and how many new sightings came in them; at most 61."""

    spent: tuple[tuple[int, int], ...] = ()

    def left(self, now: float) -> int:
        """How many are left at a moment. A clock that was set back by an hour at most forgives nothing."""
        return max(0, MOST_NEW - sum(count for minute, count in self.spent if not _is_over(minute, now)))

    def with_new(self, count: int, now: float) -> "Quota":
        """After so many have come."""
        minute = int(now // _MINUTE)
        kept = {at: number for at, number in self.spent if not _is_over(at, now)}
        if count:
            kept[minute] = kept.get(minute, 0) + count
        return Quota(tuple(sorted(kept.items())[-61:]))

    @property
    def text(self) -> str:
        """As it is stored."""
        return " ".join(f"{minute}:{count}" for minute, count in self.spent)

    @classmethod
    def of_text(cls, text: str) -> "Quota":
        """The inverse of `text`. Raises ValueError for another text."""
        pairs = (pair.split(":") for pair in text.split())
        return cls(tuple((int(minute), int(count)) for minute, count in pairs))


def _is_over(minute: int, now: float) -> bool:
    """Also of a time that is more than an hour ahead: it would be over in years."""
    begin = minute * _MINUTE
    return not begin - _HOUR <= now < begin + _MINUTE + _HOUR
