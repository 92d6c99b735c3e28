"""Whether the root and targets that wait for signatures are as the commands here make them.

Who signs sees the keys of the root, by their names and digits. What is not seen may not be there: another key under the digits
of a known one, a hub in the targets that the root does not name, roles, files and fields of another kind.
"""

from collections.abc import Iterator, Mapping

from tuf.api.metadata import Key, Root, Targets

from banlistd.core.printing import quoted
from banlistd.errors import FleetError
from banlistd.trust.ceremony.keys import KEY_OCTETS, KIND, NAME_FIELD, FleetKey, key_label
from banlistd.trust.ceremony.making import FLEET_FIELD, HUB, LIST_PATHS, ONLINE, Offline

_HINT = "it was changed on its way: take the folder from where it is whole, or make this change again"


def must_name_keys(file: str, keys: Mapping[str, Key]) -> None:
    """Raises FleetError where the id of a key, of which people compare the first digits, is not made of the key."""
    for identity, key in keys.items():
        if identity != _id_of(key):
            raise FleetError(f"{quoted(file)}: the digits of the key {key_label(key)} are not its own", _HINT)


def _id_of(key: Key) -> str:
    """Empty for a key of another kind, or with fields that none has."""
    public = key.keyval.get("public")
    try:
        octets = bytes.fromhex(public) if isinstance(public, str) else b""
    except ValueError:
        octets = b""
    is_ours = (key.keytype, key.scheme) == (KIND, KIND) and not key.unrecognized_fields.keys() - {NAME_FIELD}
    return FleetKey("", octets).id if is_ours and len(octets) == KEY_OCTETS and len(key.keyval) == 1 else ""


def must_be_as_made(offline: Offline) -> None:
    """Raises FleetError for anything else."""
    for fault in _faults(offline.root.signed, offline.targets.signed):
        version = offline.root.signed.version
        raise FleetError(f"the root {version} and its targets are not as they are made: {fault}", _HINT)


def _faults(root: Root, targets: Targets) -> Iterator[str]:
    online, delegations = [root.roles[name] for name in ONLINE], targets.delegations
    hubs = set(online[0].keyids)
    if any(set(role.keyids) != hubs or role.threshold != 1 for role in online):
        yield "each hub must sign timestamps and snapshots alone"
    if root.roles["targets"].threshold != 1 or not root.consistent_snapshot or root.expires != targets.expires:
        yield "one key signs the targets, which end with the root"
    if targets.targets:
        yield "the targets have files"
    if delegations is None or delegations.succinct_roles is not None or [*(delegations.roles or {})] != [HUB]:
        yield "the targets name other roles than that of the hubs"
        return
    hub = (delegations.roles or {})[HUB]
    if set(hub.keyids) != hubs or delegations.keys != {identity: root.keys[identity] for identity in hubs}:
        yield "the targets name other hubs than the root"
    if not hub.terminating or hub.paths != LIST_PATHS or hub.path_hash_prefixes is not None:
        yield "the hubs sign other files than those of lists"
    more = [*(role.unrecognized_fields for role in (*root.roles.values(), hub)), delegations.unrecognized_fields]
    if any(more) or targets.unrecognized_fields or root.unrecognized_fields.keys() - {FLEET_FIELD}:
        yield "they have fields that are not known"
