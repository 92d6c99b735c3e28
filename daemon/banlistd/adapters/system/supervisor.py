"""The service manager: READY, RELOADING, STOPPING, STATUS and the watchdog, in the protocol of sd_notify(3)."""

import os
import socket
import time
from contextlib import suppress


class SystemdSupervisor:
    """The Supervisor of `ports` for a unit of Type=notify. `address`: of the manager's socket, as in NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        # An abstract address is written with @ in place of its first octet, which is 0.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._interval = _watchdog_interval()

    @property
    def watchdog_interval(self) -> float | None:
        return self._interval

    def ready(self) -> None:
        self._notify("READY=1")

    def reloading(self) -> None:
        # Type=notify-reload wants to know since when, on the kernel's monotonic clock.
        self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._notify("STOPPING=1")

    def status(self, text: str) -> None:
        # A line end would begin another assignment of the protocol.
        self._mention(f"STATUS={''.join(character if character.isprintable() else ' ' for character in text)}")

    def alive(self) -> None:
        self._mention("WATCHDOG=1")

    def _mention(self, text: str) -> None:
        """What comes often is left out while the manager hangs, or reads thousands of units again: repairs wait for nothing."""
        self._notify(text, socket.MSG_DONTWAIT)

    def _notify(self, text: str, flags: int = 0) -> None:
        # The manager may have gone, as in a container that is torn down: bans do not depend on it.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(text.encode(), flags, self._address)


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
    address = os.environ.get("NOTIFY_SOCKET")
    return SystemdSupervisor(address) if address else NoSupervisor()
