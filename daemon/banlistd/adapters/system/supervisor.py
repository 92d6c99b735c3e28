"""The service manager: READY, RELOADING, STOPPING, STATUS and the watchdog, through systemd's own library."""

import os
import time
from contextlib import suppress

from banlistd.errors import BanlistdError

try:
    from systemd import daemon
except ImportError:
    daemon = None


class SystemdSupervisor:
    """The Supervisor of `ports` for a unit of Type=notify."""

    def __init__(self) -> None:
        if daemon is None:
            raise BanlistdError(
                "systemd waits for a word from us (NOTIFY_SOCKET is set), but Python's systemd module is missing",
                "install banlistd[systemd], which builds it against libsystemd-dev, or Debian's python3-systemd",
            )
        self._interval = _watchdog_interval()

    @property
    def watchdog_interval(self) -> float | None:
        return self._interval

    def ready(self) -> None:
        _notify("READY=1")

    def reloading(self) -> None:
        # Type=notify-reload wants to know since when, on the kernel's monotonic clock.
        _notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        _notify("STOPPING=1")

    def status(self, text: str) -> None:
        # A line end would begin another assignment of the protocol.
        _notify(f"STATUS={''.join(character if character.isprintable() else ' ' for character in text)}")

    def alive(self) -> None:
        _notify("WATCHDOG=1")


def _notify(text: str) -> None:
    # The manager may have gone, as in a container that is torn down: bans do not depend on it.
    with suppress(OSError):
        daemon.notify(text)


def _watchdog_interval() -> float | None:
    """Seconds. A WATCHDOG_PID that is not ours: the watchdog is our parent's, and we have inherited its environment."""
    period = os.environ.get("WATCHDOG_USEC", "")
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(period) / 1e6 if period.isdecimal() and int(period) else None


class NoSupervisor:
    """The Supervisor of `ports` where no supervisor listens."""

    watchdog_interval: float | None = None

    def ready(self) -> None: ...

    def reloading(self) -> None: ...

    def stopping(self) -> None: ...

    def status(self, text: str) -> None: ...

    def alive(self) -> None: ...


def find_supervisor() -> SystemdSupervisor | NoSupervisor:
    """systemd's, where a unit waits for us."""
    return SystemdSupervisor() if os.environ.get("NOTIFY_SOCKET") else NoSupervisor()
