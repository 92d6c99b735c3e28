"""Questions of an operator, answered from the ledger, the plan in force and the firewall. What he orders others carry out."""

import asyncio
import ipaddress
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version

from banlistd.control_api import ServiceControl
from banlistd.core.addresses.comparison import Difference, compare, text_of
from banlistd.core.addresses.sets import Addresses, AddressSet, from_numbers, to_number, to_text
from banlistd.core.config.model import Source
from banlistd.core.feeds.guards import SHRUNK, share_in_words
from banlistd.core.feeds.quarantine import Quarantined, stale_at
from banlistd.core.geo.tables import Table
from banlistd.core.geo.types import By
from banlistd.core.manual_bans import BanOrder, UnbanOrder, free_of, span_text
from banlistd.core.ruleset.protection import forms, label
from banlistd.core.ruleset.ranking import Rank, count, rank, rank_sources
from banlistd.core.ruleset.state import FirewallState, Kind, MapId, lanes_of
from banlistd.errors import NoSuchSourceError, UsageError
from banlistd.model import MANUAL, Family, ImportRun, ManualBan, Protected, RunState, SourceId, SourceSlot
from banlistd.ports import Clock, Ledger, Quarantine, Storage
from banlistd.services.enforcer import Enforcer
from banlistd.services.geo_enricher import Enricher
from banlistd.services.manual_bans import ManualBanService

Answer = Mapping[str, object]


