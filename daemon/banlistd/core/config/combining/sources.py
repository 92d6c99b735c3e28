"""Combinations among the sources of a configuration."""

from collections.abc import Sequence

from banlistd.core.config.combining.order import in_waves
from banlistd.core.config.model import Config, Source
from banlistd.model import Action, Remark


def combined_last(sources: Sequence[Source]) -> list[list[Source]]:
    """In waves: each source after those of them that it is made of."""
    by_id = {source.id: source for source in sources}
    made_of = {source.id: source.combination.sources if source.combination else () for source in sources}
    return [[by_id[source_id] for source_id in wave] for wave in in_waves(made_of)]


def remarks_on_unused(config: Config) -> Sequence[Remark]:
    """On lists that neither ban nor are a part of anything that does."""
    enabled = [source for source in config.sources if source.enabled]
    used = {part for source in enabled if source.combination for part in source.combination.sources}
    return [
        Remark(f"{source.id}: its action is none, and no source is made of it", "combine it, or write another action")
        for source in enabled
        if source.action is Action.NONE and source.id not in used
    ]
