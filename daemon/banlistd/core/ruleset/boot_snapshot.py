"""The snapshot that the boot restore reads, as text: it needs no configuration, so a broken one cannot stop it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from banlistd.backends import BackendName
from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges
from banlistd.core.ruleset.policy import Policy, slot_row
from banlistd.model import (
    Action,
    AnswerPort,
    Direction,
    Family,
    Mark,
    Ownership,
    PolicyHash,
    Protected,
    SourceId,
    SourceSlot,
)
from banlistd.scopes.scope import Scope

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class BootSnapshot:
    """The policy that was in force last, what was protected then, and the backend that had the bans."""

    backend: BackendName
    owner: Ownership
    translated: bool
    policy: Policy
    protected: Sequence[Protected]


def encode(boot_snapshot: BootSnapshot) -> str:
    """As JSON; sets of addresses are `AddressSet.encode` in hexadecimal digits."""
    policy = boot_snapshot.policy
    return json.dumps(
        {
            "version": _VERSION,
            "backend": boot_snapshot.backend,
            "ownership": boot_snapshot.owner,
            "translated": boot_snapshot.translated,
            "hash": policy.hash,
            "roster": [slot_row(owner) for owner in policy.sources],
            "allowed": AddressSet.of_ranges(policy.allowed).encode().hex(),
            "barred": AddressSet.of_ranges(policy.never_banned).encode().hex(),
            "protected": [
                (item.family, item.first, item.last, item.reason, item.learned, item.answers)
                for item in boot_snapshot.protected
            ],
        }
    )


def decode(text: str) -> BootSnapshot | None:
    """The snapshot, or None for a text of another version, or one that is damaged."""
    try:
        document = json.loads(text)
        if document["version"] != _VERSION:
            return None
        return BootSnapshot(
            BackendName(document["backend"]),
            Ownership(document["ownership"]),
            document.get("translated", True) is True,  # an earlier program did not write it
            Policy(
                tuple(_slot(*row) for row in document["roster"]),
                _ranges(document["allowed"]),
                _ranges(document["barred"]),
                PolicyHash(document["hash"]),
            ),
            [_protected(*item) for item in document["protected"]],
        )
    except (ValueError, KeyError, TypeError):
        return None


def _slot(mark: int, source_id: str, action: str, direction: str, *more: Any) -> SourceSlot:
    """An earlier program wrote the first four fields only; `slot_row` says which others there are."""
    slot = SourceSlot(Mark(mark), SourceId(source_id), Action(action), Direction(direction), *more[:_WITHOUT_SCOPE])
    scoped = more[_WITHOUT_SCOPE:]
    return replace(slot, scope=_scope(*scoped[0]), scope_number=scoped[1]) if scoped else slot


_WITHOUT_SCOPE = 3
"""Fields behind the direction, before those of the scope."""


def _scope(inside: list[str], outside: list[str], ports: list[list[int]], protocols: list[str], only_new: bool) -> Scope:
    spans = tuple((first, last) for first, last in ports)
    return Scope(tuple(inside), tuple(outside), spans, tuple(protocols), only_new)


def _protected(
    family: str, first: int, last: int, reason: str, learned: bool = False, answers: Sequence[Sequence[Any]] = ()
) -> Protected:
    """An earlier program wrote the first four only."""
    return Protected(Family(family), first, last, reason, learned, tuple(AnswerPort(*answer) for answer in answers))


def _ranges(encoded: Any) -> Mapping[Family, Ranges]:
    addresses = AddressSet.decode(bytes.fromhex(encoded))
    return {family: addresses.ranges(family) for family in FAMILIES}
