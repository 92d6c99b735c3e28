"""The host together with who logs in to it: an address that authenticated stays protected for a while after it has left."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace

from banlistd.core.logins import MAX_LOGINS, Remote, note_logins, protection_of_logins
from banlistd.core.ruleset.protection import merge_protected
from banlistd.errors import LedgerError, RefusedError
from banlistd.model import Login, Protected
from banlistd.ports import Clock, Host, LoginMemory, Logins
from banlistd.services.orders.clock_steps import ClockSteps

# How old, in seconds, the time of the last session may get in the database: a reconcile is not to write each time.
SAVE_EVERY = 3600.0


class ProtectedHost:
    """A Host of `ports` that adds the remote logins to another one.

    `known`: what `memory` had at the start. `tells_answers`: whether the backend can let pass answers only; if not, everything
    passes from an address that the host needs answers from. `allowed`: what is protected because it was allowed by command.
    """

    def __init__(
        self,
        host: Host,
        logins: Logins,
        memory: LoginMemory,
        clock: Clock,
        known: Sequence[Login],
        *,
        tells_answers: bool,
        allowed: Callable[[], Sequence[Protected]] = lambda: (),
    ) -> None:
        self._host = host
        self._logins = logins
        self._memory = memory
        self._clock = clock
        self._known: Mapping[Remote, Login] = {login.remote: login for login in known}
        self._forgotten: Mapping[Remote, Login] = {}  # since the start: the clock may have been ahead
        self._steps = ClockSteps(clock)
        self._saved = dict(self._known)
        self._tells_answers = tells_answers
        self._allowed = allowed
        self._saving = asyncio.Lock()

    async def protected(self, urls: Sequence[str], *, ask: bool = True) -> Sequence[Protected]:
        found = await self._host.protected(urls, ask=ask)
        if not self._tells_answers:
            found = [replace(item, answers=()) for item in found]
        current = await self.note_logins()
        return merge_protected([*found, *protection_of_logins(self._known, current), *self._allowed()])

    async def note_logins(self) -> AbstractSet[Remote]:
        """Look at the sessions of this moment and remember them; returns where they come from."""
        current = set(await self._logins.current())
        known = self._by_the_clock_of_now()
        self._known = note_logins(known, current, self._clock.now())
        gone = [(remote, login) for remote, login in known.items() if remote not in self._known]
        self._forgotten = dict([*self._forgotten.items(), *gone][-MAX_LOGINS:])
        with suppress(LedgerError):  # the next look tries again
            await self._save()
        return current

    def _by_the_clock_of_now(self) -> Mapping[Remote, Login]:
        """What is remembered, also what was forgotten because the clock was ahead."""
        if (step := self._steps.found()) is None:
            return self._known
        self._steps.follow(step)
        return {**self._forgotten, **step.logins(self._known)}

    async def forget(self, remote: Remote) -> bool:
        """Protect an address no longer for a session that has ended; whether it was remembered.

        Raises RefusedError while it has a session, and LedgerError.
        """
        if remote in await self._logins.current():
            raise RefusedError("the address has a session now, which cannot be forgotten", "loginctl lists the sessions")
        if remote not in self._known:
            return False
        self._known, self._forgotten = (
            {other: login for other, login in known.items() if other != remote} for known in (self._known, self._forgotten)
        )
        await self._save()
        return True

    async def take_over(self) -> None:
        """Remember what a database has that could not be read at the start. Raises LedgerError."""
        rows = {login.remote: login for login in await self._memory.load()}
        self._known = rows | dict(self._known)

    async def resync_ledger(self) -> None:
        """Write what is remembered to a database that was replaced. Raises LedgerError."""
        self._saved = {}
        await self._save()

    async def _save(self) -> None:
        async with self._saving:
            known = dict(self._known)
            if known.keys() == self._saved.keys() and all(
                abs(login.last_seen - self._saved[remote].last_seen) < SAVE_EVERY for remote, login in known.items()
            ):
                return
            await self._memory.keep(list(known.values()))
            self._saved = known
