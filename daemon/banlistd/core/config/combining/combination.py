"""A source that is made of other sources: how it is written, and what it means."""

from collections.abc import Iterable
from dataclasses import dataclass

from banlistd.core.config import kinds, values
from banlistd.core.config.values import among
from banlistd.model import SourceId


@dataclass(frozen=True, slots=True)
class Combination:
    """What `at_least` of the `parts` list, without what one of `exclude` lists.

    `window`: seconds; what a part has listed within this time counts as listed by it. 0: only what it lists now.
    """

    parts: tuple[SourceId, ...]
    at_least: int = 1
    exclude: tuple[SourceId, ...] = ()
    window: float = 0.0

    @property
    def sources(self) -> tuple[SourceId, ...]:
        """Every source that it is made of, in the order in which they are written."""
        return (*self.parts, *self.exclude)

    def __str__(self) -> str:
        """For a person: `addresses in 2 of a, b and c, not in d`."""
        if self.at_least == 1:
            where = among(self.parts)
        else:
            how_many = "all" if self.at_least == len(self.parts) else f"{self.at_least}"
            where = f"{how_many} of {_and(self.parts)}"
        when = f" within the last {kinds.show_duration(self.window)}" if self.window else ""
        without = f", not in {among(self.exclude)}" if self.exclude else ""
        return f"addresses in {where}{when}{without}"


def _and(ids: Iterable[str]) -> str:
    *head, tail = ids
    return f"{', '.join(head)} and {tail}" if head else tail


_ID = kinds.scalar(values.source_id, kinds.SOURCE_ID.schema, kinds.SOURCE_ID.says, examples=("b",))

PARTS = kinds.many(_ID, "ids of sources")
AT_LEAST = kinds.whole(1, 100)
WINDOW = kinds.duration_between("1h", "90d")
