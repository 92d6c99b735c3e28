"""Everything besides content that decides what is banned: order, actions, what is allowed, what may never be banned."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import AddressSet, Ranges
from banlistd.core.ruleset.protection import union_by_family, with_forms
from banlistd.model import MANUAL, Action, Direction, Family, Mark, PolicyHash, SourceId, SourceSlot

if TYPE_CHECKING:
    from banlistd.core.config.model import Config  # boot_restore does not need it: see `ports`
    from banlistd.scopes.scope import Scope


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """The rules for all sources together. `sources`: the enabled ones, in order.

    `never_banned`: allowed and reserved, also where IPv6 addresses embed them. `urls`: whose hosts must stay reachable; they
    are not in the hash, because a ban changes only with the addresses they have at a moment, and only where a list has them.
    `base_hash`: the hash without the manual bans of some packets, where the policy has any.
    `remembered`: for how many seconds what leaves a list counts for a combination with a window; it bans nothing by itself.
    """

    sources: tuple[SourceSlot, ...]
    allowed: Mapping[Family, Ranges]
    never_banned: Mapping[Family, Ranges]
    hash: PolicyHash
    urls: tuple[str, ...] = ()
    remembered: Mapping[SourceId, float] = field(default_factory=dict)
    base_hash: PolicyHash | None = None

    @property
    def acting(self) -> tuple[SourceSlot, ...]:
        """The sources whose addresses the firewall has; the same object each time."""
        return _acting(self)

    @property
    def allowing(self) -> tuple[SourceId, ...]:
        """The sources whose addresses are never banned."""
        return tuple(owner.source_id for owner in self.sources if owner.action is Action.ALLOW)

    def owner(self, source_id: SourceId) -> SourceSlot | None:
        return next((owner for owner in self.sources if owner.source_id == source_id), None)


# Each plan asks several times, and thousands of sources are compared the quickest where they are the same objects.
@lru_cache(maxsize=4)
def _acting(policy: Policy) -> tuple[SourceSlot, ...]:
    return tuple(owner for owner in policy.sources if owner.action not in (Action.NONE, Action.ALLOW))


def identities(config: Config) -> Sequence[SourceId]:
    """All that want a mark: the sources, and what is banned by hand."""
    return [*(source.id for source in config.sources), MANUAL]


def unread(config: Config, runs: Collection[SourceId]) -> Sequence[SourceId]:
    """The enabled sources that `runs` does not name: their lists were never read, so the first poll will."""
    return [source.id for source in config.sources if source.enabled and source.id not in runs]


def policy_of(
    config: Config, marks: Mapping[SourceId, Mark], now: float, shadowed: Collection[SourceId] = frozenset()
) -> Policy:
    """The policy at a moment (seconds since the epoch: allow entries may run out). What is banned by hand comes first.

    `shadowed`: sources with `action: count` that count what blocking sources take too.
    """
    common = config.defaults
    by_hand = [
        SourceSlot(mark, MANUAL, Action.DROP, Direction.IN, log=common.logged_to, hits=common.hits)
        for mark in filter(None, [marks.get(MANUAL)])
    ]
    numbers = scope_numbers(config)
    listed = [
        SourceSlot(
            marks[source.id],
            source.id,
            source.action,
            source.direction,
            source.id in shadowed,
            source.logged_to,
            source.hits,
            source.scope,
            numbers[source.scope] if source.scope else 0,
        )
        for source in config.sources
        if source.enabled
    ]
    sources = (*by_hand, *listed)
    allowed = config.allowed(now)
    never_banned = with_forms(union_by_family(allowed, reserved_ranges()))
    guards = [(source.id, source.allow_empty) for source in config.sources if source.enabled]
    urls = tuple(url for source in config.sources if source.enabled for url in source.urls)
    if config.mqtt is not None and not config.mqtt.broker.is_local:
        urls = (*urls, str(config.mqtt.broker))
    policy_hash = _hash(sources, allowed, never_banned, guards)
    if config.fleet is not None:
        urls = (*urls, *config.fleet.urls)
    return Policy(sources, allowed, never_banned, policy_hash, urls, config.remembered)


def scope_numbers(config: Config) -> Mapping[Scope, int]:
    """The number of each scope, from 1, in the order in which enabled sources use them first."""
    scopes = dict.fromkeys(source.scope for source in config.sources if source.enabled and source.scope)
    return {scope: number for number, scope in enumerate(scopes, 1)}


def slot_row(owner: SourceSlot) -> Sequence[object]:
    """A slot as a row of a document; log and hits only where one of them is set, or the two last fields, of the scope."""
    evidence = (owner.log, owner.hits) if owner.scope else _evidence(owner)
    return (owner.mark, owner.source_id, owner.action, owner.direction, owner.shadow, *evidence, *_scoped(owner))


def _scoped(owner: SourceSlot) -> Sequence[object]:
    return (astuple(owner.scope), owner.scope_number) if owner.scope else ()


def _evidence(owner: SourceSlot) -> Sequence[int | None]:
    return () if owner.log is None and not owner.hits else (owner.log, owner.hits)


def _hash(
    sources: tuple[SourceSlot, ...],
    allowed: Mapping[Family, Ranges],
    never_banned: Mapping[Family, Ranges],
    guards: list[tuple[SourceId, bool]],
) -> PolicyHash:
    digest = hashlib.sha256()
    # What none of these keys asks for has the hash of earlier programs: an upgrade writes nothing anew.
    owners = [
        [*slot_row(owner)[:4], *(["shadow"] if owner.shadow else ()), *_evidence(owner), *_scoped(owner)] for owner in sources
    ]
    digest.update(json.dumps([owners, guards]).encode())
    for ranges in (allowed, never_banned):
        digest.update(AddressSet.of_ranges(ranges).encode())
    return PolicyHash(digest.hexdigest()[:16])
