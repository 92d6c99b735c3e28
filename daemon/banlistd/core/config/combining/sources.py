"""Combinations among the sources of a configuration."""

from collections.abc import Sequence

from banlistd.core.config.combining.order import in_waves
from banlistd.core.config.model import Config, Source
from banlistd.model import Action, Remark, SourceId


def import_waves(sources: Sequence[Source]) -> list[list[Source]]:
    """In waves: each source after those of them that it is made of, and what bans after what allows."""
    by_id = {source.id: source for source in sources}
    first = allowing_first(sources)
    made_of = {source.id: {*_parts_of(source), *(first if source.id not in first else ())} for source in sources}
    return [[by_id[source_id] for source_id in wave] for wave in in_waves(made_of)]


def allowing_first(sources: Sequence[Source]) -> frozenset[SourceId]:
    """The sources that allow, and what they are made of: read before the others, or these ban for a moment what is allowed."""
    by_id = {source.id: source for source in sources}
    found: set[SourceId] = set()
    more = {source.id for source in sources if source.action is Action.ALLOW}
    while more:
        found |= more
        more = {part for one in more for part in _parts_of(by_id[one]) if part in by_id} - found
    return frozenset(found)


def _parts_of(source: Source) -> Sequence[SourceId]:
    return source.combination.sources if source.combination else ()


def remarks_on_unused(config: Config) -> Sequence[Remark]:
    """On lists that neither ban nor are a part of anything that does."""
    enabled = [source for source in config.sources if source.enabled]
    used = {part for source in enabled if source.combination for part in source.combination.sources}
    return [
        Remark(f"{source.id}: its action is none, and no source is made of it", "combine it, or write another action")
        for source in enabled
        if source.action is Action.NONE and source.id not in used
    ]
