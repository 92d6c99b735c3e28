"""The numbers of one moment, from the same parts as `status` and `sources`, as samples."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from banlistd.adapters.system.own_usage import processor_seconds, resident_octets
from banlistd.control.metrics import declaration as one
from banlistd.control.metrics.exposition import Readings, Samples
from banlistd.control.parts import Parts
from banlistd.control_api import Repairs, Verdict
from banlistd.core.config.model import Source
from banlistd.core.feeds.health.overview import Overview
from banlistd.core.ruleset.measuring.durations import Durations
from banlistd.core.ruleset.ranking import count, count_watched, owned_by_mark
from banlistd.core.ruleset.state import FirewallState
from banlistd.model import Counter, ImportRun, Mark, Poll, SourceId, SourceSlot


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """What was known at one moment; nothing in it changes afterwards. `lag`: seconds; None: not measured."""

    info: tuple[str, str]
    now: float
    started_at: float
    sources: tuple[Source, ...]
    slots: tuple[SourceSlot, ...]
    state: FirewallState | None
    counters: Mapping[Mark, Counter]
    overview: Overview
    runs: Mapping[SourceId, ImportRun]
    due: Mapping[SourceId, float]
    repairs: Repairs
    transactions: Durations
    has_ledger_fault: bool
    lag: float | None
    verdict: Verdict


async def moment_of(parts: Parts, version: str, lag: float | None, verdict: Verdict) -> Moment:
    """Raises LedgerError and FirewallError."""
    config = parts.service.config
    overview, runs, counters = await asyncio.gather(parts.overview(), parts.ledger.newest_runs(), parts.enforcer.counters())
    sources = tuple(source for source in config.sources if source.enabled)
    polls = overview.polls
    return Moment(
        (version, str(config.backend)),
        parts.clock.now(),
        parts.started_at,
        sources,
        tuple(parts.enforcer.policy.sources),
        parts.enforcer.state,
        counters,
        overview,
        runs,
        {source.id: parts.poll_record.due_at(source, polls.get(source.id) or Poll(source.id)) for source in sources},
        parts.service.repairs,
        parts.enforcer.transactions,
        bool(parts.storage.fault),
        lag,
        verdict,
    )


def readings(known: Moment) -> Readings:
    """For a thread: for thousands of sources the event loop would pause."""
    samples = {metric: [((), value)] for metric, value in _of_the_daemon(known)} | _of_the_sources(known)
    samples[one.BUILD_INFO] = [(known.info, 1)]
    samples[one.VERDICTS] = [((str(each),), int(each is known.verdict)) for each in Verdict]
    if known.repairs.by_program:
        samples[one.REPAIRS] = [((program,), times) for program, times in known.repairs.by_program.items()]
    return Readings(samples, {one.TRANSACTIONS: known.transactions})


def _of_the_daemon(known: Moment) -> Iterable[tuple[one.Metric, float]]:
    ends = [run.completed_at for run in known.runs.values() if run.completed_at is not None]
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
    owned = owned_by_mark(known.state)
    stale, polls = known.overview.stale_since(known.sources, known.now), known.overview.polls
    found: dict[one.Metric, list[tuple[tuple[str, ...], float]]] = {
        metric: [] for metric in one.EVERY_METRIC if metric.labels == ("source",)
    }
    # Manual bans too.
    for slot in known.slots:
        label, counter = (str(slot.source_id),), known.counters.get(slot.mark)
        found[one.ELEMENTS].append((label, owned.get(slot.mark, 0)))
        if counter:
            found[one.PACKETS].append((label, counter.packets))
            found[one.OCTETS].append((label, counter.octets))
    for source in known.sources:
        label = (str(source.id),)
        run, poll, health = known.runs.get(source.id), polls.get(source.id), known.overview.healths.get(source.id)
        found[one.ENTRIES].append((label, run.entries if run else 0))
        if health:
            found[one.LAST_GOOD].append((label, health.good_at))
        found[one.FAILURES].append((label, poll.failures if poll else 0))
        found[one.QUARANTINED].append((label, int(source.id in known.overview.refusals)))
        found[one.STALE].append((label, int(source.id in stale)))
        # Without a time it is due at once.
        found[one.NEXT_POLL].append((label, known.due[source.id] or known.now))
    return {metric: samples for metric, samples in found.items() if samples}
