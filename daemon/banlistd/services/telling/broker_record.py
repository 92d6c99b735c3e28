"""How the connection to a broker is, for those who ask."""

from collections.abc import Callable
from dataclasses import dataclass


def _none() -> int:
    return 0


@dataclass(slots=True)
class BrokerRecord:
    """`broker`: its address; empty: none is configured. `since`: seconds since the epoch; None: not tried yet. `reason`: why
    there is none, or none yet to the one that a reload has put in its place. `earlier`: messages lost before this connection,
    and events that came while there was none and were too old once there was one; `of_now`: those that this connection has
    dropped. `read_up_to`: the number of the newest event that a connection was given, or that is lost. `key_fault`: why the key
    of this node of a fleet cannot be read, so that nothing is signed.
    """

    broker: str = ""
    is_connected: bool = False
    since: float | None = None
    reason: str = ""
    earlier: int = 0
    of_now: Callable[[], int] = _none
    read_up_to: int = 0
    key_fault: str = ""

    @property
    def lost(self) -> int:
        return self.earlier + self.of_now()

    def note_connection(self, broker: str, now: float, lost: Callable[[], int]) -> None:
        self.broker = broker
        self.earlier, self.of_now = self.lost, lost
        self.is_connected, self.since, self.reason = True, now, ""

    def note_loss(self, broker: str, now: float, reason: str) -> None:
        self.broker = broker
        self.earlier, self.of_now = self.lost, _none
        if self.is_connected or self.since is None:
            self.since = now
        self.is_connected, self.reason = False, reason

    def note_wait(self, reason: str) -> None:
        """The broker that is to take the place of this one does not answer; the connection to this one goes on."""
        self.reason = reason

    def note_end(self) -> None:
        """No broker is configured any more."""
        self.earlier, self.of_now = self.lost, _none
        self.broker, self.is_connected, self.since, self.reason, self.key_fault = "", False, None, "", ""
