"""Combinations among the sources of a configuration."""

from collections.abc import Sequence

from banlistd.core.config.combining.order import in_waves
from banlistd.core.config.model import Source


def combined_last(sources: Sequence[Source]) -> list[list[Source]]:
    """In waves: each source after those of them that it is made of."""
    by_id = {source.id: source for source in sources}
    made_of = {source.id: source.combination.sources if source.combination else () for source in sources}
    return [[by_id[source_id] for source_id in wave] for wave in in_waves(made_of)]
