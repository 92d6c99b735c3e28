"""Host names into addresses, with how long the answer counts: by name servers, else by the system's own resolver."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from banlistd.adapters.names.messages import ServerAnswer
from banlistd.ports import Clock, TimedAddresses

_PATIENCE = 5.0
"""Seconds that a person waits for the addresses of a name."""

_LONGEST = 10.0
"""Seconds for name servers, however long the caller waits: as long as the C library gives two of them."""

_SHARE = 0.5
"""Of the time, for name servers: the rest is for the host itself, which may know a name that they do not."""

AskHost = Callable[[str, float], Awaitable[Sequence[str]]]
"""The addresses of a name by the system's own resolver, within so many seconds. Raises UsageError where there are none."""


class AsksNameServers(Protocol):
    """As `name_servers.NameServers`."""

    async def ask(self, name: str, seconds: float) -> ServerAnswer | None:
        """Never raises."""


class TimedLookups:
    """Whatever name servers do not answer is asked of the host, as ever: /etc/hosts, nsswitch.conf, mDNS, search domains."""

    def __init__(self, servers: AsksNameServers, host: AskHost, clock: Clock) -> None:
        self._servers = servers
        self._host = host
        self._clock = clock

    async def answer(self, name: str, patience: float = _PATIENCE) -> TimedAddresses:
        """Raises UsageError where a name has no address, or none in time."""
        began = self._clock.monotonic()
        found = await self._servers.ask(name, min(_SHARE * patience, _LONGEST))
        if found is not None and found.is_of_dns:
            return TimedAddresses(found.addresses, float(found.ttl))
        left = max(patience - (self._clock.monotonic() - began), _SHARE * patience)
        return TimedAddresses(tuple(await self._host(name, left)), None)
