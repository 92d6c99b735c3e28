"""Manual bans of some packets only: the scope of an order, and the policy in which those of each scope are a source. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, from_numbers
from banlistd.core.config.reading import packet_values
from banlistd.core.config.values import Unfit
from banlistd.core.ruleset.policy import Policy
from banlistd.errors import UsageError
from banlistd.model import ManualBan, Mark, Span
from banlistd.scopes.names import WITH_PORTS, is_by_hand
from banlistd.scopes.scope import Scope, scope_of

_Part = TypeVar("_Part")

SCOPE_FIELDS = ("ports", "protocols", "interfaces", "except_interfaces", "connections")


def read_scope(fields: Mapping[str, object]) -> Scope | None:
    """The scope of an order, from its fields of SCOPE_FIELDS: texts with commas; None where there is none of them.

    Raises UsageError.
    """
    if not fields.keys() & {*SCOPE_FIELDS}:
        return None
    connections = fields.get("connections", "all")
    if connections not in ("all", "new"):
        raise UsageError("connections: is neither all nor new", "new: what answers connections of this host passes")
    ports = _parts("ports", packet_values.ports, fields)
    protocols = _parts("protocols", packet_values.protocol, fields)
    inside, outside = (_parts(key, packet_values.interface, fields) for key in ("interfaces", "except_interfaces"))
    if inside and outside:
        raise UsageError("interfaces and except_interfaces exclude each other", "give one of them")
    portless = [name for name in protocols if name not in WITH_PORTS]
    if ports and portless:
        raise UsageError(f"ports: {portless[0]} has no ports", f"give protocols of {', '.join(WITH_PORTS)}, or no ports")
    return scope_of(inside, outside, ports, protocols, only_new=connections == "new")


def _parts(key: str, read: Callable[[str], _Part], fields: Mapping[str, object]) -> tuple[_Part, ...]:
    text = fields.get(key)
    if text is None:
        return ()
    if not isinstance(text, str):
        raise UsageError(f"{key}: is no text", '{"ports": "22,443"}')
    try:
        return tuple(read(part.strip()) for part in text.split(","))
    except Unfit as verdict:
        raise UsageError(f"{key}: {verdict.words}", verdict.hint) from verdict


def scoped_contents(bans: Iterable[ManualBan]) -> Mapping[Scope, AddressSet]:
    """What is banned of each scope."""
    found: dict[Scope, list[ManualBan]] = {}
    for ban in bans:
        if ban.scope is not None:
            found.setdefault(ban.scope, []).append(ban)
    return {scope: spans_as_set(ban.span for ban in of_scope) for scope, of_scope in found.items()}


def spans_as_set(spans: Iterable[Span]) -> AddressSet:
    columns: list[Addresses] = []
    known = list(spans)
    for family in FAMILIES:
        mine = [span for span in known if span[0] is family]
        columns += [from_numbers(family, [first for _, first, _ in mine]), from_numbers(family, [last for _, _, last in mine])]
    return AddressSet.of(*columns)


def scoped_slots(policy: Policy) -> Mapping[Scope, Mark]:
    """The scopes of manual bans in a policy, each with the mark of its source."""
    return {owner.scope: owner.mark for owner in policy.sources if owner.scope and is_by_hand(owner.source_id)}
