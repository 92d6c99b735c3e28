"""The parts of a daemon in this process, on a real database file and a real kernel, that can die at any call to the outside.

What is dead does nothing any more: its file is left as it stands at that moment, its sockets are closed.
"""

import asyncio
import inspect
import shutil
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.core.config.model import Config
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.policy import Policy, policy_of
from banlistd.errors import FirewallError
from banlistd.model import Outcome
from banlistd.services.enforcer import Enforcer
from banlistd.services.importer import Importer
from support.fakes import CannedFetcher, ListeningAnnouncer, StandingClock

T = TypeVar("T")
Door = TypeVar("Door")


class Killed(BaseException):
    """The process is no more."""


@dataclass
class Fuse:
    """`left`: at which moment from now on the process dies; None: never. A call has two, before it and after it."""

    left: int | None = None
    dead: bool = False

    def burn(self) -> None:
        if self.left is not None:
            self.left -= 1
            self.dead = self.dead or self.left < 0
        if self.dead:
            raise Killed


class _Mortal:
    """A door whose calls burn the fuse."""

    def __init__(self, door: object, fuse: Fuse) -> None:
        self._door = door
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._door, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            self._fuse.burn()
            result = await found(*arguments, **named)
            self._fuse.burn()
            return result

        return call


def mortal(door: Door, fuse: Fuse) -> Door:
    return cast("Door", _Mortal(door, fuse))


class FickleFirewall(NftablesFirewall):
    """The real one; the next change may be refused, or its answer be lost."""

    refuses = False
    loses_the_answer = False

    async def apply(self, change: Change) -> int:
        if self.refuses and not change.is_empty:
            raise FirewallError("the kernel said no", "a test told it to")
        written = await super().apply(change)
        if self.loses_the_answer and not change.is_empty:
            raise FirewallError("the answer was lost", "a test told it to")
        return written


class Process:
    """One life. Every method may raise Killed; then `die` is all that is left to do."""

    def __init__(self, disk: Path, config: Config, fetcher: CannedFetcher, fuse: Fuse) -> None:
        self.config = config
        self.firewall = FickleFirewall()
        self._disk = disk
        self._fuse = fuse
        self._fetcher = mortal(fetcher, fuse)
        self._clock = StandingClock()
        self._stack = AsyncExitStack()
        self._runner = asyncio.Runner()
        self._database: Database = self._run(self._stack.enter_async_context(open_database(disk / "db")))
        self._ledger = mortal(ImportRuns(self._database), fuse)

    def start(self) -> None:
        """As compose and the service do."""

        async def start() -> None:
            firewall = mortal(self.firewall, self._fuse)
            ids = [source.id for source in self.config.sources]
            marks = await self._ledger.marks_for(ids, await firewall.markers())
            self._enforcer = Enforcer(firewall, self._ledger, policy_of(self.config, marks, self._clock.now()))
            self._importer = Importer(
                self._fetcher,
                self._ledger,
                mortal(QuarantineTable(self._database), self._fuse),
                self._enforcer,
                ListeningAnnouncer(),
                self._clock,
                chance=lambda: 0.5,
            )
            await self._enforcer.restore(self._clock.now())

        self._run(start())

    def poll(self, source_ids: Sequence[str]) -> Sequence[Outcome]:
        """Side by side."""

        async def poll() -> Sequence[Outcome]:
            sources = [source for source in self.config.sources if source.id in source_ids]
            return await asyncio.gather(*(self._importer.import_source(source) for source in sources))

        return self._run(poll())

    def reconcile(self) -> Change:
        async def reconcile() -> Change:
            return await self._enforcer.reconcile(await self._policy(self.config))

        return self._run(reconcile())

    def reload(self, config: Config) -> None:
        """Raises FirewallError, and then the configuration has not been changed."""

        async def reload() -> None:
            await self._enforcer.reconcile(await self._policy(config))

        self._run(reload())
        self.config = config

    def die(self, afterlife: Path) -> None:
        """The file as it is now is in `afterlife` then."""
        self._fuse.dead = True

        async def leave() -> None:
            # A transaction that has begun ends, as it would had the end come a moment later; no other begins.
            async with self._database._lock:
                shutil.copytree(self._disk, afterlife)
            await self._stack.aclose()
            await self.firewall.close()

        try:
            self._run(leave())
        finally:
            self._runner.close()  # waits for what threads are at

    async def _policy(self, config: Config) -> Policy:
        marks = await self._ledger.marks_for([source.id for source in config.sources])
        return policy_of(config, marks, self._clock.now())

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)
