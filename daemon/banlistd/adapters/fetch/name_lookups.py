"""Names of servers into addresses, in threads of their own: a name service that does not answer delays nothing else.

aiohttp's resolver takes the threads of the event loop, which the firewall and the database need as well. *Measured*: with 60
servers whose names were never answered, a flushed table came back after 9 s instead of 0.1 s.
"""

import asyncio
import socket
from collections.abc import Sequence
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

from banlistd.adapters.system.own_threads import OwnThreads
from banlistd.core.printing import shown
from banlistd.errors import UsageError

_AT_ONCE = 16
"""Threads. Each ends when the C library gives up, after 10 to 30 s; the unit allows 64 tasks."""

_PATIENCE = 5.0
"""Seconds that a person waits for the addresses of a name."""

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

_Key = tuple[str, int, socket.AddressFamily]


class NameLookups(AbstractResolver):
    """aiohttp's resolver, which asks the system's own (nsswitch.conf) for one name only once at a time.

    A look-up that nothing waits for any more goes on, so downloads that time out and come again do not pile up threads.
    """

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._threads = OwnThreads("name look-up", at_once)
        self._running: dict[_Key, asyncio.Task[list[ResolveResult]]] = {}

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Raises OSError for a name that has no address, and UnicodeError for one that cannot be asked for."""
        key = (host, port, family)
        if key not in self._running:
            self._running[key] = task = asyncio.ensure_future(self._threads.run(key, partial(_addresses, *key)))
            task.add_done_callback(lambda ended: self._forget(key, ended))
        return await asyncio.shield(self._running[key])

    async def addresses(self, host: str, patience: float = _PATIENCE) -> Sequence[str]:
        """The addresses of a name at this moment, each once. Raises UsageError if there are none, or not in time."""
        try:
            async with asyncio.timeout(patience):
                found = await self.resolve(host, family=socket.AF_UNSPEC)
        except TimeoutError as error:
            raise UsageError(f"the name service did not answer within {patience:.0f} s: {shown(host)}", "try again") from error
        except (OSError, UnicodeError) as error:
            hint = "an address, a CIDR network, a range a-b or a host name"
            raise UsageError(f"{shown(host)} is no address, and the name service knows no such name", hint) from error
        return tuple(dict.fromkeys(result["host"].partition("%")[0] for result in found))

    async def close(self) -> None:
        """Nothing stays open."""

    def _forget(self, key: _Key, ended: "asyncio.Task[list[ResolveResult]]") -> None:
        del self._running[key]
        if not ended.cancelled():
            ended.exception()  # else asyncio complains where no download waits for it any more


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    answers = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    results = []
    for kind, _, proto, _, where in answers:
        # With its scope, which an address of this link needs: fe80::1%eth0.
        address, _ = socket.getnameinfo(where, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        results.append(ResolveResult(hostname=host, host=address, port=port, family=kind, proto=proto, flags=_NUMERIC))
    return results
