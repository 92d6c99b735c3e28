"""A firewall that is only read: it prints and remembers each change, so that a dry run can continue."""

from collections.abc import Callable, Mapping, Sequence

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.state import FirewallState, Verification
from banlistd.model import Counter, ExternalChange, Mark, Marker, Remark, SourceSlot
from banlistd.ports import Firewall


class DryRunFirewall:
    """The Firewall of `ports` that writes nothing. `report` gets the lines of each change."""

    def __init__(self, real: Firewall, report: Callable[[str], None]) -> None:
        self._real = real
        self._report = report
        self._markers: tuple[Marker, ...] | None = None

    async def markers(self) -> tuple[Marker, ...]:
        return await self._real.markers() if self._markers is None else self._markers

    async def verify(self, state: FirewallState) -> Verification:
        return await self._real.verify(state) if self._markers is None else Verification()

    async def apply(self, change: Change) -> int:
        gone = {*change.retired, *(marker.mark for marker in change.markers)}
        kept = () if change.replace else tuple(marker for marker in await self.markers() if marker.mark not in gone)
        self._markers = (*kept, *change.markers)
        for line in change.describe():
            self._report(line)
        return change.added + change.removed

    async def contents(self) -> Mapping[Mark, AddressSet]:
        return await self._real.contents()

    async def scope_numbers(self) -> Mapping[str, int]:
        return await self._real.scope_numbers()

    async def wait_for_external_change(self) -> ExternalChange:
        return await self._real.wait_for_external_change()

    async def counters(self) -> Mapping[Mark, Counter]:
        return await self._real.counters()

    async def remarks(self, sources: Sequence[SourceSlot] | None = None) -> Sequence[Remark]:
        return await self._real.remarks(sources)

    async def gaps(self) -> Sequence[Remark]:
        return await self._real.gaps()

    async def teardown(self) -> None:
        self._report("remove everything that is banlistd's")

    async def close(self) -> None:
        await self._real.close()
