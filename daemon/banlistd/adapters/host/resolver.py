"""The addresses of feed hosts: those that downloads were connected to; before the first connection what the name service says.

Of each name at most four are known, so that who answers for a name frees no more from the lists. A look-up never waits long.
"""

import asyncio
import math
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from banlistd.errors import LedgerError
from banlistd.ports import Clock

# How long to wait for a name that is asked for the first time, and never again: repairs are not to wait for names. A name
# service that is slower than this is waited for no more until the time to ask again has passed.
DEADLINE = 2.0

ASK_AGAIN = 300.0
RETRY = 60.0

# Large publishers hand out another address each time: one that was given within the hour may still be in use.
FORGET_AFTER = 3600.0

MAX_AT_ONCE = 16
MAX_ADDRESSES = 4

Keep = Callable[[Mapping[str, Sequence[str]]], Awaitable[None]]


@dataclass(slots=True)
class _Name:
    """Addresses of connections, the newest first; those that were given, and when (monotonic seconds); when to ask again (0:
    never asked); the answer to come.
    """

    connected: tuple[str, ...] = ()
    given: dict[str, float] = field(default_factory=dict)
    due: float = 0.0
    asking: asyncio.Future[None] | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(sorted(self.connected or self.given))


class Names:
    """The system's own resolver, asked in threads of their own, so that a dead name service stops nothing else.

    `known`: what an earlier process was connected to. `keep`: writes that down when it has changed; it may raise LedgerError.
    """

    def __init__(
        self,
        clock: Clock,
        deadline: float = DEADLINE,
        *,
        known: Mapping[str, Sequence[str]] | None = None,
        keep: Keep | None = None,
    ) -> None:
        self._clock = clock
        self._deadline = deadline
        self._names = {host: _Name(tuple(found)[:MAX_ADDRESSES]) for host, found in (known or {}).items()}
        self._keep = keep
        self._kept = {host: tuple(found) for host, found in (known or {}).items()}
        self._keeping: asyncio.Task[None] | None = None
        self._slow_until = -math.inf

    async def addresses(self, hosts: Sequence[str], *, ask: bool = True) -> Mapping[str, Sequence[str]]:
        """The addresses known of each host, sorted; none for one that is not known. Never raises.

        `ask` False: only what is known already, at once.
        """
        if not ask:
            return {host: self._names[host].addresses if host in self._names else () for host in hosts}
        now = self._clock.monotonic()
        self._names = {host: self._names.get(host, _Name()) for host in dict.fromkeys(hosts)}
        at_work = sum(name.asking is not None for name in self._names.values())
        first_answers = []
        for host, name in self._names.items():
            if not name.connected and name.asking is None and name.due <= now and at_work < MAX_AT_ONCE:
                is_first = name.due == 0
                answer = self._ask(host, name)
                at_work += 1
                first_answers += [answer] if is_first else []
        # Of many names only some are asked for at once: each time others are asked for first.
        if first_answers and now >= self._slow_until:
            _, late = await asyncio.wait(first_answers, timeout=self._deadline)
            self._slow_until = now + ASK_AGAIN if late else self._slow_until
        self._resync_ledger({host: name.addresses for host, name in self._names.items() if name.connected})
        return {host: name.addresses for host, name in self._names.items()}

    def note_connection(self, host: str, address: str) -> None:
        """A download was connected to this address of a host."""
        name = self._names.setdefault(host, _Name())
        name.connected = (address, *(other for other in name.connected if other != address))[:MAX_ADDRESSES]

    async def wait_until_idle(self) -> None:
        """Wait until everything is written down."""
        if self._keeping is not None:
            await self._keeping

    def _resync_ledger(self, known: dict[str, tuple[str, ...]]) -> None:
        """In the background: a caller who asks for addresses never waits for the disk."""
        if self._keep is None or known == self._kept or (self._keeping is not None and not self._keeping.done()):
            return
        self._kept = known
        self._keeping = asyncio.ensure_future(_as_far_as_possible(self._keep(known)))

    def _ask(self, host: str, name: _Name) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        name.asking = answer = loop.create_future()
        name.due = self._clock.monotonic() + RETRY
        # A daemon: the interpreter does not wait for it at the end, as it would for a pool's.
        thread = threading.Thread(target=self._look_up, args=(loop, host, name), name=f"look up {host}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the account or the unit allows no more threads now
            self._note(name, [])
        return answer

    def _look_up(self, loop: asyncio.AbstractEventLoop, host: str, name: _Name) -> None:
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # UnicodeError: no name can be written so
            answers = []
        found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))[:MAX_ADDRESSES]
        with suppress(RuntimeError):  # the loop is closed, and no caller waits any more
            loop.call_soon_threadsafe(self._note, name, found)

    def _note(self, name: _Name, found: Sequence[str]) -> None:
        now = self._clock.monotonic()
        if found:
            recent = {address: seen for address, seen in name.given.items() if seen > now - FORGET_AFTER}
            newest_first = (recent | dict.fromkeys(found, now)).items()
            name.given = dict(sorted(newest_first, key=lambda item: -item[1])[:MAX_ADDRESSES])
        name.due = now + (ASK_AGAIN if found else RETRY)
        if name.asking is not None and not name.asking.done():
            name.asking.set_result(None)
        name.asking = None


async def _as_far_as_possible(keeping: Awaitable[None]) -> None:
    with suppress(LedgerError):
        await keeping
