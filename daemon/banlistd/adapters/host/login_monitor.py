"""Logins and ends of sessions as logind reports them (sd-login(3)): a login that lasts a second is seen too."""

import asyncio
import ctypes

from banlistd.adapters.host.sessions import libsystemd

_SESSIONS = b"session"


class LoginMonitor:
    """The HostMonitor of `ports`, for logins. Without logind it reports nothing, and sees it once it is there.

    `retry`: seconds between two tries to watch.
    """

    def __init__(self, retry: float = 10.0) -> None:
        self._retry = retry
        self._monitor = ctypes.c_void_p()

    async def wait_for_change(self) -> None:
        while True:
            try:
                file = self._watched()
            except OSError:
                await asyncio.sleep(self._retry)
                continue
            await _readable(file)
            libsystemd().sd_login_monitor_flush(self._monitor)
            return

    def close(self) -> None:
        if self._monitor.value:
            libsystemd().sd_login_monitor_unref(self._monitor)
            self._monitor = ctypes.c_void_p()

    def _watched(self) -> int:
        """The file that becomes readable with a change. Raises OSError where there is no libsystemd, or no logind."""
        system = libsystemd()
        if not self._monitor.value:
            error = system.sd_login_monitor_new(_SESSIONS, ctypes.byref(self._monitor))
            if error < 0:
                raise OSError(-error, "logind cannot be watched")
        return int(system.sd_login_monitor_get_fd(self._monitor))


async def _readable(file: int) -> None:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(file, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(file)
