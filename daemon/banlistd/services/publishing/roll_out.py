"""Lists that a hub stops: written down first, so that a restart publishes nothing that was in question."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from banlistd.core.fleet.cosigning import MissingSignature
from banlistd.core.fleet.publish_job import Proposal, Published
from banlistd.core.fleet.roll_out.refusals import RefusedVersion
from banlistd.core.fleet.roll_out.stops import (
    DIGITS,
    NO_STOP,
    UNTOUCHED,
    Questioner,
    RollOutState,
    after_completion,
    after_learning,
    after_order,
    after_publication,
    after_refusals,
    after_release,
    after_suspension,
    is_of_the_list,
    ordered,
)
from banlistd.core.printing import printable, quoted
from banlistd.errors import BanlistdError, NoSuchSourceError, UsageError
from banlistd.events import Event, EventName
from banlistd.model import Remark
from banlistd.ports import Announcer, Clock
from banlistd.ports.fleet import RollOutLog

FEWEST_DIGITS = 6
"""Of a version that an operator names."""


class RollOut:
    """One for the life of the hub. What is published of each list is noted by the publisher. `changes`: how many there were.

    `fault`: why nothing, or not all, is published. `missing`: signatures of other hubs, and those that this one does not give,
    as they were seen last.
    """

    def __init__(self, log: RollOutLog, announcer: Announcer, clock: Clock) -> None:
        self._log = log
        self._announcer = announcer
        self._clock = clock
        self._lock = asyncio.Lock()
        self._published: Published | None = None
        self._lists: Sequence[str] = ()
        self._states: dict[str, RollOutState] = {}
        self._moved = asyncio.Event()
        self.changes = 0
        self.fault: BanlistdError | None = None
        self.missing: Sequence[MissingSignature] = ()

    def note(self, lists: Sequence[str], published: Published) -> None:
        """What is published now, of these lists."""
        self._lists, self._published = lists, published

    def remarks(self) -> Sequence[Remark]:
        """Why this hub does not publish what it has."""
        return (Remark(f"fleet: not published: {self.fault.message}", self.fault.hint),) if self.fault else ()

    async def highest(self) -> int:
        """The highest version that is known to have been published here. Raises LedgerError."""
        return await self._log.highest()

    @property
    def is_ready(self) -> bool:
        """Whether it is known what is published, and of which lists."""
        return self._published is not None

    @property
    def published(self) -> Mapping[str, Sequence[str]]:
        """The contents of each list that were published, the newest first; empty until that is known."""
        lists = self._published.lists if self._published else {}
        return {name: [one.content for one in lists.get(name, ())] for name in self._lists}

    async def learn(self) -> None:
        """What follows from what is published: noted, and maybe newer than the database. Raises LedgerError."""
        if self._published is not None and self._published.timestamp > await self._log.highest():
            await self._log.published(self._published.timestamp)
        async with self._lock:
            states = dict(await self._every())
        for name in self._lists:
            before = states.get(name, UNTOUCHED)
            if self._learnt(name, before) == before:
                continue
            async with self._lock:
                before = (await self._every()).get(name, UNTOUCHED)
                after = self._learnt(name, before)
                await self._change(name, before, after)
            new = [one.content_hash for one in after.questioned if one.digits in after.bad - before.bad]
            if after.stop is not None and (before.stop is None or new):
                self._tell_stop(name, new, after.stop.by)

    def _learnt(self, name: str, state: RollOutState) -> RollOutState:
        found, now = self._published, self._clock.now()
        if found is None:
            return state
        known = self.published[name]
        learnt = after_learning(state, known, found.stops.get(name, NO_STOP), now) or state
        return after_publication(learnt, known, now) or learnt

    async def wait(self, changes: int, seconds: float) -> None:
        """At most so many seconds, until there are more changes than these."""
        if self.changes != changes:
            return
        self._moved.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._moved.wait(), seconds)

    @property
    def proposals(self) -> Mapping[str, Proposal]:
        """What waits for the signature of another hub, by role."""
        return self._published.proposals if self._published else {}

    async def states(self) -> Mapping[str, RollOutState]:
        """Of each list of which there is anything to say. Raises LedgerError."""
        async with self._lock:
            return await self._every()

    async def _every(self) -> Mapping[str, RollOutState]:
        """A database that took the place of a damaged one has forgotten what is stopped: it is written down again."""
        found = {**await self._log.every()}
        for name, state in self._states.items():
            written = found.get(name, UNTOUCHED)
            if state != written and state.number >= written.number:
                await self._log.keep(name, state)
                found[name] = state
        self._states = found
        return found

    async def _change(self, name: str, before: RollOutState, after: RollOutState) -> None:
        """Each change has a number above the one before, and counts even where the write is interrupted; that one was signed is
        no change.
        """
        is_noted = replace(before, signed=after.signed) == after
        state = after if is_noted else replace(after, number=max(after.number, before.number + 1))
        if not is_noted:
            self.changes += 1
            self._moved.set()
        await self._log.keep(name, state)
        self._states[name] = state

    async def stop(self, name: str, versions: Sequence[str] | None, by: Questioner) -> RollOutState:
        """`versions`: what is withdrawn, by its first digits; None: the newest one that was published.

        Raises NoSuchSourceError, UsageError and LedgerError.
        """
        known = self._known(name)
        named = [_version(one, known, name) for one in versions or ()]
        async with self._lock:
            before = (await self._every()).get(name, UNTOUCHED)
            found = ordered(before, known) if versions is None else named
            after = after_order(before, known, found, by, self._clock.now())
            await self._change(name, before, after)
        self._tell_stop(name, found, by)
        return after

    async def release(self, name: str, completed: str, uid: int | None, version: str = "") -> bool:
        """Publish it again; whether it was stopped. `completed`: its content at the hub. `version`: its first digits, where
        the caller knows that it is in question, and means it.

        Raises NoSuchSourceError, LedgerError, and UsageError where another version would be published than the caller means.
        """
        self._known(name)
        async with self._lock:
            before = (await self._every()).get(name, UNTOUCHED)
            if before.stop is None:
                return False
            _refuse_unseen(name, before, completed, version)
            await self._change(name, before, after_release(before, completed))
        fields: dict[str, str | int | float] = {"SOURCE_ID": name} | ({} if uid is None else {"UID": uid})
        self._announcer.announce(Event(EventName.LIST_RELEASED, f"{name}: published for the fleet again", fields))
        return True

    async def refused(self, node: str, refusals: Sequence[RefusedVersion]) -> None:
        """What a canary refuses. Raises LedgerError."""
        for name in dict.fromkeys(one.list for one in refusals):
            known = self.published.get(name, ())
            said = [
                (one.content_hash, Questioner(node, None, one.guard, one.reason))
                for one in refusals
                if one.list == name and is_of_the_list(one.guard, one.base, known)
            ]
            async with self._lock:
                before = (await self._every()).get(name, UNTOUCHED)
                after, new = after_refusals(before, known, said, self._clock.now())
                if not new:
                    continue
                await self._change(name, before, after)
            self._tell_stop(name, [one.content_hash for one in new], new[0].by)

    async def disbelieve(self, node: str) -> None:
        """It is suspended or forgotten, and what it has refused counts no more. Raises LedgerError."""
        async with self._lock:
            for name, before in dict(await self._every()).items():
                after = after_suspension(before, self.published.get(name, ()), node)
                if after is not None:
                    await self._change(name, before, after)

    async def completed(self, name: str, content_hash: str) -> None:
        """The hub has this content of a list now. Raises LedgerError."""
        async with self._lock:
            before = (await self._every()).get(name, UNTOUCHED)
            after = after_completion(before, self.published.get(name, ()), content_hash, self._clock.now())
            if after is None or after.stop is None:
                return
            await self._change(name, before, after)
        self._tell_stop(name, [content_hash], after.stop.by)

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


def _refuse_unseen(name: str, state: RollOutState, completed: str, meant: str) -> None:
    """Raises UsageError for a release of what is in question, unless the caller names it; the list may have stayed as it was
    because its correction was refused.
    """
    digits = completed[:DIGITS]
    if meant:
        if len(meant) < FEWEST_DIGITS or not completed.startswith(meant):
            now = f"its newest content is version {digits}" if completed else "no content of it is completed"
            raise UsageError(f"{name}: {now}, and not {quoted(meant)}", f"give {FEWEST_DIGITS} digits or more")
        return
    found = state.question_of(completed) if completed else None
    if found is None:
        return
    by = found.by
    who = f"the canary {printable(by.node)} refused it" if by.node else "an operator withdrew it"
    why = f": {quoted(f'{by.guard}: {by.reason}' if by.guard else by.reason)}" if by.reason else ""
    raise UsageError(
        f"{name}: its newest content, version {digits}, would be published, and is in question: {who}{why}",
        f"banlistctl rollback {name} --to RUN corrects it;"
        f" banlistctl fleet release {name} --version {digits} publishes it all the same",
    )
