"""What the machine itself knows: protected addresses, logins, changes. The docstrings are contracts that tests check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from banlistd.model import (
    Family,
    Login,
    Protected,
)


@dataclass(frozen=True, slots=True)
class TimedAddresses:
    """The addresses of a host name, as text. `ttl`: seconds for which that counts; None: it is not known."""

    addresses: Sequence[str]
    ttl: float | None


class Host(Protocol):
    """The machine that we run on, and whom it must stay able to talk to."""

    async def protected(self, urls: Sequence[str], *, ask: bool = True) -> Sequence[Protected]:
        """What no source bans at this moment, each range once, with the reasons: own addresses, gateways, the networks inside,
        the services in use, the hosts of `urls` (feeds). What cannot be found out is left out, never an error.

        `ask` False: no name is looked up; the addresses that are known are enough.
        """


class HostMonitor(Protocol):
    """Reports changes of the host's links, addresses and routes, or of its logins."""

    async def wait_for_change(self) -> None:
        """Wait until something has changed that may change what is protected. Raises BanlistdError if it cannot be watched."""


class Logins(Protocol):
    """Who is logged in from elsewhere."""

    async def current(self) -> Sequence[tuple[Family, int]]:
        """The remote addresses of the sessions of this moment, each once; only of those that authenticated. Never raises."""


class LoginMemory(Protocol):
    """Remote logins, current and past. Each call is one transaction. Raises LedgerError."""

    async def load(self) -> Sequence[Login]:
        """All of them."""

    async def keep(self, logins: Sequence[Login]) -> None:
        """These, and no others any more."""
