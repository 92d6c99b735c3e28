"""`banlistd --teardown`: everything of banlistd leaves the firewall."""

from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

from banlistd.adapters.firewalls.opener import open_backend
from banlistd.adapters.storage.backends_in_use import BackendsInUse
from banlistd.adapters.storage.database import open_copy
from banlistd.adapters.system import config_file
from banlistd.adapters.system.instance import only_instance, only_writer
from banlistd.backends import BackendName
from banlistd.core.config.model import Config
from banlistd.errors import ConfigError, FirewallError, LedgerError
from banlistd.paths import Paths


async def tear_down(places: Paths) -> Sequence[str]:
    """Remove all rules and bans of banlistd from every backend that may have some; returns their names. The state stays.

    Raises AlreadyRunningError while a daemon runs, and FirewallError once every backend has been tried. A configuration that is
    wrong is no obstacle.
    """
    try:
        config = config_file.load(places.config).config
    except ConfigError:
        config = Config()
    async with AsyncExitStack() as stack:
        if places.state.is_dir():
            stack.enter_context(only_instance(places.state))
        stack.enter_context(only_writer())
        in_use = {str(config.backend)}
        # Nor is a database that must not be opened.
        with suppress(LedgerError):
            database = await stack.enter_async_context(open_copy(places.database, places.scratch))
            in_use |= {*await BackendsInUse(database).every()}
        names = [name for name in BackendName if name in in_use]
        faults = []
        for name in names:
            firewall = open_backend(name, config)
            stack.push_async_callback(firewall.close)
            try:
                await firewall.teardown()
            except FirewallError as error:
                faults.append(error)
    if faults:
        raise faults[0]
    return names
