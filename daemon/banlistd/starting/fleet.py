"""The lists of a fleet, as the configuration in force has them: without a fleet, nothing of it is imported."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from banlistd.adapters.storage.database import Database
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.core.config.model import Source
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.feeds.guards import HOLD
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError
from banlistd.model import NotModified, Remark, Validators
from banlistd.paths import Paths
from banlistd.ports import Announcer, Clock, Fetcher, OnBody
from banlistd.ports.reports import ReportStores
from banlistd.services.imports.combinations import ContentOf
from banlistd.services.reports.clock_witness import ClockWitness
from banlistd.services.reports.sighted import Sighted

if TYPE_CHECKING:
    from banlistd.core.fleet.reports.addresses import Exempt
    from banlistd.services.fleet.fleet_lists import FleetLists
    from banlistd.services.publishing.roll_out import RollOut


class FleetInForce:
    """A Fetcher of the lists of the fleet, and of all others through `others`. A reload may change all but its name.

    `witness`: of the clock, where nodes report.
    """

    def __init__(
        self,
        fleet: Fleet | None,
        database: Database,
        places: Paths,
        content_of: ContentOf,
        announcer: Announcer,
        clock: Clock,
        others: Fetcher,
    ) -> None:
        self._database = database
        self._places = places
        self._content_of = content_of
        self._announcer = announcer
        self._clock = clock
        self._others = others
        self._lists: FleetLists | None = None
        self._roll_out: RollOut | None = None
        self.witness = ClockWitness(clock)
        self.configure(fleet)

    def lists(self) -> "FleetLists | None":
        """None for a machine that takes none."""
        return self._lists

    def roll_out(self) -> "RollOut | None":
        """None for a machine that is no hub."""
        return self._roll_out

    def remarks(self) -> Sequence[Remark]:
        """On the clock, and on why a hub does not publish."""
        return (*self.witness.remarks(), *(self._roll_out.remarks() if self._roll_out is not None else ()))

    def sighted(self, stores: ReportStores, exempt: "Callable[[], Awaitable[Exempt]]") -> Sighted:
        """A Fetcher of what nodes report, too."""
        return Sighted(stores, exempt, self._clock, self, self.witness)

    def configure(self, fleet: Fleet | None) -> None:
        """From now on, this counts. What is under way ends as it began, and is not taken where the root is another one."""
        if fleet is None or fleet.root is None:
            if self._lists is not None:
                self._lists.end()
            self._lists = None
        elif self._lists is None:
            self._lists = self._made(fleet)
        else:
            self._lists.configure(fleet)
        if fleet is None or fleet.publish is None:
            self._roll_out = None
        elif self._roll_out is None:
            self._roll_out = self._made_roll_out(fleet)

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if self._lists is not None:
            return await self._lists.fetch(source, validators, on_body)
        if source.hub:
            # A poll that began before the reload.
            raise FetchError("hub: there is no fleet any more")
        return await self._others.fetch(source, validators, on_body)

    def _made(self, fleet: Fleet) -> "FleetLists":
        from banlistd.adapters.fetch.fleet.pulling import MirrorPrograms  # noqa: PLC0415 - most hosts are in no fleet
        from banlistd.adapters.storage.fleet.trust_rows import TrustTable  # noqa: PLC0415 - as above
        from banlistd.services.fleet.fleet_lists import FleetLists  # noqa: PLC0415 - as above

        programs, log = MirrorPrograms(self._places.scratch, version("banlistd"), self._clock), TrustTable(self._database)
        waits_since = partial(QuarantineTable(self._database).refused_since, HOLD)
        return FleetLists(fleet, programs, log, self._content_of, self._announcer, self._clock, self._others, waits_since)

    def _made_roll_out(self, fleet: Fleet) -> "RollOut":
        from banlistd.adapters.storage.fleet.roll_out_table import RollOutTable  # noqa: PLC0415 - as above
        from banlistd.services.publishing.roll_out import RollOut  # noqa: PLC0415 - as above

        return RollOut(RollOutTable(self._database, fleet.name), self._announcer, self._clock)
