"""Which lists a hub has stopped, in memory."""

from collections.abc import Mapping

from banlistd.core.fleet.roll_out.stops import RollOutState


class RollOuts:
    """A RollOutLog; it passes the contract of the table."""

    def __init__(self) -> None:
        self.rows: dict[str, RollOutState] = {}

    async def every(self) -> Mapping[str, RollOutState]:
        return dict(self.rows)

    async def keep(self, name: str, state: RollOutState) -> None:
        self.rows[name] = state
