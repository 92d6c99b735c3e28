"""The chains of scopes: their names, and the conditions of each as text for nft. Pure.

A lookup chain jumps to the conditions, and those to a chain that looks into the maps of the scope's number. The name of the
conditions has a digest of them: a number that another scope gets has other conditions at the commit that exchanges its maps.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from banlistd.core.ruleset.kernel_parts import KernelPart
from banlistd.core.ruleset.state import Hook, scopes_of_hooks
from banlistd.errors import FirewallError
from banlistd.model import Direction, SourceSlot
from banlistd.scopes.names import SCOPE_PROTOCOLS
from banlistd.scopes.scope import Scope

VRF = "vrf"
"""The kind of interface at which a packet passes a hook for the second time."""

WITHIN_NAT64 = "within-nat64"
WITHIN_6TO4 = "within-6to4"

TRACKED: Mapping[str, Direction] = {"tracked-in": Direction.IN, "tracked-out": Direction.OUT}
"""The lookup chains of scopes that ask for the state of connections, which the kernel knows after tracking them."""

SCOPED: Mapping[str, Hook] = {f"scoped-{hook.scope_number}-{hook.end}": hook for hook in Hook if hook.scope_number}
"""The chains that look into the maps of a scope."""


class Within(NamedTuple):
    """`network`: WITHIN_NAT64 or WITHIN_6TO4, whose IPv4 addresses are looked up in the maps of a hook."""

    network: str
    hook: Hook


WITHIN: Mapping[str, Within] = {network: Within(network, Hook.IN) for network in (WITHIN_NAT64, WITHIN_6TO4)} | {
    f"{chain}-{network}": Within(network, hook)
    for chain, hook in SCOPED.items()
    for network in (WITHIN_NAT64, WITHIN_6TO4)
    if not hook.outward
}
"""The chains that look up the IPv4 address in the source of an IPv6 packet."""

_CONDITIONS = re.compile(r"scope-([0-9]{1,2})-([0-9a-f]{8})-(?:in|out)", re.ASCII)
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}", re.ASCII)


class ScopeChain(NamedTuple):
    """One scope in one direction. `name`: of the chain with its conditions."""

    scope: Scope
    hook: Hook

    @property
    def name(self) -> str:
        return f"scope-{self.hook.scope_number}-{self.scope.digest}-{self.hook.end}"


def scopes_in(sources: Sequence[SourceSlot]) -> Sequence[ScopeChain]:
    """Each scope of these sources, in each direction that one of them has, in the order in which packets are asked."""
    return [ScopeChain(scope, hook) for hook, scope in scopes_of_hooks(sources).items()]


def chains_of_scopes(
    sources: Sequence[SourceSlot], *, translated: bool, lacking: AbstractSet[KernelPart]
) -> Mapping[str, tuple[str, ...] | None]:
    """The rules of each chain that these scopes need; None where netlink writes them. Raises FirewallError."""
    chains: dict[str, tuple[str, ...] | None] = {}
    for one in scopes_in(sources):
        chains |= {name: None for name, within in WITHIN.items() if within.hook is one.hook and translated}
        target = next(name for name, hook in SCOPED.items() if hook is one.hook)
        chains |= {target: None, one.name: _rules(one, target, lacking)}
        if one.scope.only_new:
            chains[f"tracked-{one.hook.end}"] = None
    return chains


def is_of_a_scope(chain: str) -> bool:
    """Whether a chain has conditions of a scope."""
    return _CONDITIONS.fullmatch(chain) is not None


def conditions_in(chains: Iterable[str]) -> Mapping[str, int]:
    """The number of each scope whose conditions are among these chains, by its digest."""
    return {one[2]: int(one[1]) for one in map(_CONDITIONS.fullmatch, chains) if one}


def count_loads_of(rule: str) -> int:
    """How many fields of a packet a rule reads that nft writes."""
    return rule.count(" dport ") + rule.count(" @th,")


def _rules(one: ScopeChain, target: str, lacking: AbstractSet[KernelPart]) -> tuple[str, ...]:
    scope, side = one.scope, "oif" if one.hook.outward else "iif"
    by_interface = bool(scope.interfaces or scope.except_interfaces)
    if (scope.ports and KernelPart.PORTS in lacking) or (by_interface and KernelPart.INTERFACES in lacking):
        return ("return",)
    parts = [f"{side}name {_names(scope.interfaces)}"] if scope.interfaces else []
    if scope.except_interfaces:
        # In a VRF a packet passes the hook a second time, at the interface of the VRF.
        parts += [] if KernelPart.INTERFACE_KIND in lacking else [f'meta {side}kind != "{VRF}"']
        parts.append(f"{side}name != {_names(scope.except_interfaces)}")
    if scope.protocols:
        parts.append(f"meta l4proto {_set(map(_protocol, scope.protocols))}")
    if scope.ports:
        parts.append(
            f"th dport {_set(f'{int(first)}-{int(last)}' if first < last else f'{int(first)}' for first, last in scope.ports)}"
        )
    tracked = scope.only_new and KernelPart.CONNECTIONS not in lacking
    # An announced connection is RELATED until it is answered; then only its status says so.
    passing = ("ct direction reply return", "ct state related return", "ct status expected return") if tracked else ()
    return (*passing, " ".join((*parts, f"jump {target}")))


def _names(interfaces: Sequence[str]) -> str:
    for name in interfaces:
        if not _INTERFACE.fullmatch(name):
            raise FirewallError(f"{name!r} cannot name an interface", "at most 15 of letters, digits and _ . : @ -")
    return _set(f'"{name}"' for name in interfaces)


def _protocol(name: str) -> str:
    if name not in SCOPE_PROTOCOLS:
        raise FirewallError(f"{name!r} is no protocol of a scope", f"it is one of {', '.join(SCOPE_PROTOCOLS)}")
    return name


def _set(values: Iterable[str]) -> str:
    return f"{{ {', '.join(values)} }}"