class Queries:
    """The Operations of operations.py."""

    def __init__(
        self,
        steering: ServiceControl,
        enforcer: Enforcer,
        banning: ManualBanService,
        ledger: Ledger,
        quarantine: Quarantine,
        storage: Storage,
        clock: Clock,
        config_place: str,
        enricher: Enricher,
    ) -> None:
        self._steering = steering
        self._enforcer = enforcer
        self._banning = banning
        self._ledger = ledger
        self._quarantine = quarantine
        self._storage = storage
        self._clock = clock
        self._config_place = config_place
        self._enricher = enricher
        self._since = clock.now()

    async def status(self) -> Answer:
        sources = self._steering.config.sources
        polls = [await self._ledger.poll(source.id) for source in sources if source.enabled]
        stale = [await self._stale_since(source) for source in sources if source.enabled]
        held_back = [await self._quarantine.quarantined(source.id) for source in sources if source.enabled]
        (newest,) = await self._ledger.history(None, 1) or (None,)
        quarantined = self._enforcer.state
        return {
            "version": version("banlistd"),
            "state": "running",
            "backend": str(self._steering.config.backend),
            "since": self._since,
            "config": self._config_place,
            "pid": os.getpid(),
            "sources": len(sources),
            "enabled": len(polls),
            "failing": sum(bool(poll.failures) for poll in polls),
            "quarantined": sum(content is not None for content in held_back),
            "stale": sum(since is not None for since in stale),
            "ledger_fault": self._storage.fault,
            "bans": len(quarantined or ()),
            "maps": {map_id.name: len(map_entries) for map_id, map_entries in quarantined.map_entries.items()}
            if quarantined
            else {},
            "last_change": newest.completed_at if newest else None,
        }

    async def sources(self) -> Sequence[Answer]:
        counters = await self._enforcer.counters()
        map_entries = _owned_by_mark(self._enforcer.state)
        answers = []
        for source in self._steering.config.sources:
            owner = self._enforcer.policy.owner(source.id)
            counter = counters.get(owner.mark) if owner else None
            poll = await self._ledger.poll(source.id)
            newest = await self._ledger.newest(source.id)
            held_back = await self._quarantine.quarantined(source.id)
            answers.append(
                {
                    "id": source.id,
                    "enabled": source.enabled,
                    "state": _state_of(newest, failing=bool(poll.failures)),
                    "entries": newest.entries if newest else 0,
                    "owned": map_entries.get(owner.mark, 0) if owner else 0,
                    "rejected": newest.rejected if newest else 0,
                    "action": str(source.action),
                    "direction": str(source.direction),
                    "packets": counter.packets if counter else None,
                    "octets": counter.octets if counter else None,
                    "polled_at": poll.polled_at,
                    "due_at": poll.due_at or None if source.enabled else None,
                    "changed_at": newest.completed_at if newest else None,
                    "stale_since": await self._stale_since(source) if source.enabled else None,
                    "extent": await self._extent(source),
                    "quarantined": held_back.guard if held_back else None,
                    "failures": poll.failures,
                    "error": poll.error,
                }
            )
        return answers

    async def check(self, address: str) -> Answer:
        family, number = _address_of(address)
        needle = from_numbers(family, [number])
        policy, quarantined = self._enforcer.policy, self._enforcer.state
        owner = _owner_of(quarantined, family, needle)
        allowed = bool(policy.allowed[family].contains(needle)[0])
        holders = []
        for candidate in policy.sources:
            content = self._enforcer.content(candidate.source_id)
            entry = _entry_of(content.addresses, family, needle) if content else ""
            if entry and candidate.source_id == MANUAL:
                holders.append(self._held_by_hand(entry, family, number))
            elif entry:
                since, exact = await self._since_when(candidate.source_id, family, number)
                holders.append({"id": candidate.source_id, "entry": entry, "since": since, "exact": exact})
        return {
            "address": to_text(family, needle[0]),
            "banned": owner is not None and owner.action.blocks,
            "allowed": allowed,
            "protected": _protection_of(self._enforcer.protected, family, number),
            "reserved": not allowed and bool(policy.never_banned[family].contains(needle)[0]),
            "owner": owner.source_id if owner else None,
            "action": str(owner.action) if owner else None,
            "sources": holders,
            "origin": asdict(await self._enricher.origin_of(family, number)),
        }

    async def top(self, by: str, limit: int) -> Answer:
        quarantined, chosen = self._enforcer.state, _by(by)
        table = Table.none() if chosen is By.SOURCE else await self._enricher.table(chosen)
        if quarantined is None:
            ranks: Sequence[Rank] = ()
        elif chosen is By.SOURCE:
            ranks = await asyncio.to_thread(rank_sources, quarantined)
        else:
            ranks = await asyncio.to_thread(rank, quarantined, table, chosen)
        return {
            "by": str(chosen),
            "bans": count(quarantined) if quarantined else 0,
            "total": len(ranks),
            "rows": [asdict(one) for one in ranks[:limit]],
        }

    async def history(self, source_id: str | None, limit: int) -> Sequence[Answer]:
        if source_id is not None:
            self._source(source_id)
        runs = await self._ledger.history(SourceId(source_id) if source_id is not None else None, limit)
        return [asdict(run) for run in runs]

    async def timers(self) -> Sequence[Answer]:
        answers = []
        for source in self._steering.config.sources:
            if source.enabled:
                poll = await self._ledger.poll(source.id)
                answers.append(
                    {
                        "id": source.id,
                        "due_at": poll.due_at or None,
                        "every": source.every,
                        "polled_at": poll.polled_at,
                        "failures": poll.failures,
                    }
                )
        return answers

    async def protected(self) -> Sequence[Answer]:
        hits = {hit.protected: hit for hit in self._enforcer.hits}
        return [
            {
                "address": label(item),
                "reason": item.reason,
                "sources": list(hits[item].sources) if item in hits else [],
                "carved": item in hits and hits[item].carved,
            }
            for item in self._enforcer.protected
        ]

    async def quarantine(self, source_id: str | None) -> Sequence[Answer]:
        sources = self._steering.config.sources if source_id is None else (self._source(source_id),)
        answers = []
        for source in sources:
            quarantined = await self._quarantine.quarantined(source.id)
            if quarantined is not None:
                answers.append(await self._held_back(source, quarantined))
        return answers

    async def approve(self, source_ids: Sequence[str]) -> Sequence[Answer]:
        if not source_ids:
            raise UsageError("no source is named", "banlistctl quarantine lists what is held back")
        contents = []
        for source_id in source_ids:
            source = self._source(source_id)
            quarantined = await self._quarantine.quarantined(source.id)
            if quarantined is None or not source.enabled:
                why = "nothing of it is held back" if source.enabled else "it is off"
                raise UsageError(f"{source_id}: {why}", "banlistctl quarantine lists what is held back")
            contents.append(quarantined)
        for quarantined in contents:
            await self._quarantine.approve(quarantined.source_id, quarantined.content_hash)
        return await self.refresh(source_ids)

    async def ban(self, order: BanOrder) -> Answer:
        done = await self._banning.carry_out(order)
        (ban,) = done.bans
        return {**_ban_document(ban), "new": done.is_new, "spared": [asdict(item) for item in done.spared]}

    async def unban(self, order: UnbanOrder) -> Answer:
        done = await self._banning.carry_out(order)
        address = span_text(order.span) if order.span else None
        is_single = order.span is not None and order.span[1] == order.span[2]
        still = await self.check(address) if address and is_single else None
        return {
            "address": address,
            "origin": order.origin,
            "removed": [_ban_document(ban) for ban in done.bans],
            "still": still["owner"] if still and still["banned"] else None,
        }

    async def bans(self) -> Sequence[Answer]:
        answers = []
        for ban in sorted(self._banning.bans, key=lambda ban: -ban.created_at):
            is_free, spared = free_of(ban, self._enforcer.policy, self._enforcer.protected)
            reasons = ", ".join(dict.fromkeys(item.reason for item in spared))
            answers.append({**_ban_document(ban), "in_force": not is_free, "spared": reasons})
        return answers

    async def refresh(self, source_ids: Sequence[str]) -> Sequence[Answer]:
        outcomes = await self._steering.refresh([SourceId(source_id) for source_id in source_ids])
        return [
            {
                "id": outcome.source_id,
                "outcome": str(outcome.kind),
                "added": outcome.added,
                "removed": outcome.removed,
                "error": outcome.error,
            }
            for outcome in outcomes
        ]

    async def reload(self) -> Answer:
        before = {source.id: source for source in (await self._steering.reload()).sources}
        after = {source.id: source for source in self._steering.config.sources}
        return {
            "sources": len(after),
            "added": sorted(after.keys() - before.keys()),
            "removed": sorted(before.keys() - after.keys()),
            "changed": sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
        }

    def _held_by_hand(self, entry: str, family: Family, number: int) -> Answer:
        mine = [ban for ban in self._banning.bans if ban.family is family and ban.first <= number <= ban.last]
        since = min((ban.created_at for ban in mine), default=None)
        return {"id": MANUAL, "entry": entry, "since": since, "exact": True, "bans": [_ban_document(ban) for ban in mine]}

    async def _extent(self, source: Source) -> str:
        """How much of the address space a source bans on purpose; empty for an ordinary list."""
        content = self._enforcer.content(source.id) if source.block else None
        return await asyncio.to_thread(share_in_words, content.addresses) if content else ""

    async def _stale_since(self, source: Source) -> float | None:
        """Since when the last good list of a source is older than it may be; None while it is not."""
        standing = await self._quarantine.standing(source.id)
        since = stale_at(standing.good_at, source) if standing else None
        return since if since is not None and since <= self._clock.now() else None

    async def _held_back(self, source: Source, quarantined: Quarantined) -> Answer:
        run = await self._ledger.accepted(source.id)
        before = await self._ledger.snapshot(source.id, run.content_hash) if run and run.content_hash else None
        difference = await asyncio.to_thread(_difference, before, quarantined.snapshot)
        settles = quarantined.guard == SHRUNK and source.guards.settle < math.inf
        return {
            "id": source.id,
            "guard": quarantined.guard,
            "reason": quarantined.reason,
            "since": quarantined.first_seen,
            "last_seen": quarantined.last_seen,
            "refusals": quarantined.refusals,
            "stood": quarantined.stood,
            "settle": source.guards.settle if settles else None,
            "approved": quarantined.approved,
            "content_hash": quarantined.content_hash,
            "entries": quarantined.entries,
            "entries_before": run.entries if run else None,
            **asdict(difference),
        }

    def _source(self, source_id: str) -> Source:
        for source in self._steering.config.sources:
            if source.id == source_id:
                return source
        raise NoSuchSourceError(f"no source is called {source_id!r}", "banlistctl sources lists them")

    async def _since_when(self, source_id: SourceId, family: Family, number: int) -> tuple[float | None, bool]:
        """When the source last began to hold an address; not exact where it has held it for as long as we remember."""
        oldest: float | None = None
        for arrived_at, encoded in await self._ledger.added_history(source_id):
            if encoded is None or AddressSet.decode(encoded).contains(family, number):
                return arrived_at, True
            oldest = arrived_at
        return oldest, False


