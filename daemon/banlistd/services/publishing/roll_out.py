"""Lists that a hub stops: written down first, so that a restart publishes nothing that was in question."""

import asyncio
from collections.abc import Mapping, Sequence

from banlistd.core.fleet.publish_job import Published
from banlistd.core.fleet.roll_out.refusals import RefusedVersion
from banlistd.core.fleet.roll_out.stops import (
    DIGITS,
    UNTOUCHED,
    Questioner,
    RollOutState,
    after_order,
    after_refusal,
    after_release,
)
from banlistd.errors import NoSuchSourceError, UsageError
from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Clock
from banlistd.ports.fleet import RollOutLog

FEWEST_DIGITS = 6
"""Of a version that an operator names."""


class RollOut:
    """One for the life of the hub. What is published of each list is noted by the publisher."""

    def __init__(self, log: RollOutLog, announcer: Announcer, clock: Clock) -> None:
        self._log = log
        self._announcer = announcer
        self._clock = clock
        self._lock = asyncio.Lock()
        self._published: Published | None = None
        self._lists: Sequence[str] = ()

    def note(self, lists: Sequence[str], published: Published) -> None:
        """What is published now, of these lists."""
        self._lists, self._published = lists, published

    @property
    def published(self) -> Mapping[str, Sequence[str]]:
        """The contents of each list that were published, the newest first; empty until that is known."""
        lists = self._published.lists if self._published else {}
        return {name: [one.content for one in lists.get(name, ())] for name in self._lists}

    async def states(self) -> Mapping[str, RollOutState]:
        """Of each list of which there is anything to say. Raises LedgerError."""
        return await self._log.every()

    async def stop(self, name: str, versions: Sequence[str] | None, by: Questioner) -> RollOutState:
        """`versions`: what is withdrawn, by its first digits; None: the newest one that was published.

        Raises NoSuchSourceError, UsageError and LedgerError.
        """
        known = self._known(name)
        found = known[:1] if versions is None else [_version(one, known, name) for one in versions]
        async with self._lock:
            before = (await self._log.every()).get(name, UNTOUCHED)
            after = after_order(before, known, found, by, self._clock.now())
            await self._log.keep(name, after)
        self._tell_stop(name, found, by)
        return after

    async def release(self, name: str, completed: str, uid: int | None) -> bool:
        """Publish it again; whether it was stopped. `completed`: its content at the hub.

        Raises NoSuchSourceError, UsageError and LedgerError.
        """
        self._known(name)
        async with self._lock:
            before = (await self._log.every()).get(name, UNTOUCHED)
            if before.stop is None:
                return False
            await self._log.keep(name, after_release(before, completed))
        fields: dict[str, str | int | float] = {"SOURCE_ID": name} | ({} if uid is None else {"UID": uid})
        self._announcer.announce(Event(EventName.LIST_RELEASED, f"{name}: published for the fleet again", fields))
        return True

    async def refused(self, node: str, refusals: Sequence[RefusedVersion]) -> None:
        """What a canary refuses. Raises LedgerError."""
        for one in refusals:
            known = self.published.get(one.list, ())
            by = Questioner(node, None, one.guard, one.reason)
            async with self._lock:
                before = (await self._log.every()).get(one.list, UNTOUCHED)
                after = after_refusal(before, known, one.content_hash, by, self._clock.now())
                if after is None:
                    continue
                await self._log.keep(one.list, after)
            self._tell_stop(one.list, [one.content_hash], by)

    def _known(self, name: str) -> Sequence[str]:
        if name not in self._lists:
            if self._published is None:
                raise UsageError("what this hub has published is not known yet", "try again in a moment; banlistctl events")
            raise NoSuchSourceError(f"no list {name} is published here", "banlistctl fleet lists them")
        return self.published[name]

    def _tell_stop(self, name: str, versions: Sequence[str], by: Questioner) -> None:
        which = ", ".join(one[:DIGITS] for one in versions)
        what = f"version {which} is in question" if which else "nothing is withdrawn"
        who = f"the canary {by.node} refuses it ({by.guard}: {by.reason})" if by.node else by.reason or "an operator ordered it"
        fields: dict[str, str | int | float] = {
            "SOURCE_ID": name,
            "REASON": f"{by.guard}: {by.reason}" if by.guard else by.reason,
        }
        fields |= {"NODE": by.node} if by.node else {}
        fields |= {"CONTENT_HASH": versions[0]} if versions else {}
        fields |= {"UID": by.uid} if by.uid is not None else {}
        words = f"{name}: stopped for the fleet, {what}: {who}"
        self._announcer.announce(Event(EventName.LIST_STOPPED, words, fields))


def _version(text: str, known: Sequence[str], name: str) -> str:
    found = [one for one in known if len(text) >= FEWEST_DIGITS and one.startswith(text)]
    if len(found) != 1:
        hint = f"give {FEWEST_DIGITS} digits or more, from banlistctl versions {name}"
        raise UsageError(f"no version of {name} that was published begins with {text!r}, or several do", hint)
    return found[0]
