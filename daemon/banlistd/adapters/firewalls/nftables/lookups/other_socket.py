"""A socket for questions that wait for no change."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NetlinkError


class OtherSocket:
    """Opened at the first question, because the socket that changes are written to may be busy for seconds.

    It stays open: to close a socket of nf_tables waits for the commit of another one (`nft_rcv_nl_event` of Linux takes the
    commit's mutex; measured: 0.9 s).
    """

    def __init__(self) -> None:
        self._socket: NetlinkSocket | None = None
        self._lock = threading.Lock()

    @contextmanager
    def opened(self) -> Iterator[NetlinkSocket]:
        """For one thread at a time. Raises OSError."""
        with self._lock:
            if self._socket is None:
                self._socket = NetlinkSocket()
            try:
                yield self._socket
            except OSError as exc:
                if not isinstance(exc, NetlinkError):
                    self._socket.close()  # it may still contain answers that were not read
                    self._socket = None
                raise

    def close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None
