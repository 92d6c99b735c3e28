"""How the connection to a broker is, for those who ask."""

from collections.abc import Callable
from dataclasses import dataclass


def _none() -> int:
    return 0


@dataclass(slots=True)
class BrokerRecord:
    """`broker`: its address; empty: none is configured. `since`: seconds since the epoch; None: not tried yet. `reason`: why
    there is none. `earlier`, `of_now`: messages that were dropped from the queues of earlier connections, and of this one.
    """

    broker: str = ""
    is_connected: bool = False
    since: float | None = None
    reason: str = ""
    earlier: int = 0
    of_now: Callable[[], int] = _none

    @property
    def lost(self) -> int:
        return self.earlier + self.of_now()

    def note_connection(self, now: float, lost: Callable[[], int]) -> None:
        self.earlier, self.of_now = self.lost, lost
        self.is_connected, self.since, self.reason = True, now, ""

    def note_loss(self, now: float, reason: str) -> None:
        self.earlier, self.of_now = self.lost, _none
        if self.is_connected or self.since is None:
            self.since = now
        self.is_connected, self.reason = False, reason
