"""What the handlers of the commands are given: the parts of the running daemon."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from banlistd.control.kept_lines import KeptLines
from banlistd.control.seen import SeenContents
from banlistd.control_api import ServiceControl
from banlistd.core.addresses.exporting.files import Export
from banlistd.core.config.kept import Files
from banlistd.core.config.model import Source
from banlistd.core.config.values import closest
from banlistd.core.feeds.health.figures import SourceFigures
from banlistd.core.feeds.health.overview import Oldest, Overview
from banlistd.errors import NoSuchSourceError
from banlistd.model import ContentHash, Poll, Remark, SourceId
from banlistd.ports import Clock, FindingLog, Ledger, Quarantine, SourceRecords, Storage
from banlistd.ports.reports import ReportStores
from banlistd.services.enforcer import Enforcer
from banlistd.services.evidence.evidence import Evidence
from banlistd.services.geo_enricher import Enricher
from banlistd.services.history.exemptions import ExemptionRecord
from banlistd.services.history.list_history import ListHistory
from banlistd.services.history.suspended import SuspendedSources
from banlistd.services.loops.allowing import ManualAllowlist
from banlistd.services.manual_bans import ManualBanService
from banlistd.services.poll_record import PollRecord
from banlistd.services.protected_host import ProtectedHost
from banlistd.services.telling.broker_record import BrokerRecord
from banlistd.services.telling.event_stream import EventStream
from banlistd.services.value.reporting import ValueReports
from banlistd.services.verdicts.coverage import Coverage

if TYPE_CHECKING:
    # Nothing of a fleet is in memory where there is none.
    from banlistd.services.fleet.fleet_lists import FleetLists
    from banlistd.services.publishing.roll_out import RollOut


class ExportInProgress:
    """The newest export that has begun and has not ended. Another one takes its place; then the first is put together again."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[SourceId, ...], Export] | None = None

    def keep(self, source_ids: tuple[SourceId, ...], export: Export) -> None:
        self._kept = source_ids, export

    def kept(self, source_ids: tuple[SourceId, ...], content_hash: ContentHash) -> Export | None:
        if self._kept is None or self._kept[0] != source_ids or self._kept[1].content_hash != content_hash:
            return None
        return self._kept[1]

    def drop(self) -> None:
        self._kept = None


def answered_by(parts: "Parts", command: Any, order: Any) -> Awaitable[Any]:
    """What a `Command` answers to an order."""
    answer: Awaitable[Any] = command.answer(parts, order)
    return answer


@dataclass(frozen=True, slots=True)
class Parts:
    """`config_place`: where the configuration was read from. `started_at`: seconds since the epoch. `remarks`: those of this
    moment. `resolve`: the addresses of a host name; raises UsageError if it has none, or they do not come in time.
    `user_name`: of a uid; blocks. `files`: what the configuration in force was read from.
    `fleet`: its lists at this moment; None where none is taken. `roll_out`: of the lists that a hub publishes; None on others.
    """

    service: ServiceControl
    enforcer: Enforcer
    banning: ManualBanService
    records: SourceRecords
    ledger: Ledger
    quarantine: Quarantine
    poll_record: PollRecord
    findings: FindingLog
    storage: Storage
    clock: Clock
    config_place: str
    enricher: Enricher
    host: ProtectedHost
    started_at: float
    seen: SeenContents
    exports: ExportInProgress
    remarks: Callable[[], Awaitable[Sequence[Remark]]]
    resolve: Callable[[str], Awaitable[Sequence[str]]]
    user_name: Callable[[int], str]
    allowlist: ManualAllowlist
    history: ListHistory
    exemptions: ExemptionRecord
    suspended: SuspendedSources
    value: ValueReports
    coverage: Coverage
    events: EventStream
    broker: BrokerRecord
    evidence: Evidence
    files: Callable[[], Files]
    reports: ReportStores
    fleet: "Callable[[], FleetLists | None]"
    roll_out: "Callable[[], RollOut | None]"
    metric_lines: KeptLines = field(default_factory=KeptLines)

    def source(self, source_id: str) -> Source:
        """A configured source. Raises NoSuchSourceError."""
        for source in self.service.config.sources:
            if source.id == source_id:
                return source
        near = closest(source_id, (source.id for source in self.service.config.sources))
        hint = f"did you mean {near}?" if near else "banlistctl sources lists them"
        raise NoSuchSourceError(f"no source is called {source_id!r}", hint)

    async def polls(self) -> Mapping[SourceId, Poll]:
        """What is known of the last poll of each source that has ended; one that is under way changes nothing yet."""
        earlier = self._before_those_under_way()
        polls = await self.ledger.polls()
        # Others may have begun or ended meanwhile.
        return {**polls, **earlier, **self._before_those_under_way()}

    def _before_those_under_way(self) -> Mapping[SourceId, Poll]:
        return {source_id: poll for source_id, poll in self.poll_record.under_way.items() if poll is not None}

    async def figures(self) -> SourceFigures:
        """Figures of all sources; a poll that is under way changes nothing yet."""
        earlier = self._before_those_under_way()
        figures = await self.records.figures()
        before = {**earlier, **self._before_those_under_way()}
        if not before:
            return figures
        return replace(figures, polls={**figures.polls, **{one: (poll.due_at, poll.failures) for one, poll in before.items()}})

    async def overview(self, oldest: Oldest | None = None) -> Overview:
        """What is remembered of all sources, or of those that may be odd; a poll that is under way changes nothing yet."""
        earlier = self._before_those_under_way()
        overview = await self.records.overview(oldest, earlier)
        polls = {**overview.polls, **earlier, **self._before_those_under_way()}
        if oldest is not None:
            polls = {source_id: poll for source_id, poll in polls.items() if poll.failures}
        return replace(overview, polls=polls)
