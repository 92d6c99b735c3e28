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
from banlistd.core.config.model import Config
from banlistd.core.ruleset.diff import Change
from banlistd.errors import FirewallError
from banlistd.model import Outcome
from support.fakes import FakeFetcher
from worlds import AdapterT, Environment, assemble

T = TypeVar("T")


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
    """An adapter whose calls burn the fuse."""

    def __init__(self, adapter: object, fuse: Fuse) -> None:
        self._adapter = adapter
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            self._fuse.burn()
            result = await found(*arguments, **named)
            self._fuse.burn()
            return result

        return call


def mortal(adapter: AdapterT, fuse: Fuse) -> AdapterT:
    return cast("AdapterT", _Mortal(adapter, fuse))


class FickleFirewall(NftablesFirewall):
    """The real one; the next change may be refused, or its answer be lost."""

    refuses = False
    loses_the_answer = False

    async def apply(self, change: Change) -> int:
        if self.refuses and not change.is_empty:
            raise FirewallError("the kernel said no", "a test asked for it")
        written = await super().apply(change)
        if self.loses_the_answer and not change.is_empty:
            raise FirewallError("the answer was lost", "a test asked for it")
        return written


class MortalDaemon:
    """One life. Every method may raise Killed; then `die` is all that is left to do."""

    def __init__(self, disk: Path, config: Config, fetcher: FakeFetcher, fuse: Fuse) -> None:
        self.config = config
        self.firewall = FickleFirewall()
        self._disk = disk
        self._fuse = fuse
        self._environment = Environment(disk, fetcher=fetcher)
        self._stack = AsyncExitStack()
        self._runner = asyncio.Runner()
        self._database: Database = self._run(self._stack.enter_async_context(open_database(disk / "db")))

    def start(self) -> None:
        async def start() -> None:
            self._world = await assemble(
                self._environment,
                self.config,
                self._database,
                firewall=self.firewall,
                wrap=lambda adapter: mortal(adapter, self._fuse),
            )
            await self._world.service.restore()

        self._run(start())

    def poll(self, source_ids: Sequence[str]) -> Sequence[Outcome]:
        """Side by side."""

        async def poll() -> Sequence[Outcome]:
            sources = [source for source in self.config.sources if source.id in source_ids]
            return await asyncio.gather(*(self._world.importer.import_source(source) for source in sources))

        return self._run(poll())

    def reconcile(self) -> Change:
        async def reconcile() -> Change:
            return await self._world.enforcer.reconcile(await self._world.policy(self.config))

        return self._run(reconcile())

    def reload(self, config: Config) -> None:
        """Raises FirewallError, and then the configuration has not been changed."""

        async def reload() -> None:
            await self._world.enforcer.reconcile(await self._world.policy(config))

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

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)
