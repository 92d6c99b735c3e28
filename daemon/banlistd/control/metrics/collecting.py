"""The numbers of one moment, from the same parts as `status` and `sources`, as samples."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import repeat

from banlistd.adapters.system.own_usage import processor_seconds, resident_octets
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
    """What was known at one moment; nothing in it changes afterwards. `lag`: seconds; None: not measured."""

    info: tuple[str, str]
    now: float
    started_at: float
    sources: tuple[Source, ...]
    slots: tuple[SourceSlot, ...]
    state: FirewallState | None
    totals: Mapping[SourceId, Counter]
    figures: SourceFigures
    due: Mapping[SourceId, float]
    repairs: Repairs
    transactions: Durations
    has_ledger_fault: bool
    lag: float | None
    verdict: Verdict


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
        await asyncio.to_thread(_due, parts, sources, figures),
        parts.service.repairs,
        parts.enforcer.transactions,
        bool(parts.storage.fault),
        lag,
        verdict,
    )


def _due(parts: Parts, sources: Iterable[Source], figures: SourceFigures) -> Mapping[SourceId, float]:
    later = parts.poll_record.later
    return {source.id: later(source, figures.polls.get(source.id, _NO_POLL)[0]) for source in sources}


def readings(known: Moment) -> Readings:
    """For a thread: for thousands of sources the event loop would pause."""
    samples = {metric: [((), value)] for metric, value in _of_the_daemon(known)} | _of_the_sources(known)
    samples[one.BUILD_INFO] = [(known.info, 1)]
    samples[one.VERDICTS] = [((str(each),), int(each is known.verdict)) for each in Verdict]
    if known.repairs.by_program:
        samples[one.REPAIRS] = [((program,), times) for program, times in known.repairs.by_program.items()]
    return Readings(samples, {one.TRANSACTIONS: known.transactions})


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


def _of_the_sources(known: Moment) -> dict[one.Metric, Samples]:
    figures, owned = known.figures, owned_by_mark(known.state)
    runs, polls, good_at, refusals = figures.runs, figures.polls, figures.good_at, figures.refusals
    stale = figures.stale_since(known.sources, known.now)
    ids = [source.id for source in known.sources]
    labels = [(str(each),) for each in ids]
    # Those of manual bans too.
    slots = [(slot.mark, (str(slot.source_id),)) for slot in known.slots]
    counted = [(str(source_id),) for source_id in known.totals]
    # By zip and map, not sample by sample: there may be fifty thousand of them.
    found: dict[one.Metric, Samples] = {
        one.ENTRIES: [*zip(labels, (run[0] for run in map(runs.get, ids, repeat(_NO_RUN))), strict=True)],
        one.ELEMENTS: [(label, owned.get(mark, 0)) for mark, label in slots],
        one.PACKETS: [*zip(counted, (counter.packets for counter in known.totals.values()), strict=True)],
        one.OCTETS: [*zip(counted, (counter.octets for counter in known.totals.values()), strict=True)],
        one.LAST_GOOD: [(label, at) for label, at in zip(labels, map(good_at.get, ids), strict=True) if at is not None],
        one.FAILURES: [*zip(labels, (poll[1] for poll in map(polls.get, ids, repeat(_NO_POLL))), strict=True)],
        one.QUARANTINED: [*zip(labels, map(int, map(refusals.__contains__, ids)), strict=True)],
        one.STALE: [*zip(labels, map(int, map(stale.__contains__, ids)), strict=True)],
        # Without a time it is due at once.
        one.NEXT_POLL: [*zip(labels, (due or known.now for due in map(known.due.get, ids)), strict=True)],
    }
    return {metric: samples for metric, samples in found.items() if samples}
