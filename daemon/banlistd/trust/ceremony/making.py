"""What the owners of a fleet sign offline: the root (who may sign what) and the targets (which hubs there are).

Roles, as in TUF: `root` (people, threshold), `targets` (one person), `hub` (each hub's own key: timestamp, snapshot, lists).
Nothing here is signed, and nothing reads a clock or a file.
"""

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tuf.api.metadata import DelegatedRole, Delegations, Key, Metadata, Root, Targets

from banlistd.core.printing import counted
from banlistd.errors import FleetError, UsageError
from banlistd.trust.ceremony.keys import FleetKey, key_label

FLEET_FIELD = "x-banlistd-fleet"
"""Where the name of the fleet is in the root."""

HUB = "hub"
"""The role that targets delegates every list to."""

LIST_PATHS = ["*/*"]
"""The files of lists, which it may sign."""

OFFLINE_LIFE = timedelta(days=365)
"""Of root and targets."""


class SigningRole(StrEnum):
    """What a key is for."""

    ROOT = "root"
    TARGETS = "targets"
    HUB = "hub"


ONLINE = ("timestamp", "snapshot")
"""The roles of the root that the hubs sign."""


@dataclass(frozen=True, slots=True)
class Offline:
    """Root and targets that belong together."""

    root: Metadata[Root]
    targets: Metadata[Targets]

    @property
    def fleet(self) -> str:
        return str(self.root.signed.unrecognized_fields.get(FLEET_FIELD, ""))


@dataclass(frozen=True, slots=True)
class KeyChange:
    """`without`: ids of keys that lose every role. `new`: keys with their roles. `hub_threshold`: None: as before."""

    without: frozenset[str] = frozenset()
    new: tuple[tuple[SigningRole, FleetKey], ...] = ()
    hub_threshold: int | None = None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many keys must sign. `root`: a root. `hubs`: each list, and which lists there are; a hub signs snapshots and
    timestamps alone, so that what is published stays in force while the other one is silent.
    """

    root: int
    hubs: int = 1


def first_offline(fleet: str, keys: Sequence[tuple[SigningRole, FleetKey]], thresholds: Thresholds, now: datetime) -> Offline:
    """Version 1 of root and targets. Raises UsageError for keys that do not suffice."""
    root = Metadata(Root(expires=now + OFFLINE_LIFE, consistent_snapshot=True, unrecognized_fields={FLEET_FIELD: fleet}))
    root.signed.roles["root"].threshold = thresholds.root
    targets = Metadata(Targets(expires=now + OFFLINE_LIFE))
    hub = DelegatedRole(HUB, [], thresholds.hubs, terminating=True, paths=[*LIST_PATHS])
    targets.signed.delegations = Delegations({}, {HUB: hub})
    made = Offline(root, targets)
    _add(made, keys)
    _must_suffice(made)
    return made


def next_offline(before: Offline, change: KeyChange, now: datetime) -> Offline:
    """The next version of both, with a new life. Raises UsageError for keys that would not suffice."""
    known = signing_keys(before)
    for _, key in change.new:
        if key.id in change.without:
            raise UsageError(f"the key {key.name} is removed and added at once", "make a new one: banlistctl fleet new-key")
    root, targets = deepcopy(before.root), deepcopy(before.targets)
    for metadata in (root, targets):
        metadata.signatures.clear()
        metadata.signed.version += 1
        metadata.signed.expires = now + OFFLINE_LIFE
    made = Offline(root, targets)
    for identity in change.without:
        for role in known[identity].roles:
            _remove(made, identity, role)
    _add(made, change.new)
    if change.hub_threshold is not None:
        hub_role(targets).threshold = change.hub_threshold
    _must_suffice(made)
    return made


def hub_role(targets: Metadata[Targets]) -> DelegatedRole:
    """Whose keys sign lists, and how many of them. Raises FleetError for targets that delegate nothing to hubs."""
    delegations = targets.signed.delegations
    if delegations is None or not delegations.roles or HUB not in delegations.roles:
        raise FleetError("the targets of the fleet name no hub")
    return delegations.roles[HUB]


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that the metadata names, and what it is for."""

    key: Key
    roles: tuple[SigningRole, ...]

    @property
    def name(self) -> str:
        return key_label(self.key)


