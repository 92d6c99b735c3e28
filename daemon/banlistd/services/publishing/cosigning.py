"""Hubs that sign for each other: every ten seconds, what another one wants signed is judged, and what it signed is fetched.

A refusal stops nothing that is published. What this hub does not have yet, it looks for in its own feed, once for each content.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.content import Content
from banlistd.core.fleet.cosign_job import AskedRole
from banlistd.core.fleet.cosigning import (
    AskedList,
    MissingSignature,
    OtherHub,
    WantedProposal,
    missing_of_ours,
    reason_against,
)
from banlistd.core.fleet.publish_job import Proposal
from banlistd.core.fleet.roll_out.stops import DIGITS, UNTOUCHED
from banlistd.errors import FleetError, LedgerError
from banlistd.events import Event, EventName
from banlistd.model import SourceId
from banlistd.ports import Announcer, Clock
from banlistd.ports.fleet import Cosigner, OtherHubs
from banlistd.services.publishing.roll_out import RollOut

_EVERY, _SOON = 10.0, 2.0
_SOON_TIMES = 15
"""Seconds between two looks; after a change, the next ones are sooner: another hub may answer within seconds."""

_MISSING_AFTER, _REFUSED_AFTER = 600.0, 300.0
"""Seconds until an event says so: two hubs poll the same feed at different times."""

_MOST_TOLD = 20
"""Refusals that an event says at a time: who has stolen a key may ask for a thousand roles, each of another name."""

_AT_ONCE, _ONE_MORE_AFTER = 10.0, 20.0
"""Changes that are followed at once, and seconds until one more is. Each costs a use of the key of this hub, and what another
one has signed a timestamp too, of which a term has a million: at this pace, they last for 231 days.
"""

_POLLED_AFTER = 60.0
"""Seconds between two polls for another hub: who shows a new list each second sends this hub to its feed no more often."""

_REMEMBERED = 4
"""Contents of each source of which a list may be made: the other hub may have polled a little earlier."""


@dataclass(frozen=True, slots=True)
class JudgedList:
    """A list that this hub publishes, too. `max_bytes`: of its source."""

    source_id: SourceId
    max_bytes: int


@dataclass(frozen=True, slots=True)
class CosigningParts:
    """`content`: of a source, as it is in force. `poll`: has a source polled soon; never waits."""

    hubs: OtherHubs
    cosigner: Cosigner
    content: Callable[[SourceId], Content | None]
    poll: Callable[[SourceId], None]
    roll_out: RollOut
    announcer: Announcer
    clock: Clock


class _Pace:
    """How often a change may be followed: who shows another file each second has none of them followed so often."""

    def __init__(self) -> None:
        self._left, self._at = _AT_ONCE, 0.0

    def allows(self, now: float) -> bool:
        """`now`: of the monotonic clock."""
        self._left, self._at = min(_AT_ONCE, self._left + (now - self._at) / _ONE_MORE_AFTER), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """`reason`: why it is not signed; empty: the program that signs decides."""

    url: str
    asked: AskedList
    reason: str

    @property
    def key(self) -> tuple[str, str]:
        return self.url, self.asked.role


class Cosigning:
    """`lists`: what this hub may sign."""

    def __init__(self, lists: Sequence[JudgedList], parts: CosigningParts) -> None:
        self._lists = {str(one.source_id): one for one in lists}
        self._parts = parts
        self._own: dict[str, list[Content]] = {}
        self._waiting: dict[str, tuple[str, AddressSet]] = {}
        self._polled: dict[str, tuple[str, float]] = {}
        self._cosigned: dict[str, str] = {}
        self._done: tuple[AskedRole, ...] = ()
        self._taking, self._signing = _Pace(), _Pace()
        self._by_program: Mapping[tuple[str, int], str] = {}
        self._refused_since: dict[tuple[str, str], float] = {}
        self._told: set[tuple[str, str]] = set()
        self._is_missing = self._is_told = False
        self._asked_for: Mapping[str, Proposal] = {}
        self._soon = _SOON_TIMES
        self._fault = ""

    def cosigned(self) -> tuple[str, ...]:
        """What other hubs have signed, as it was seen last: foreign text."""
        return tuple(self._cosigned.values())

    async def run(self) -> NoReturn:
        """Until it is cancelled."""
        while True:
            try:
                await self.turn()
            except (FleetError, LedgerError) as error:
                self._tell_fault(str(error))
            self._soon = max(self._soon - 1, 0)
            await asyncio.sleep(_SOON if self._soon else _EVERY)

    async def turn(self) -> None:
        """Look at the other hubs once, and sign what may be signed. Raises FleetError and LedgerError."""
        for name in self._lists:
            self._note_own(name)
        wanted = [WantedProposal(name, self._known(name), one.max_bytes) for name, one in self._lists.items()]
        others = await self._parts.hubs.look(wanted)
        before = (self._cosigned, self._asked_for, self._done)
        self._take(others)
        states = await self._parts.roll_out.states()
        judged = []
        for other in others:
            for one in other.asked:
                bad = states.get(one.role, UNTOUCHED).bad
                judged.append(_Judged(other.url, one, await asyncio.to_thread(self._reason, one, bad)))
        asked = {one.asked.role for one in judged}
        self._waiting = {role: waiting for role, waiting in self._waiting.items() if role in asked}
        await self._sign(judged)
        self._note(others, [one for one in judged if self._refusal(one)])
        self._asked_for = dict(self._parts.roll_out.proposals)
        if before != (self._cosigned, self._asked_for, self._done):
            self._soon = _SOON_TIMES
        self._tell_fault("")

    def _take(self, others: Sequence[OtherHub]) -> None:
        """What others have signed, as far as this hub waits for any of it."""
        new = self._cosigned | {other.url: other.cosigned for other in others if not other.fault}
        is_waiting = any(asked.lacking for asked in self._parts.roll_out.proposals.values())
        if is_waiting and new != self._cosigned and self._taking.allows(self._parts.clock.monotonic()):
            self._cosigned = new

    async def _sign(self, judged: Sequence["_Judged"]) -> None:
        """Once for each change: the program reads the key of this hub."""
        roles = tuple(AskedRole(one.asked.role, one.asked.metadata, one.asked.content_hash, one.reason) for one in judged)
        if roles != self._done and self._signing.allows(self._parts.clock.monotonic()):
            answer = await self._parts.cosigner.cosign(roles)
            self._done, self._by_program = roles, {(one.role, one.version): one.reason for one in answer.refused}

    def _refusal(self, one: "_Judged") -> str:
        return one.reason or self._by_program.get((one.asked.role, one.asked.version), "")

    def _note_own(self, name: str) -> None:
        content = self._parts.content(SourceId(name))
        if content is None or content.adopted:
            return
        known = [one for one in self._own.get(name, []) if one.content_hash != content.content_hash]
        self._own[name] = [content, *known][:_REMEMBERED]

    def _known(self, name: str) -> frozenset[str]:
        waiting = self._waiting.get(name)
        return frozenset((*(str(one.content_hash) for one in self._own.get(name, [])), *([waiting[0]] if waiting else [])))

    def _reason(self, one: AskedList, bad: frozenset[str]) -> str:
        """Why it is not signed here; the program that signs looks at all else. It may take a while."""
        if one.fault or one.role == "hub":
            return one.fault
        if one.role not in self._lists:
            return f"this hub does not publish {one.role}"
        if one.content_hash[:DIGITS] in bad:
            return "this version is withdrawn on this hub"
        own, waiting = self._own.get(one.role, []), self._waiting.get(one.role)
        addresses = one.addresses
        if addresses is None and waiting is not None and waiting[0] == one.content_hash:
            addresses = waiting[1]
        if addresses is None:
            addresses = next((each.addresses for each in own if each.content_hash == one.content_hash), None)
        if addresses is None:
            return "its content could not be read"
        reason = reason_against(addresses, [each.addresses for each in own])
        if not reason:
            self._waiting.pop(one.role, None)
            return ""
        self._waiting[one.role] = (one.content_hash, addresses)
        return reason

    def _note(self, others: Sequence[OtherHub], refused: Sequence["_Judged"]) -> None:
        parts, now = self._parts, self._parts.clock.now()
        self._refused_since = {key: self._refused_since.get(key, now) for key in {one.key for one in refused}}
        self._told &= self._refused_since.keys()
        theirs = []
        for one in refused:
            role, since, reason = one.asked.role, self._refused_since[one.key], self._refusal(one)
            theirs.append(MissingSignature(role, one.asked.version, one.url, False, since, reason))
            self._poll_for(one.asked, now)
            if now - since >= _REFUSED_AFTER and one.key not in self._told and len(self._told) < _MOST_TOLD:
                self._told.add(one.key)
                reason = f"{role}: {reason}"
                words = f"not signed for the hub at {one.url}: {reason}"
                fields: dict[str, str | int | float] = {"MIRROR": one.url, "REASON": reason}
                parts.announcer.announce(Event(EventName.SIGNATURE_REFUSED, words, fields))
                self._is_told = True
        ours = missing_of_ours([*parts.roll_out.proposals.items()], others)
        parts.roll_out.missing = (*ours, *theirs)
        self._tell_missing([one for one in ours if now - one.since >= _MISSING_AFTER])

    def _poll_for(self, asked: AskedList, now: float) -> None:
        content, at = self._polled.get(asked.role, ("", -_POLLED_AFTER))
        # A clock that was set back delays nothing.
        if asked.role in self._lists and asked.content_hash not in ("", content) and not 0 <= now - at < _POLLED_AFTER:
            self._polled[asked.role] = asked.content_hash, now
            self._parts.poll(SourceId(asked.role))

    def _tell_missing(self, missing: Sequence[MissingSignature]) -> None:
        announcer = self._parts.announcer
        if missing and not self._is_missing:
            self._is_told = True
            one = missing[0]
            reason = f"{one.role}: {one.reason}"
            fields: dict[str, str | int | float] = {"MIRROR": one.hub, "REASON": reason}
            announcer.announce(Event(EventName.SIGNATURE_MISSING, f"not published yet: {reason}", fields))
        self._is_missing = bool(missing)
        if self._is_told and not missing and not self._told:
            self._is_told = False
            announcer.announce(Event(EventName.SIGNATURE_MISSING_OVER, "no signature of a hub is missing any more"))

    def _tell_fault(self, reason: str) -> None:
        if reason and reason != self._fault:
            words = f"nothing is signed for other hubs: {reason}"
            self._parts.announcer.announce(Event(EventName.FLEET_FAULT, words, {"REASON": reason}))
        elif self._fault and not reason:
            self._parts.announcer.announce(Event(EventName.FLEET_FAULT_OVER, "this hub signs for other hubs again"))
        self._fault = reason
