"""Refused content as a value: how long it has stayed so, and when it is accepted by itself."""

import math
from dataclasses import dataclass, field

from banlistd.core.addresses.canonical import hash_of
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.config.sections.guards import Guards
from banlistd.core.feeds.evaluate import Reading
from banlistd.core.feeds.extent import AcceptedSizes, Extent, NeverBanned
from banlistd.core.feeds.guards import HOLD, NO_LIST, SETTLING
from banlistd.core.feeds.judgement import Judgement
from banlistd.core.feeds.samples import Sample, draw
from banlistd.model import ContentHash, ImportRun, Poll, Refusal, SourceId

FEWEST_REFUSALS = 3
"""However long a list has been the same: two polls in a row may have met one and the same accident."""

ALIKE = 0.5
"""Part of the larger one; a list that shrank again, or grew, is another one and starts anew."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The newest refused content of a source. `snapshot`: its encoded address set. Times are seconds since the epoch.

    `first_seen`, `refusals`, `stood` (seconds) belong to the time in which the source has been refused for the same reason and
    with about the same size. `approved`: it is taken at the next poll, without a download.
    """

    source_id: SourceId
    content_hash: ContentHash
    snapshot: bytes = field(repr=False)
    guard: str
    reason: str
    entries: int
    rejected: int
    first_seen: float
    last_seen: float
    refusals: int = 1
    stood: float = 0.0
    approved: bool = False

    @property
    def is_list(self) -> bool:
        """False for an empty list, a web page or an error message: approval would ban nothing, or what the text names."""
        return self.entries > 0 and self.guard not in NO_LIST


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """When a source last had a good list, new or unchanged, and when its content last changed (seconds since the epoch).

    `has_end_count`: that list ended in a line that counts its entries. `stale_announced`, `frozen_announced`: it was announced
    as stale, or as unchanged for too long, since.
    """

    good_at: float
    changed_at: float
    has_end_count: bool = False
    stale_announced: bool = False
    frozen_announced: bool = False


@dataclass(frozen=True, slots=True)
class PastContents:
    """What is remembered of the good lists of a source. `health`, `sizes`: None where there were none. `sizes`, `samples`: of
    the last 30 days, a sample of the first content of each day.
    """

    health: SourceHealth | None
    sizes: AcceptedSizes | None
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """What a poll needs to know of its source. `newest`: the newest run that had content, in any state."""

    poll: Poll
    newest: ImportRun | None
    quarantined: Quarantined | None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A good list, new or unchanged. `has_end_count`: None for as it was known before.

    `sizes`, `sample`: what to add to those of recently accepted contents; None for unchanged content. `starts_anew`: the recent
    ones count no more, because this one was accepted in spite of the guards.
    """

    content_hash: ContentHash
    has_end_count: bool | None
    sizes: AcceptedSizes | None
    sample: Sample | None
    starts_anew: bool


def held_back(previous: Quarantined | None, reading: Reading, refusal: Refusal, source: Source, now: float) -> Quarantined:
    """The quarantine after a refusal; `previous` was in it before. It encodes the content: for a worker thread."""
    entries = len(reading.addresses)
    first, refusals, stood = now, 1, 0.0
    # Each version has a time of its own to wait.
    is_other = refusal.guard == HOLD and previous is not None and previous.content_hash != reading.content_hash
    if previous is not None and previous.guard == refusal.guard and _are_alike(previous.entries, entries) and not is_other:
        # The clock may jump by years: from one poll to the next at most two intervals count, and never less than nothing.
        step = min(max(now - previous.last_seen, 0.0), 2 * source.every)
        first, refusals, stood = previous.first_seen, previous.refusals + 1, previous.stood + step
    return Quarantined(
        source.id,
        reading.content_hash,
        reading.addresses.encode(),
        refusal.guard,
        refusal.reason,
        entries,
        reading.rejected,
        first,
        now,
        refusals,
        stood,
    )


def _are_alike(one: int, other: int) -> bool:
    return min(one, other) >= ALIKE * max(one, other)


def has_settled(previous: Quarantined, guards: Guards) -> bool:
    """Whether a list that shrank, or was replaced at once, has stayed so for long enough to be believed."""
    return previous.guard in SETTLING and previous.refusals >= FEWEST_REFUSALS and previous.stood >= guards.accept_shrink_after


def stale_at(good_at: float, source: Source) -> float:
    """When a last good list grows stale, in seconds since the epoch. Never before its second poll is overdue."""
    return good_at + max(source.guards.max_age, 2 * source.every)


def frozen_at(changed_at: float, source: Source) -> float:
    """When an unchanged list is reported, in seconds since the epoch; never for a file, which its owner may leave alone."""
    return changed_at + source.guards.frozen if source.url else math.inf


def approved(previous: Quarantined | None, never_banned: NeverBanned) -> Reading | None:
    """Content that an operator wants in spite of the guards; None also where it is damaged."""
    if previous is None or not previous.approved or hash_of(previous.snapshot) != previous.content_hash:
        return None
    addresses = AddressSet.decode(previous.snapshot)
    alone = AcceptedSizes.of(Extent.of(addresses, never_banned).size)
    sample = draw(addresses, never_banned, 0.0, int(previous.last_seen * 1e6))
    return Reading(previous.content_hash, addresses, previous.rejected, None, Judgement(None, alone, alone, sample))
