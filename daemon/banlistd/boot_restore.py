"""The last good state, back in the firewall before there is a network: what stood is put back as it stood.

Law: boot waits for nothing that is not needed (no aiohttp, no pydantic, no YAML), no configuration is read, nothing is asked of
the network, and nothing is written to the database. The daemon, which starts later, settles the rest.
"""

import asyncio
from collections.abc import Sequence

from banlistd.adapters.firewalls.opener import open_backend
from banlistd.adapters.storage.boot_snapshot import last_boot_snapshot
from banlistd.adapters.storage.database import open_copy
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.adapters.system.clock import SystemClock
from banlistd.adapters.system.instance import only_instance, only_writer
from banlistd.adapters.system.journal import find_announcer
from banlistd.core.manual_bans import addresses_of
from banlistd.events import Event, EventName
from banlistd.model import MANUAL, Protected
from banlistd.paths import Paths
from banlistd.services.enforcer import Enforcer
from banlistd.services.null_objects import NoAnnouncer, NoBootSnapshots


class RememberedHost:
    """The Host of ports.py before there is a network: what was protected last is protected still."""

    def __init__(self, protected: Sequence[Protected]) -> None:
        self._protected = protected

    async def protected(self, urls: Sequence[str], *, ask: bool = True) -> Sequence[Protected]:
        return self._protected


def restore(places: Paths) -> str:
    """Restore; why there was nothing to do, in words, or empty. Raises FirewallError, LedgerError and AlreadyRunningError."""
    return asyncio.run(_restore(places))


async def _restore(places: Paths) -> str:
    with only_instance(places.state), only_writer():
        async with open_copy(places.database, places.scratch) as database:
            boot_snapshot = await last_boot_snapshot(database)
            if boot_snapshot is None:
                return "nothing is known of bans that stood before"
            if not boot_snapshot.backend.kind.restores_at_boot:
                return f"bans in the backend {boot_snapshot.backend} are restored by the daemon"
            firewall = open_backend(boot_snapshot.backend, boot_snapshot)
            try:
                ledger, host = ImportRuns(database), RememberedHost(boot_snapshot.protected)
                enforcer = Enforcer(firewall, ledger, boot_snapshot.policy, host, NoAnnouncer(), NoBootSnapshots())
                now = SystemClock().now()
                begun, bans = await ManualBanTable(database).load()
                if begun:
                    enforcer.register_external(
                        MANUAL, addresses_of(bans), addresses_of(ban for ban in bans if ban.in_force(now))
                    )
                restored = await enforcer.restore(now)
            finally:
                await firewall.close()
    words = f"{restored.bans} bans stand as they stood before"
    fields = {"ADDED": restored.change.added, "REMOVED": restored.change.removed}
    find_announcer("auto").announce(Event(EventName.FIREWALL_RESTORED, words, fields))
    return ""
