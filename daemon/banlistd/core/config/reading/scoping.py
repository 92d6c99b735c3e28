"""Which packets of its addresses a source takes: how the keys are written, and what does not go together."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from banlistd.core.config.kinds import TEXT, chosen, many, scalar
from banlistd.core.config.problems import Spot
from banlistd.core.config.values import Unfit, among, closest
from banlistd.core.printing import shown
from banlistd.model import Action
from banlistd.scopes.scope import MOST_SCOPES, SCOPE_PROTOCOLS, WITH_PORTS, Scope

SCOPE_KEYS = ("interfaces", "except_interfaces", "ports", "protocols", "connections")


class ConnectionChoice(StrEnum):
    """Of which connections packets are taken."""

    ALL = "all"
    NEW = "new"


# What the kernel takes (15 octets, no slash) and nft reads in quotes; an asterisk at the end would be a pattern there.
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}", re.ASCII)
_PORT = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_LAST_PORT = 65535


def _interface(text: str) -> str:
    if not _INTERFACE.fullmatch(text) or text in (".", ".."):
        raise Unfit(f"{shown(text)} is not the name of an interface", "write eth0, as `ip link` shows it; no patterns")
    return text


def _ports(text: str) -> tuple[int, int]:
    match = _PORT.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 0 < first <= last <= _LAST_PORT:
        raise Unfit(f"{shown(text)} is neither a port nor a range of ports", "write 22, or 6000-6010")
    return first, last


def _protocol(text: str) -> str:
    if text not in SCOPE_PROTOCOLS:
        near = closest(text, SCOPE_PROTOCOLS)
        raise Unfit(f"{shown(text)} is not a protocol", f"did you mean {near}?" if near else f"write {among(SCOPE_PROTOCOLS)}")
    return text


def _show_ports(ports: tuple[int, int]) -> str:
    first, last = ports
    return str(first) if first == last else f"{first}-{last}"


INTERFACES = many(
    scalar(_interface, {**TEXT, "pattern": "^[A-Za-z0-9_.:@-]{1,15}$"}, examples=("eth0", "wg0")), "names of interfaces"
)
PORTS = many(
    scalar(
        _ports,
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {**TEXT, "pattern": "^[0-9]{1,5}(-[0-9]{1,5})?$"}]},
        show=_show_ports,
        examples=("22", "6000-6010"),
    ),
    "ports and ranges of ports",
)
PROTOCOL_NAMES = many(
    scalar(_protocol, {"enum": [*SCOPE_PROTOCOLS]}, examples=SCOPE_PROTOCOLS[:2]),
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
