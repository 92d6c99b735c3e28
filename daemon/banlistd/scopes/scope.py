"""Which packets of a banned address a source takes; below the nouns of `model`, one of which has it."""

import hashlib
import json
from dataclasses import astuple, dataclass

from banlistd.scopes.names import WITH_PORTS

Ports = tuple[tuple[int, int], ...]
"""First and last, both inclusive."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The conditions of a source. A part that is empty is none.

    `interfaces` and `except_interfaces`: where a packet comes in or, of the direction out, where it leaves. `ports`: to which
    it goes, sorted and disjoint. `only_new`: what answers a connection of the host or its guests passes.
    """

    interfaces: tuple[str, ...] = ()
    except_interfaces: tuple[str, ...] = ()
    ports: Ports = ()
    protocols: tuple[str, ...] = ()
    only_new: bool = False

    def __str__(self) -> str:
        parts = ["/".join(self.protocols) or "all packets"]
        if self.ports:
            numbers = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in self.ports)
            parts.append(f"to port {numbers}")
        parts += [f"at {', '.join(self.interfaces)}"] if self.interfaces else []
        parts += [f"not at {', '.join(self.except_interfaces)}"] if self.except_interfaces else []
        parts += ["except answers"] if self.only_new else []
        return " ".join(parts)

    @property
    def digest(self) -> str:
        """8 hexadecimal digits, by which a firewall names its conditions."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:8]


def id_by_hand(scope: Scope) -> str:
    """Of the source of the manual bans of a scope."""
    return f"manual-{hashlib.sha256(scope_text(scope).encode()).hexdigest()[:8]}"


def scope_text(scope: Scope) -> str:
    """As a database keeps it."""
    return json.dumps(astuple(scope), separators=(",", ":"))


def scope_from(text: str) -> Scope:
    """The inverse of `scope_text`. Raises ValueError or TypeError."""
    inside, outside, ports, protocols, only_new = json.loads(text)
    spans = tuple((first, last) for first, last in ports)
    return Scope(tuple(inside), tuple(outside), spans, tuple(protocols), only_new)


def scope_of(
    interfaces: tuple[str, ...], except_interfaces: tuple[str, ...], ports: Ports, protocols: tuple[str, ...], *, only_new: bool
) -> Scope | None:
    """The same value for conditions that mean the same; None without any."""
    if not (interfaces or except_interfaces or ports or protocols or only_new):
        return None  # most of thousands of sources
    named = protocols or (WITH_PORTS[:2] if ports else ())
    inside, outside = (tuple(sorted({*names})) for names in (interfaces, except_interfaces))
    scope = Scope(inside, outside, _merged(ports), tuple(sorted({*named})), only_new)
    return None if scope == Scope() else scope


def _merged(ports: Ports) -> Ports:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ports):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)
