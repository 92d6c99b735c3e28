"""Which lists a hub has stopped, in memory."""

from collections.abc import Mapping

from banlistd.core.fleet.roll_out.stops import RollOutState
from banlistd.errors import LedgerError


class RollOuts:
    """A RollOutLog; it passes the contract of the table."""

    def __init__(self) -> None:
        self.rows: dict[str, RollOutState] = {}
        self.version = 0
        self.fault: LedgerError | None = None

    async def every(self) -> Mapping[str, RollOutState]:
        return dict(self.rows)

    async def keep(self, name: str, state: RollOutState) -> None:
        if self.fault:
            raise self.fault
        self.rows[name] = state

    async def highest(self) -> int:
        return self.version

    async def published(self, version: int) -> None:
        if self.fault:
            raise self.fault
        self.version = max(self.version, version)
