"""What `report` answers with `since`: lists and hits over time, and where the banned addresses belong."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from banlistd.control.commands.value.shapes import OverTime, PastOfList, PlaceRow, Places

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.core.geo.types import By
    from banlistd.core.ruleset.evidence.hits import HitCount
    from banlistd.model import SourceId

_MOST_PLACES = 20


async def over_time(parts: "Parts", since: float, ids: "Sequence[SourceId]") -> OverTime:
    """From a moment (seconds since the epoch) until now; `ids`: the lists that are answered one by one. Raises LedgerError."""
    import asyncio

    from banlistd.core.feeds.value.over_time import SLOTS, Slots, time_lines

    now = parts.clock.now()
    slots = Slots.between(since, now)
    counts = await parts.evidence.hits.counts(since)
    rows, spans = await parts.records.sizes(slots), await parts.evidence.hits.over_time(slots)
    combined = {source.id for source in parts.service.config.sources if source.combination}
    in_force = {owner.source_id for owner in parts.enforcer.policy.sources}
    # Of thousands of lists it takes a second.
    found = await asyncio.to_thread(time_lines, rows, spans, in_force, combined)
    return {
        "since": since,
        "until": now,
        "slot": slots.width,
        "entries": [*found.entries],
        "hits": [*found.hits],
        "lists": [_of_list(one, found.sizes.get(one, [None] * SLOTS), found.met.get(one, [0] * SLOTS), counts) for one in ids],
    }


def _of_list(
    source_id: "SourceId", entries: Sequence[int | None], hits: Sequence[int], counts: "Mapping[SourceId, HitCount]"
) -> PastOfList:
    count = counts.get(source_id)
    return {
        "id": source_id,
        "entries": [*entries],
        "hits": [*hits],
        "connections": count.hits if count else 0,
        "samples": count.samples if count else 0,
    }


async def bans_by_place(parts: "Parts", by: "By") -> Places:
    """Who has most bans; without a row where no database on this machine knows."""
    import asyncio

    from banlistd.core.ruleset.ranking import count, rank
    from banlistd.errors import GeoError

    state = parts.enforcer.state
    if state is None:
        return {"bans": 0, "total": 0, "rows": [], "unknown": ""}
    try:
        table = await parts.enricher.table(by)
    except GeoError as error:
        return {"bans": count(state), "total": 0, "rows": [], "unknown": error.message}
    ranks = await asyncio.to_thread(rank, state, table, by)
    rows: list[PlaceRow] = [
        {"key": one.key, "name": one.name, "bans": one.bans, "addresses": one.addresses} for one in ranks[:_MOST_PLACES]
    ]
    return {"bans": count(state), "total": len(ranks), "rows": rows, "unknown": ""}
