"""Restores the last good state of the firewall before the network is up.

Boot waits for nothing that is not needed (no aiohttp, no pydantic, no YAML), no configuration is read, nothing is asked of
the network, and the database is not written. The daemon, which starts later, does the rest.
"""

import asyncio
from collections.abc import Sequence

from banlistd.adapters.firewalls.opener import open_backend
from banlistd.adapters.storage.database import open_copy
from banlistd.adapters.storage.host.logins import LoginTable
from banlistd.adapters.storage.host.manual_allows import ManualAllowTable
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.start.boot_snapshot import last_boot_snapshot
from banlistd.adapters.storage.start.manual_contents import manual_contents
from banlistd.adapters.system.clock import SystemClock
from banlistd.adapters.system.instance import only_instance, only_writer, refuse_unsafe_state
from banlistd.adapters.system.journal import find_announcer
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.logins import note_logins, protection_of_logins
from banlistd.core.printing import counted
from banlistd.core.ruleset.manual_allows import REASON, protection_of_allows
from banlistd.core.ruleset.protection import merge_protected
from banlistd.events import Event, EventName
from banlistd.model import MANUAL, Protected, SourceId
from banlistd.paths import Paths
from banlistd.scopes.scope import id_by_hand
from banlistd.services.enforcer import Enforcer
from banlistd.services.null_objects import NoAnnouncer, NoBootSnapshots, NoConnections


class RememberedHost:
    """The Host of `ports` before the network is up: the addresses that were protected last, and the logins."""

    def __init__(self, protected: Sequence[Protected]) -> None:
        self._protected = protected

    async def protected(self, urls: Sequence[str], *, ask: bool = True) -> Sequence[Protected]:
        return self._protected


def restore(places: Paths) -> str:
    """Restore. Returns the reason why nothing was to be done, or an empty string.

    Raises FirewallError, LedgerError and AlreadyRunningError.
    """
    return asyncio.run(_restore(places))


async def _restore(places: Paths) -> str:
    with only_instance(places.state), only_writer():
        refuse_unsafe_state(places.state)
        async with open_copy(places.database, places.scratch) as database:
            boot_snapshot = await last_boot_snapshot(database)
            if boot_snapshot is None:
                return "the database has no last good state"
            if not boot_snapshot.backend.kind.restores_at_boot:
                return f"bans in the backend {boot_snapshot.backend} are restored by the daemon"
            firewall = open_backend(boot_snapshot.backend, boot_snapshot)
            try:
                now = SystemClock().now()
                logins = note_logins({login.remote: login for login in await LoginTable(database).load()}, (), now)
                # What was allowed by command is in its table, which is newer than the snapshot.
                remembered = [item for item in boot_snapshot.protected if item.reason != REASON]
                allows = protection_of_allows(await ManualAllowTable(database).load(), now)
                host = RememberedHost(merge_protected([*remembered, *protection_of_logins(logins, ()), *allows]))
                ledger = ImportRuns(database)
                policy, snapshots = boot_snapshot.policy, NoBootSnapshots()
                enforcer = Enforcer(firewall, ledger, policy, host, NoAnnouncer(), snapshots, NoConnections())
                bans = await manual_contents(database, now)
                if bans.begun:
                    none = AddressSet.none()
                    # A scope that is newer than the snapshot has no mark: the daemon bans in it.
                    for scope, addresses in ({None: none} | dict(bans.rows)).items():
                        source_id = MANUAL if scope is None else SourceId(id_by_hand(scope))
                        enforcer.register_external(source_id, addresses, bans.in_force.get(scope, none))
                restored = await enforcer.restore(now)
            finally:
                await firewall.close()
    message = f"{counted(restored.bans, 'ban', 'bans')} restored from the last good state"
    fields = {"ADDED": restored.change.added, "REMOVED": restored.change.removed}
    find_announcer("auto").announce(Event(EventName.FIREWALL_RESTORED, message, fields))
    return ""
