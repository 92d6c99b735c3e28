"""What a start opens first: the database, alone on it, and the configuration that it puts in force."""

from contextlib import AsyncExitStack

from banlistd.adapters.host.coverage.proof_remains import remove_remains_of_proofs
from banlistd.adapters.storage.database import Database, open_copy, open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.adapters.storage.start.boot_snapshot import last_boot_snapshot
from banlistd.adapters.storage.start.kept_configs import KeptConfigTable
from banlistd.adapters.system import config_file
from banlistd.adapters.system.clock import SystemClock
from banlistd.adapters.system.instance import only_instance, only_writer, refuse_unsafe_state
from banlistd.core.config.kept import Kept, Loaded, unconfirmed
from banlistd.core.config.model import Config
from banlistd.core.ruleset.lifting import Lift
from banlistd.core.ruleset.policy import identities, policy_of
from banlistd.errors import ConfigError
from banlistd.paths import Paths
from banlistd.services.planning.preview import lift_between

_REFUSED = "the configuration of the files is in force, because this version refuses the one before"
_LONGEST = 400  # characters of what is wrong with it


async def effect(database: Database, config: Config) -> Lift | None:
    """What this configuration would lift, by what is written down; None where nothing is. Raises LedgerError."""
    in_force = await last_boot_snapshot(database)
    if in_force is None:
        return None
    ledger, now = ImportRuns(database), SystemClock().now()
    policy = policy_of(config, await ledger.marks_for(identities(config)), now)
    return await lift_between(in_force.policy, policy, in_force.protected, ledger, ManualBanTable(database), now)


async def open_state(stack: AsyncExitStack, places: Paths, loaded: Loaded, *, dry_run: bool) -> tuple[Database, Loaded, str]:
    """The database, the configuration to put in force, and why it is not that of the files. A dry run locks nothing."""
    if dry_run:
        return await stack.enter_async_context(open_copy(places.database)), loaded, ""
    stack.enter_context(only_instance(places.state))
    refuse_unsafe_state(places.state)
    database = await stack.enter_async_context(open_database(places.database, places.scratch))
    chosen, remark = await _to_start_with(loaded, await KeptConfigTable(database).load(), database, places)
    if chosen.config.backend.kind.capabilities.changes_host:
        stack.enter_context(only_writer())
        remove_remains_of_proofs()
    return database, chosen, remark


async def _to_start_with(loaded: Loaded, kept: Kept, database: Database, places: Paths) -> tuple[Loaded, str]:
    """The configuration that a start puts in force, and why it is not that of the files. Raises LedgerError.

    Files that were not confirmed, and files that would lift most bans, do not go live unasked: the configuration before does.
    """
    if unconfirmed(loaded.files, kept):
        return _before(places, kept, loaded, "the configuration of the files was not confirmed")
    if not kept.in_force or kept.in_force == loaded.files:
        return loaded, ""
    lift = await effect(database, loaded.config)
    if lift is None or not lift.is_large:
        return loaded, ""
    return _before(places, kept, loaded, f"the configuration of the files would lift {lift}: the one before is in force")


def _before(places: Paths, kept: Kept, loaded: Loaded, remark: str) -> tuple[Loaded, str]:
    """The configuration before, and this remark; that of the files where this version refuses the one before, which an older
    version took. Without a daemon nothing would be repaired, and no administrator could change what is written down.
    """
    try:
        return config_file.load_kept(places.config, kept.in_force), remark
    except ConfigError as error:
        return loaded, f"{_REFUSED}: {'; '.join(error.problems)[:_LONGEST]}"