def _difference(before: bytes | None, after: bytes) -> Difference:
    return compare(AddressSet.decode(before) if before is not None else AddressSet.none(), AddressSet.decode(after))


def _ban_document(ban: ManualBan) -> Answer:
    return {
        "address": span_text(ban.span),
        "origin": ban.origin,
        "comment": ban.comment,
        "created_at": ban.created_at,
        "expires_at": ban.expires_at,
    }


def _state_of(newest: ImportRun | None, *, failing: bool) -> str:
    if failing:
        return str(RunState.FAILED)
    return str(newest.state) if newest else "never"


def _owned_by_mark(quarantined: FirewallState | None) -> Mapping[int, int]:
    counts: dict[int, int] = {}
    for owner in quarantined.sources if quarantined else ():
        mine = (
            (quarantined.map_entries[map_id] for map_id in quarantined.map_entries if map_id.hook is lanes_of(owner)[0])
            if quarantined
            else ()
        )
        counts[owner.mark] = sum(int((map_entries.mark == owner.mark).sum()) for map_entries in mine)
    return counts


def _owner_of(quarantined: FirewallState | None, family: Family, needle: Addresses) -> SourceSlot | None:
    """Whom the firewall will find for an address: lane by lane, single addresses before networks."""
    if quarantined is None:
        return None
    by_mark = {owner.mark: owner for owner in quarantined.sources}
    hooks = dict.fromkeys(
        map_id.hook for map_id in sorted(quarantined.map_entries, key=lambda map_id: map_id.hook.startswith("watch"))
    )
    for hook in hooks:
        for kind in Kind:
            mark = quarantined.map_entries[MapId(hook, kind, family)].owner_of(needle)
            if mark is not None:
                return by_mark.get(mark)
    return None


def _protection_of(protected: Sequence[Protected], family: Family, number: int) -> str:
    """Why an address must not be banned; empty where nothing protects it."""
    for item in protected:
        for kind, first, last in forms((item.family, item.first, item.last)):
            if kind is family and first <= number <= last:
                return item.reason
    return ""


def _entry_of(addresses: AddressSet, family: Family, needle: Addresses) -> str:
    """The entry of a source that holds an address, as text; empty where none does."""
    nets = addresses.nets(family)
    if not nets.contains(needle)[0]:
        return to_text(family, needle[0]) if addresses.contains(family, to_number(needle[0])) else ""
    at = int(nets.first.searchsorted(needle[0], side="right")) - 1
    return text_of(to_text(family, nets.first[at]), to_text(family, nets.last[at]))


def _by(text: str) -> By:
    try:
        return By(text)
    except ValueError:
        raise UsageError(f"bans are not counted by {text[:60]!a}", f"by {', '.join(By)}") from None


def _address_of(text: str) -> tuple[Family, int]:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError as error:
        raise UsageError("that is not an IP address", "for example 203.0.113.7 or 2001:db8::7") from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return (Family.IPV4 if address.version == 4 else Family.IPV6), int(address)  # noqa: PLR2004 - IP version four
