"""The service manager: READY, RELOADING, STOPPING, STATUS and the watchdog, through systemd's own library."""

import os
import time

from banlistd.errors import BanlistdError

try:
    from systemd import daemon
except ImportError:
    daemon = None


class SystemdSupervisor:
    """The Supervisor of interfaces.py for a unit of Type=notify."""

    def __init__(self) -> None:
        if daemon is None:
            raise BanlistdError(
                "systemd waits for a word from us (NOTIFY_SOCKET is set), but Python's systemd module is missing",
                "install banlistd[systemd], which builds it against libsystemd-dev, or Debian's python3-systemd",
            )
        period = os.environ.get("WATCHDOG_USEC", "")
        self._interval = int(period) / 1e6 if period.isdigit() and int(period) else None

    @property
    def watchdog_interval(self) -> float | None:
        return self._interval

    def ready(self) -> None:
        daemon.notify("READY=1")

    def reloading(self) -> None:
        # Type=notify-reload wants to know since when, on the kernel's monotonic clock.
        daemon.notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        daemon.notify("STOPPING=1")

    def status(self, text: str) -> None:
        daemon.notify(f"STATUS={text.translate(_ONE_LINE)}")

    def alive(self) -> None:
        daemon.notify("WATCHDOG=1")


class NoSupervisor:
    """The Supervisor of interfaces.py where nobody listens."""

    watchdog_interval: float | None = None

    def ready(self) -> None: ...

    def reloading(self) -> None: ...

    def stopping(self) -> None: ...

    def status(self, text: str) -> None: ...

    def alive(self) -> None: ...


# A line end would begin another assignment of the protocol.
_ONE_LINE = dict.fromkeys(range(32), " ")


def find_supervisor() -> SystemdSupervisor | NoSupervisor:
    """systemd's, where a unit waits for us."""
    return SystemdSupervisor() if os.environ.get("NOTIFY_SOCKET") else NoSupervisor()
