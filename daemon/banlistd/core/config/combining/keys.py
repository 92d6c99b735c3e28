"""The keys of a source that is made of other sources."""

from dataclasses import dataclass
from typing import Annotated

from banlistd.core.config.combining.combination import AT_LEAST, PARTS, WINDOW, Combination
from banlistd.core.config.keys import Key
from banlistd.core.config.sections.defaults import Defaults
from banlistd.model import SourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined(Defaults):
    """The keys of a source that say which others it is made of."""

    merge: Annotated[
        tuple[SourceId, ...],
        Key(
            PARTS,
            "Combines other sources of this configuration, by their ids: what one of them lists. They may be combined too.",
        ),
    ] = ()
    intersect: Annotated[tuple[SourceId, ...], Key(PARTS, "Combines other sources: what all of them list.")] = ()
    at_least: Annotated[int, Key(AT_LEAST, "With `merge`: in how many of them an address must be.")] = 1
    exclude: Annotated[
        tuple[SourceId, ...], Key(PARTS, "With `merge` or `intersect`: sources whose addresses are taken out of the result.")
    ] = ()
    window: Annotated[
        float | None,
        Key(
            WINDOW,
            "With `merge` or `intersect`: what one of them has listed within this time counts as listed. What leaves a list is "
            "remembered from the time on at which a window asks for it.",
        ),
    ] = None

    @property
    def combination(self) -> Combination | None:
        """What the list is made of, where it is made of other sources."""
        if self.intersect:
            return Combination(self.intersect, len(self.intersect), self.exclude, self.window or 0.0)
        return Combination(self.merge, self.at_least, self.exclude, self.window or 0.0) if self.merge else None
