"""Which packets of its addresses a source takes: how the keys are written, and what does not go together."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from banlistd.core.config.kinds import TEXT, chosen, many, scalar
from banlistd.core.config.problems import Spot
from banlistd.core.config.reading import packet_values
from banlistd.core.config.values import among
from banlistd.model import Action
from banlistd.scopes.names import MOST_SCOPES, SCOPE_PROTOCOLS, WITH_PORTS
from banlistd.scopes.scope import Scope

SCOPE_KEYS = ("interfaces", "except_interfaces", "ports", "protocols", "connections")


class ConnectionChoice(StrEnum):
    """Of which connections packets are taken."""

    ALL = "all"
    NEW = "new"


def _show_ports(ports: tuple[int, int]) -> str:
    first, last = ports
    return str(first) if first == last else f"{first}-{last}"


INTERFACES = many(
    scalar(packet_values.interface, {**TEXT, "pattern": "^[A-Za-z0-9_.:@-]{1,15}$"}, examples=("eth0", "wg0")),
    "names of interfaces",
)
PORTS = many(
    scalar(
        packet_values.ports,
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {**TEXT, "pattern": "^[0-9]{1,5}(-[0-9]{1,5})?$"}]},
        show=_show_ports,
        examples=("22", "6000-6010"),
    ),
    "ports and ranges of ports",
)
PROTOCOL_NAMES = many(
    scalar(packet_values.protocol, {"enum": [*SCOPE_PROTOCOLS]}, examples=SCOPE_PROTOCOLS[:2]),
    among(f"`{name}`" for name in SCOPE_PROTOCOLS),
)
CONNECTIONS = chosen(ConnectionChoice, "a choice of connections")


def check_scope(own: Mapping[str, object], action: Action, scope: Scope | None, spot: Spot, *, possible: bool) -> None:
    """What is wrong with the scope of a source. `own`: as it is written. `possible`: whether the backend can do it."""
    for key in SCOPE_KEYS:
        if key in own and not action.blocks:
            spot.at(key).wrong("goes with action: drop or reject only", "other actions look at every packet: delete the line")
    if scope is None or not action.blocks:
        return
    written = next((key for key in SCOPE_KEYS if key in own), None)
    place = spot if written is None else spot.at(written)
    if not possible:
        place.wrong("the backend cannot ban for some packets only", "write backend: nftables, or delete the line")
    portless = [name for name in scope.protocols if name not in WITH_PORTS]
    if scope.ports and portless:
        place = spot.at("ports" if "ports" in own else "protocols") if {"ports", "protocols"} & own.keys() else spot
        place.wrong(f"{among(portless)} has no ports", f"write {among(WITH_PORTS)}, or delete ports")
    if scope.interfaces and scope.except_interfaces:
        place.wrong("interfaces and except_interfaces exclude each other", "delete one of them")


def check_number(scopes: Sequence[tuple[Scope | None, Spot]]) -> None:
    """Report the first source whose scope is one too many; each costs every packet a test."""
    found = dict.fromkeys(scope for scope, _ in scopes if scope)
    if len(found) > MOST_SCOPES:
        extra = [*found][MOST_SCOPES]
        spot = next(spot for scope, spot in scopes if scope == extra)
        hint = "write the same interfaces, ports, protocols and connections at more of them"
        spot.wrong(f"is the {MOST_SCOPES + 1}th different scope: {MOST_SCOPES} are possible", hint)