def signing_keys(offline: Offline) -> Mapping[str, KnownKey]:
    """By key id."""
    root, targets = offline.root.signed, offline.targets.signed
    found: dict[str, tuple[Key, list[SigningRole]]] = {}
    delegations = targets.delegations
    hubs = [*(delegations.roles or {})[HUB].keyids] if delegations else []
    for role, ids in (
        (SigningRole.ROOT, root.roles["root"].keyids),
        (SigningRole.TARGETS, root.roles["targets"].keyids),
        (SigningRole.HUB, [*dict.fromkeys([*root.roles["timestamp"].keyids, *hubs])]),
    ):
        for identity in ids:
            key = root.keys.get(identity) or (delegations.keys[identity] if delegations else None)
            if key is not None:
                found.setdefault(identity, (key, []))[1].append(role)
    return {identity: KnownKey(key, tuple(roles)) for identity, (key, roles) in found.items()}


def key_ids_of(offline: Offline, names: Collection[str]) -> frozenset[str]:
    """Of keys by their names, or the first digits of their ids (at least 8). Raises UsageError for one that is not there."""
    known = signing_keys(offline)
    ids = set()
    for name in names:
        found = [each for each, key in known.items() if key.name == name or (len(name) >= _SHORT and each.startswith(name))]
        if len(found) != 1:
            there = ", ".join(sorted(key.name for key in known.values()))
            count = "no key" if not found else counted(len(found), "key", "keys")
            raise UsageError(f"the fleet has {count} called {name}", f"it has {there}")
        ids.update(found)
    return frozenset(ids)


_SHORT = 8


def _add(made: Offline, keys: Sequence[tuple[SigningRole, FleetKey]]) -> None:
    root, targets = made.root.signed, made.targets.signed
    for role, key in keys:
        there = signing_keys(made)
        if key.id in there or key.name in {each.name for each in there.values()}:
            raise UsageError(f"there is already a key {key.name}", "each role needs keys of its own, with names of their own")
        if role is SigningRole.HUB:
            for name in ONLINE:
                root.add_key(key.in_metadata, name)
            targets.add_key(key.in_metadata, HUB)
        else:
            root.add_key(key.in_metadata, str(role))


def _remove(made: Offline, identity: str, role: SigningRole) -> None:
    if role is not SigningRole.HUB:
        made.root.signed.revoke_key(identity, str(role))
        return
    for name in ONLINE:
        if identity in made.root.signed.roles[name].keyids:
            made.root.signed.revoke_key(identity, name)
    delegations = made.targets.signed.delegations
    if delegations and delegations.roles and identity in delegations.roles[HUB].keyids:
        made.targets.signed.revoke_key(identity, HUB)


def _must_suffice(made: Offline) -> None:
    root = made.root.signed
    people, threshold = len(root.roles["root"].keyids), root.roles["root"].threshold
    if not 1 <= threshold <= people:
        has = counted(people, "key", "keys")
        needs = counted(threshold, "signature", "signatures")
        raise UsageError(f"the root needs {needs}, and would have {has}", "add a key with --root-keys FILE.pub")
    for role, hint in (("targets", "--targets-keys FILE.pub"), ("timestamp", "--hub-keys FILE.pub")):
        if not root.roles[role].keyids:
            what = "no hub would have a key" if role == "timestamp" else "no key would sign the targets"
            raise UsageError(what, f"add one with {hint}")
    hubs = hub_role(made.targets)
    if not 1 <= hubs.threshold <= len(hubs.keyids):
        needs, has = counted(hubs.threshold, "hub", "hubs"), counted(len(hubs.keyids), "hub has a key", "hubs have keys")
        hint = "add a hub with --hub-keys FILE.pub, or say --hub-threshold 1"
        raise UsageError(f"{needs} must sign each list, and {has}", hint)
