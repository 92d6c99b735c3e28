"""The base chains of our table: where the kernel calls them. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

RAW, MANGLE = -300, -150
"""Priorities: before connection tracking, and after it, where the destination is still that before DNAT."""

_PRIORITIES = {RAW: "raw", MANGLE: "mangle"}


class HookPlace(NamedTuple):
    """Of a base chain: nft's name of the hook, the kernel's number of it, and the priority."""

    hook: str
    number: int
    priority: int


HOOKS: Mapping[str, HookPlace] = {
    "inbound": HookPlace("prerouting", 0, RAW),
    "outbound": HookPlace("output", 3, RAW),
    "forwarded": HookPlace("forward", 2, RAW),
    "inbound-tracked": HookPlace("prerouting", 0, MANGLE),
    "outbound-tracked": HookPlace("output", 3, MANGLE),
    "forwarded-tracked": HookPlace("forward", 2, MANGLE),
}
"""The base chains; the tracked ones are for scopes that ask for the state of connections."""


REJECT_ANSWERS = ("meta l4proto icmp @th,0,16 0x030d return", "meta l4proto ipv6-icmp @th,0,16 0x0101 return")
"""Of outbound chains, where sources reject: what the kernel answers for us (administratively prohibited, RFC 1812 and 4443)
goes to an address that may be banned outbound too.
"""


def declaration_of(chain: str) -> str:
    """Of a base chain, as nft reads it."""
    hook, _, priority = HOOKS[chain]
    return f"{{ type filter hook {hook} priority {_PRIORITIES[priority]}; policy accept; }}"
