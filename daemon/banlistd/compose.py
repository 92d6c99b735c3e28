"""The one place where parts meet. They are opened in order on an exit stack and closed in reverse."""

import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from banlistd.adapters import config_file
from banlistd.adapters.backends.fail2ban import Fail2banFirewall
from banlistd.adapters.backends.memory import MemoryFirewall
from banlistd.adapters.backends.nftables import NftablesFirewall
from banlistd.adapters.backends.rehearsal import RehearsalFirewall
from banlistd.adapters.clock import SystemClock
from banlistd.adapters.database import open_copy, open_database
from banlistd.adapters.download import Downloads
from banlistd.adapters.host import LinuxHost
from banlistd.adapters.import_runs import ImportRuns
from banlistd.adapters.instance import only_instance
from banlistd.adapters.journal import find_announcer
from banlistd.adapters.local_file import LocalFiles, stamp_of
from banlistd.adapters.manual_bans import ManualBanTable
from banlistd.adapters.names import Names
from banlistd.adapters.quarantine import QuarantineTable
from banlistd.adapters.supervisor import find_supervisor
from banlistd.answers import Answers
from banlistd.banning import Banning
from banlistd.core.config import BackendName, Config
from banlistd.core.policy import identities, policy_of
from banlistd.enforcing import Enforcer
from banlistd.errors import ConfigError
from banlistd.importing import Importer
from banlistd.interfaces import Announcer, Firewall, Storage
from banlistd.service import Service

BACKENDS: Mapping[BackendName, Callable[[Config], Firewall]] = {
    BackendName.NFTABLES: lambda config: NftablesFirewall(config.owner),
    BackendName.FAIL2BAN: lambda config: Fail2banFirewall(config.fail2ban.socket, config.fail2ban.jail),
    BackendName.MEMORY: lambda _: MemoryFirewall(),
}


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are. `credentials`: the folder that systemd's LoadCredential= fills, if any."""

    config: Path
    state: Path
    runtime: Path
    credentials: Path | None = None

    @property
    def database(self) -> Path:
        return self.state / "banlistd.db"

    @property
    def scratch(self) -> Path | None:
        """Where a passing copy of the database may be made if its own disk cannot be written; None: where the system says."""
        return self.runtime if self.runtime.is_dir() else None

    @property
    def socket(self) -> Path:
        return self.runtime / "control.sock"


@dataclass(frozen=True, slots=True)
class House:
    """The parts that the program speaks to."""

    service: Service
    answers: Answers
    enforcer: Enforcer
    storage: Storage
    announcer: Announcer
    places: Places


def load_config(places: Places) -> Config:
    """The configuration, checked. Raises ConfigError with every problem."""
    config = config_file.load(places.config)
    if config.backend not in BACKENDS:
        raise ConfigError(
            f"backend: {config.backend} is not available yet", f"choose one of {', '.join(sorted(BACKENDS))}"
        )
    return config


@asynccontextmanager
async def open_house(places: Places, config: Config, *, rehearse: Callable[[str], None] | None = None) -> AsyncIterator[House]:
    """Build everything on these places.

    `rehearse`: touch nothing; changes are handed to it as lines of text, and the ledger is a copy in memory.
    """
    async with AsyncExitStack() as stack:
        if rehearse is None:
            stack.enter_context(only_instance(places.state))
            database = await stack.enter_async_context(open_database(places.database, places.scratch))
        else:
            database = await stack.enter_async_context(open_copy(places.database))
        ledger, quarantine = ImportRuns(database), QuarantineTable(database)
        clock = SystemClock()
        announcer = find_announcer(config.log.format)
        firewall = BACKENDS[config.backend](config)
        if rehearse is not None:
            firewall = RehearsalFirewall(firewall, rehearse)
        stack.push_async_callback(firewall.close)
        marks = await ledger.marks_for(identities(config), await firewall.markers())
        host = LinuxHost(Names(clock).addresses, os.environ)
        enforcer = Enforcer(firewall, ledger, policy_of(config, marks, clock.now()), host, announcer)
        stack.push_async_callback(enforcer.settle)
        banning = Banning(ManualBanTable(database), enforcer, host, announcer, clock)
        fetcher = Downloads(version("banlistd"), LocalFiles(), places.credentials)
        importer = Importer(fetcher, ledger, quarantine, enforcer, announcer, clock, chance=random.random)
        service = Service(
            config, lambda: load_config(places), stamp_of, importer, enforcer, ledger, database, announcer,
            find_supervisor(), clock, banning=banning,
        )  # fmt: skip
        answers = Answers(service, enforcer, banning, ledger, quarantine, database, clock, str(places.config))
        yield House(service, answers, enforcer, database, announcer, places)
