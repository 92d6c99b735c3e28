"""Clock, events and the service manager. The docstrings are contracts that tests check."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol, TypeVar

from banlistd.events import Event

_Result = TypeVar("_Result")


class Clock(Protocol):
    """Time, passed as an argument."""

    def now(self) -> float:
        """Seconds since the epoch, for people and for the ledger; it may jump."""

    def monotonic(self) -> float:
        """Seconds since some moment, for intervals; it never goes back."""

    def processor(self) -> float:
        """Seconds of processor time that this process and the programs that it ran have used."""


class BlockingCalls(Protocol):
    """Calls in threads that nothing else needs, so that one that never returns delays nothing else."""

    async def run(self, key: Hashable, work: Callable[[], _Result], discard: Callable[[_Result], None] = ...) -> _Result:
        """The result of `work`, or what it raises; `discard` gets the result if nothing waits for it any more.

        Raises OSError while an earlier call with this key has not come back, and where no thread can be started.
        """


class Announcer(Protocol):
    """Receives events. Best effort: it never raises, it never blocks."""

    def announce(self, event: Event) -> None:
        """Pass an event on."""


class Supervisor(Protocol):
    """The service manager. Best effort; without one these do nothing."""

    def ready(self) -> None:
        """The firewall is restored; units that wait for us may go on."""

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""

    def stopping(self) -> None:
        """Bans stay, polling ends."""

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""

    def alive(self) -> None:
        """Feed the watchdog."""

    @property
    def watchdog_interval(self) -> float | None:
        """Seconds within which `alive` is expected, or None."""
