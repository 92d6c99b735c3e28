"""The numbers of one moment, from the same parts as `status` and `sources`, as samples."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import compress, repeat

from banlistd.adapters.system.own_usage import processor_seconds, resident_octets
from banlistd.control.kept_lines import SourceColumn
from banlistd.control.metrics import declaration as one
from banlistd.control.metrics.exposition import Readings, Samples
from banlistd.control.parts import Parts
from banlistd.control_api import Repairs, Verdict
from banlistd.core.config.model import Source
from banlistd.core.feeds.health.figures import SourceFigures
from banlistd.core.ruleset.measuring.durations import Durations
from banlistd.core.ruleset.ranking import count, count_watched, owned_by_mark
from banlistd.core.ruleset.state import FirewallState
from banlistd.model import Counter, SourceId, SourceSlot

_NO_RUN, _NO_POLL = (0, None), (0.0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What was known at one moment; nothing in it changes afterwards. `lag`: seconds; None: not measured. `suspended`: the
    sources that are paused or pinned.
    """

    info: tuple[str, str]
    now: float
    started_at: float
    sources: tuple[Source, ...]
    slots: tuple[SourceSlot, ...]
    state: FirewallState | None
    totals: Mapping[SourceId, Counter]
    figures: SourceFigures
    repairs: Repairs
    transactions: Durations
    has_ledger_fault: bool
    lag: float | None
    verdict: Verdict
    suspended: frozenset[SourceId]


async def moment_of(parts: Parts, version: str, lag: float | None, verdict: Verdict, *, may_be_recent: bool = False) -> Moment:
    """`may_be_recent`: counters of a moment ago will do. Raises LedgerError and FirewallError."""
    config, evidence = parts.service.config, parts.evidence.totals
    figures, totals = await asyncio.gather(parts.figures(), evidence.recent() if may_be_recent else evidence.now())
    sources = tuple(source for source in config.sources if source.enabled)
    return Moment(
        (version, str(config.backend)),
        parts.clock.now(),
        parts.started_at,
        sources,
        tuple(parts.enforcer.policy.sources),
        parts.enforcer.state,
        totals,
        figures,
        parts.service.repairs,
        parts.enforcer.transactions,
        bool(parts.storage.fault),
        lag,
        verdict,
        frozenset(one.source_id for one in parts.suspended.every),
    )


def readings(known: Moment, rests: Mapping[SourceId, float]) -> Readings:
    """For a thread: for thousands of sources the event loop would pause.

    `rests`: of the sources that are not to be asked for yet, for how many seconds.
    """
    samples: dict[one.Metric, Samples] = {metric: [((), value)] for metric, value in _of_the_daemon(known)}
    samples[one.BUILD_INFO] = [(known.info, 1)]
    samples[one.VERDICTS] = [((str(each),), int(each is known.verdict)) for each in Verdict]
    if known.repairs.by_program:
        samples[one.REPAIRS] = [((program,), times) for program, times in known.repairs.by_program.items()]
    return Readings(samples, {one.TRANSACTIONS: known.transactions}, _of_the_sources(known, rests))


def _of_the_daemon(known: Moment) -> Iterable[tuple[one.Metric, float]]:
    ends = [end for _, end in known.figures.runs.values() if end is not None]
    yield one.BAN_COUNT, count(known.state) if known.state else 0
    yield one.WATCHED_COUNT, count_watched(known.state) if known.state else 0
    yield one.SOURCE_COUNT, len(known.sources)
    if ends:
        yield one.LAST_CHANGE, max(ends)
    yield one.DRIFT, int(known.repairs.recur)
    yield one.LEDGER_FAULT, int(known.has_ledger_fault)
    if known.lag is not None:
        yield one.LOOP_LAG, known.lag
    yield one.MEMORY, resident_octets()
    yield one.PROCESSOR, processor_seconds()
    yield one.STARTED, known.started_at


def _of_the_sources(known: Moment, rests: Mapping[SourceId, float]) -> dict[one.Metric, SourceColumn]:
    figures, owned, now = known.figures, owned_by_mark(known.state), known.now
    stale = figures.stale_since(known.sources, now)
    ids = [source.id for source in known.sources]
    # Those of manual bans too.
    slots = [slot.source_id for slot in known.slots]
    counted, counters = [*known.totals], [*known.totals.values()]
    good = [source_id for source_id in ids if source_id in figures.good_at]
    runs = map(figures.runs.get, ids, repeat(_NO_RUN))
    polls = [*map(figures.polls.get, ids, repeat(_NO_POLL))]
    next_polls = [_next_poll(poll[0], rests.get(each), now) for each, poll in zip(ids, polls, strict=True)]
    # Of one that is suspended the ledger has the time before: a poll would seem to be late.
    is_polled = [each not in known.suspended for each in ids]
    # By map, not sample by sample: there may be fifty thousand of them.
    found = {
        one.ENTRIES: SourceColumn(ids, [run[0] for run in runs]),
        one.ELEMENTS: SourceColumn(slots, [owned.get(slot.mark, 0) for slot in known.slots]),
        one.PACKETS: SourceColumn(counted, [counter.packets for counter in counters]),
        one.OCTETS: SourceColumn(counted, [counter.octets for counter in counters]),
        one.LAST_GOOD: SourceColumn(good, [*map(figures.good_at.__getitem__, good)]),
        one.FAILURES: SourceColumn(ids, [poll[1] for poll in polls]),
        one.QUARANTINED: SourceColumn(ids, [*map(int, map(figures.refused.__contains__, ids))]),
        one.STALE: SourceColumn(ids, [*map(int, map(stale.__contains__, ids))]),
        one.NEXT_POLL: SourceColumn([*compress(ids, is_polled)], [*compress(next_polls, is_polled)]),
    }
    return {metric: column for metric, column in found.items() if column.sources}


def _next_poll(due_at: float, rest: float | None, now: float) -> float:
    """As `PollRecord.later`; without a time it is due at once."""
    return max(due_at, now + rest) if rest else due_at or now
