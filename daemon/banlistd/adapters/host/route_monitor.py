"""Changes of this network namespace's links, addresses and routes, as the kernel reports them (rtnetlink(7))."""

import asyncio
import errno
import socket
from contextlib import suppress

from banlistd.adapters.host.route_netlink import NETLINK_ROUTE, concerns_protection
from banlistd.adapters.netlink.messages import each_message
from banlistd.errors import BanlistdError

RTMGRP_LINK = 0x1
RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV4_ROUTE = 0x40
RTMGRP_IPV6_IFADDR = 0x100
RTMGRP_IPV6_ROUTE = 0x400
_GROUPS = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE

_DATAGRAM = 1 << 16
# One change comes as several notices (an address brings its routes): they are one change.
_LUMP = 0.05
_MAX_AT_ONCE = 4096


class RouteMonitor:
    """The HostMonitor of `ports`. It belongs to the network namespace of the thread that opens it. Opening raises OSError."""

    def __init__(self) -> None:
        self._wire = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_ROUTE)
        try:
            self._wire.bind((0, _GROUPS))
        except OSError:
            self._wire.close()
            raise

    async def wait_for_change(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not _is_change(await loop.sock_recv(self._wire, _DATAGRAM)):
                pass
        except OSError as exc:
            if exc.errno != errno.ENOBUFS:  # more notices than there was room for
                raise BanlistdError(f"changes of addresses cannot be watched: {exc.strerror}") from exc
        await asyncio.sleep(_LUMP)
        with suppress(OSError):
            for _ in range(_MAX_AT_ONCE):
                self._wire.recv(_DATAGRAM)

    def close(self) -> None:
        self._wire.close()


def _is_change(data: bytes) -> bool:
    return any(concerns_protection(kind, payload) for kind, _, _, payload in each_message(data))
