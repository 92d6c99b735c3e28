"""Clock, events and the service manager. The docstrings are contracts that tests check."""

from __future__ import annotations

from typing import Protocol

from banlistd.events import Event


class Clock(Protocol):
    """Time, passed as an argument."""

    def now(self) -> float:
        """Seconds since the epoch, for people and for the ledger; it may jump."""

    def monotonic(self) -> float:
        """Seconds since some moment, for intervals; it never goes back."""


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
