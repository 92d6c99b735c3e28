"""Compares a list with what was accepted before, and asks every guard. Made to run in a worker thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from banlistd.core.addresses.arrays import are_among, symmetric_difference, without
from banlistd.core.addresses.comparison import added_history
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, subtract
from banlistd.core.config.model import Source
from banlistd.core.config.sections.guards import Critical
from banlistd.core.feeds.completeness import shortfall
from banlistd.core.feeds.critical import critical_in, references_of
from banlistd.core.feeds.extent import AcceptedSizes, Extent, NeverBanned, let_through
from banlistd.core.feeds.guards import Candidate, first_refusal
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.core.feeds.samples import Sample, displaced, draw, undrawn
from banlistd.model import Family, Refusal

MANY = 1_000
"""Entries; a list that had fewer may be replaced at once (DShield: 13 of 20 in three hours, measured)."""

STEADY = 0.1
"""Share of a list; what is replaced in a day without being added up. Real lists replace 0.03 % to 1 % in a poll, at most 5 %
(bitwire: 10,661 of 213,277), 4 % in a day and 14 % in six (Data-Shield); all measured. A tenth a day looks like a
list that renews itself."""


@dataclass(frozen=True, slots=True, eq=False)
class GuardContext:
    """What a list is judged with. `allowed`: the allowlist, which is in `never_banned` too. `before`: the last good content,
    None for the first of all.

    `recent`: the sizes of the contents accepted in the last 30 days: what goes in steps that are small enough is seen there.
    `had_end_count`: whether the last good list ended in a line that counts its entries. `days`: since the last good list.
    `samples`: of those contents, one of each day; `seed`: of the next one.
    `has_moved`: the administrator has changed where the list comes from, or how it is read.
    """

    never_banned: NeverBanned
    allowed: Mapping[Family, Ranges]
    before: AddressSet | None
    recent: AcceptedSizes | None
    had_end_count: bool
    days: float
    has_moved: bool
    samples: Sequence[Sample]
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """The first refusal, or None: the content may pass. `sizes`: to be remembered where it is accepted, with those of the
    content that it replaces; `alone`: without them. `added`: what the content before had not; None if there was none.
    """

    refusal: Refusal | None
    sizes: AcceptedSizes
    alone: AcceptedSizes
    sample: Sample
    added: AddressSet | None = field(default=None, repr=False)


def judge(source: Source, parsed: ParsedList, addresses: AddressSet, known: GuardContext) -> Judgement:
    """Judge a list by all guards. `addresses`: those of the list that are to be banned. Made to run in a worker thread."""
    said = parsed.said if source.guards.truncated else None
    extent = Extent.of(addresses, known.never_banned)
    before = Extent.of(known.before, known.never_banned) if known.before is not None else None
    past = AcceptedSizes.of(before.size).joined(known.recent) if before is not None else known.recent
    added = added_history(addresses, known.before) if known.before is not None else None
    # However long ago the last good list was, more than the guard allows counts.
    steady = min(STEADY * max(known.days, 1.0), source.guards.turnover)
    replaced = 0.0
    # What is gone is looked for only where much is new.
    is_long = before is not None and before.size.entries >= MANY
    if known.before is not None and before is not None and added is not None and is_long and not known.has_moved:
        is_new = len(added) > steady * extent.size.entries
        replaced = _replaced(known.before, before, addresses, extent, known.never_banned) if is_new else 0.0
    counted = replaced if replaced > steady else 0.0
    missing = shortfall(said, parsed.data_lines, parsed.addresses) if said else ""
    if parsed.next_page and source.guards.truncated:
        missing = "it is the first page of several: with `pages`, the source has all of them"
    refuses = source.guards.critical is Critical.REFUSE
    critical = critical_in(parsed.addresses, references_of(source.guards, known.allowed)) if refuses else ()
    long = [] if known.has_moved else [sample for sample in known.samples if sample.entries >= MANY]
    gone = max((displaced(sample, addresses, extent.size.entries) for sample in long), default=0.0)
    passed = tuple(let_through(one, known.never_banned) for one in (before, extent) if one is not None) if source.only else ()
    candidate = Candidate(
        source, parsed, extent, before, past, counted, gone, known.had_end_count, said, missing, critical, passed
    )
    alone = AcceptedSizes.of(extent.size)
    sizes = AcceptedSizes.of(extent.size, counted).joined(AcceptedSizes.of(before.size) if before is not None else None)
    churn = min(_changed(known.before, addresses, added), steady) if known.before is not None and added is not None else 0.0
    # Those of short lists are never asked for.
    is_drawn = extent.size.entries >= MANY
    sample = draw(addresses, known.never_banned, churn, known.seed) if is_drawn else undrawn(extent.size.entries, churn)
    return Judgement(first_refusal(candidate), sizes, alone, sample, added)


def _changed(before: AddressSet, now: AddressSet, added: AddressSet) -> float:
    """About the share that is new, or the share that is gone, whichever is more."""
    gone = len(before) + len(added) - len(now)
    return max(len(added) / max(len(now), 1), gone / max(len(before), 1), 0.0)


def _replaced(before: AddressSet, was: Extent, now: AddressSet, extent: Extent, never_banned: NeverBanned) -> float:
    """The share of the list that is new, or the share of the one before that is gone, whichever is less: a list that only
    grows or only shrinks replaces nothing. An entry that is covered by the other list is not new. What is never banned counts
    on neither side: a list full of reserved addresses could hide a swap of all others.
    """
    new, gone = 0, 0
    for family in FAMILIES:
        differing = symmetric_difference(before.hosts(family), now.hosts(family))
        mine = are_among(now.hosts(family), differing)
        never = never_banned[family]
        new += _uncovered(without(differing[mine], never.first, never.last), now, before, never)
        gone += _uncovered(without(differing[~mine], never.first, never.last), before, now, never)
    return min(new / max(extent.size.entries, 1), gone / max(was.size.entries, 1))


def _uncovered(hosts: Addresses, mine: AddressSet, other: AddressSet, never: Ranges) -> int:
    """How many of the hosts, and of the networks of `mine`, the other list does not cover, wholly or in part."""
    family = never.family
    alone = len(hosts) - int(other.nets(family).contains(hosts).sum())
    nets = mine.nets(family)
    left = subtract(subtract(nets, never), other.nets(family))
    if not len(left):
        return alone
    left = subtract(left, other.ranges(family))
    # A network may be left in many pieces: it is one entry.
    begin, end = left.last.searchsorted(nets.first, "left"), left.first.searchsorted(nets.last, "right")
    return alone + int((begin < end).sum())
