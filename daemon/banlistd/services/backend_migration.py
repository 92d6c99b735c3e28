"""A change of backend: the new one has the bans before the old one is emptied."""

from collections.abc import Callable, Mapping
from contextlib import suppress

from banlistd.errors import FirewallError, LedgerError
from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Backends, Firewall


class BackendMigration:
    """`current`: the name of the backend in force. `makers`: how each backend that we know is opened."""

    def __init__(
        self, backends: Backends, current: str, makers: Mapping[str, Callable[[], Firewall]], announcer: Announcer
    ) -> None:
        self._backends = backends
        self._current = current
        self._makers = makers
        self._announcer = announcer

    async def begin(self) -> None:
        """Before anything is written to the backend in force, so that a later start knows of it, come what may."""
        # Without a ledger bans come first; the old backend keeps what it has.
        with suppress(LedgerError):
            await self._backends.enter(self._current)

    async def finish(self) -> None:
        """Once the bans are in force: empty the other backends. What fails is tried again at the next start."""
        with suppress(LedgerError):
            for name in await self._backends.every():
                if name != self._current and name in self._makers and await self._is_emptied(name):
                    await self._backends.leave(name)

    async def _is_emptied(self, name: str) -> bool:
        firewall = self._makers[name]()
        try:
            await firewall.teardown()
        except FirewallError as error:
            self._tell(EventName.SERVICE_FAULT, f"the bans of the backend {name} are still there: {error}", REASON=str(error))
            return False
        finally:
            await firewall.close()
        self._tell(EventName.BACKEND_LEFT, f"the bans have moved from {name} to {self._current}; {name} holds none any more")
        return True

    def _tell(self, name: EventName, message: str, **fields: str) -> None:
        self._announcer.announce(Event(name, message, fields))
