"""The Firewall of `ports` for a backend whose calls block: each runs in a worker thread."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.state import FirewallState, Verification
from banlistd.model import Counter, ExternalChange, Mark, Marker, Remark, SourceSlot


class ThreadedFirewall(ABC):
    """A backend implements the blocking calls, each named like its call of the port. A backend does its own locking."""

    async def markers(self) -> tuple[Marker, ...]:
        return await asyncio.to_thread(self._markers)

    async def verify(self, state: FirewallState) -> Verification:
        return await asyncio.to_thread(self._verify, state)

    async def apply(self, change: Change) -> int:
        return 0 if change.is_empty else await asyncio.to_thread(self._apply, change)

    async def contents(self) -> Mapping[Mark, AddressSet]:
        return await asyncio.to_thread(self._contents)

    async def scope_numbers(self) -> Mapping[str, int]:
        return await asyncio.to_thread(self._scope_numbers)

    async def wait_for_external_change(self) -> ExternalChange:
        """Wait for ever: a backend without notices finds changes by the next `verify`."""
        await asyncio.Event().wait()
        return ExternalChange()

    async def counters(self) -> Mapping[Mark, Counter]:
        return await asyncio.to_thread(self._counters)

    async def remarks(self, sources: Sequence[SourceSlot] | None = None) -> Sequence[Remark]:
        return await asyncio.to_thread(self._remarks, sources)

    async def gaps(self) -> Sequence[Remark]:
        return await asyncio.to_thread(self._gaps)

    async def teardown(self) -> None:
        await asyncio.to_thread(self._teardown)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    @abstractmethod
    def _markers(self) -> tuple[Marker, ...]: ...

    @abstractmethod
    def _verify(self, state: FirewallState) -> Verification: ...

    @abstractmethod
    def _apply(self, change: Change) -> int:
        """The change is not empty."""

    @abstractmethod
    def _contents(self) -> Mapping[Mark, AddressSet]: ...

    @abstractmethod
    def _counters(self) -> Mapping[Mark, Counter]: ...

    def _scope_numbers(self) -> Mapping[str, int]:
        """Most backends have none."""
        return {}

    def _remarks(self, sources: Sequence[SourceSlot] | None) -> Sequence[Remark]:
        """Never raises, and does not wait for other calls. Most backends have none."""
        return ()

    def _gaps(self) -> Sequence[Remark]:
        """The same."""
        return ()

    @abstractmethod
    def _teardown(self) -> None: ...

    @abstractmethod
    def _close(self) -> None: ...
