"""The lists of a fleet, where the configuration has one: without it, nothing of it is imported."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from banlistd.adapters.storage.database import Database
from banlistd.core.config.service.fleet import Fleet
from banlistd.paths import Paths
from banlistd.ports import Announcer, Clock, Fetcher
from banlistd.services.imports.combinations import ContentOf

if TYPE_CHECKING:
    from banlistd.services.fleet.fleet_lists import FleetLists


def fleet_lists(
    fleet: Fleet | None,
    database: Database,
    places: Paths,
    content_of: ContentOf,
    announcer: Announcer,
    clock: Clock,
    others: Fetcher,
) -> "FleetLists | None":
    """The Fetcher of its lists, and of all others through `others`; None for a machine that takes none."""
    if fleet is None or fleet.root is None:
        return None
    from banlistd.adapters.fetch.fleet.pulling import MirrorPrograms  # noqa: PLC0415 - see above
    from banlistd.adapters.storage.fleet.trust_rows import TrustTable  # noqa: PLC0415 - see above
    from banlistd.services.fleet.fleet_lists import FleetLists  # noqa: PLC0415 - see above

    programs = MirrorPrograms(places.scratch, version("banlistd"), clock)
    return FleetLists(fleet, programs, TrustTable(database), content_of, announcer, clock, others)
