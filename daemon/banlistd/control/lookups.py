"""Where one address is found: in the firewall's state, in the content of a source, among the protected addresses."""

import asyncio
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from banlistd.core.addresses.sets import Addresses, AddressSet, Ranges, from_numbers, to_number, to_text
from banlistd.core.addresses.text import range_text
from banlistd.core.config.values import Unfit, addresses
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.extent import share_in_words
from banlistd.core.printing import shown
from banlistd.core.ruleset.protection import allowed_within, forms, protected_within, translated_from
from banlistd.core.ruleset.state import FirewallState, Hook, Kind, MapId, scopes_of_hooks
from banlistd.errors import UsageError
from banlistd.model import Direction, Family, Protected, SourceId, SourceSlot, Span
from banlistd.ports import Ledger

# RFC 1035 2.3.4.
_LONGEST_NAME = 253
_NAME = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z][A-Za-z0-9-]{0,62}\.?", re.ASCII)


def read_address(text: str) -> tuple[Family, int]:
    """An address as a number; an IPv4-mapped IPv6 address is IPv4. Raises UsageError."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError as error:
        raise UsageError(f"{shown(text)} is not an IP address", "for example 203.0.113.7 or 2001:db8::7") from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return (Family.IPV4 if address.version == 4 else Family.IPV6), int(address)  # noqa: PLR2004 - IP version four


def read_network(text: str) -> Span:
    """A network `a/n` or a range `a-b`. Raises UsageError."""
    try:
        first, last = addresses(text.strip())
    except Unfit as verdict:
        raise UsageError(verdict.words, verdict.hint) from verdict
    return (Family.IPV4 if first.version == 4 else Family.IPV6), int(first), int(last)  # noqa: PLR2004 - IP version four


def is_name(text: str) -> bool:
    """Whether a text is a host name. Its last label begins with a letter: the name service takes 1.2.3 for an address."""
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


class ScopedOwner(NamedTuple):
    """`direction`: IN for packets from the address, OUT for those to it."""

    owner: SourceSlot
    direction: Direction


def owner_of(state: FirewallState | None, family: Family, number: int) -> SourceSlot | None:
    """The source whose element the firewall finds for an address, whatever the packet: hook by hook, single addresses before
    networks. What is banned in a scope only, `scoped_owners` says.
    """
    if state is None:
        return None
    needle = from_numbers(family, [number])
    by_mark = {owner.mark: owner for owner in state.sources}
    hooks = dict.fromkeys(
        map_id.hook
        for map_id in sorted(state.map_entries, key=lambda map_id: map_id.hook not in (Hook.IN, Hook.OUT))
        if not map_id.hook.scope_number
    )
    for hook in hooks:
        for kind in Kind:
            mark = state.map_entries[MapId(hook, kind, family)].owner_of(needle)
            if mark is not None:
                return by_mark.get(mark)
    return None


def scoped_owners(state: FirewallState | None, family: Family, number: int, *, translates: bool) -> Sequence[ScopedOwner]:
    """The sources that ban some packets of an address, by scope. `translates`: also of the IPv4 one in one of NAT64 or 6to4."""
    if state is None:
        return []
    within = translated_from(number) if translates and family is Family.IPV6 else None
    needles = [(family, from_numbers(family, [number]))]
    needles += [] if within is None else [(Family.IPV4, from_numbers(Family.IPV4, [within]))]
    by_mark = {owner.mark: owner for owner in state.sources}
    found = []
    for hook in scopes_of_hooks(state.sources):
        for one, needle in needles[: 1 if hook.outward else 2]:
            marks = [state.map_entries[MapId(hook, kind, one)].owner_of(needle) for kind in Kind]
            found += [ScopedOwner(by_mark[mark], hook.end) for mark in marks[: 1 if marks[0] else 2] if mark in by_mark][:1]
    return found


def translated_owner(state: FirewallState | None, number: int) -> tuple[SourceSlot, int] | None:
    """The source that bans the IPv4 address in an IPv6 one of NAT64 or 6to4, and that address. That is looked up for
    what comes in only.
    """
    within = translated_from(number)
    if state is None or within is None:
        return None
    needle = from_numbers(Family.IPV4, [within])
    marks = [state.map_entries[MapId(Hook.IN, kind, Family.IPV4)].owner_of(needle) for kind in Kind]
    return next(((owner, within) for mark in marks if mark for owner in state.sources if owner.mark == mark), None)


def protections_of(protected: Sequence[Protected], family: Family, number: int) -> Sequence[Protected]:
    """What of the protected ranges an address is in, in one of their forms. Answers come from single addresses only."""
    found = [
        item
        for item in protected
        for kind, first, last in forms(item.span)
        if kind is family and first <= number <= last and (first == last or not item.answers)
    ]
    single = _single(family, number)
    return [*found, *(item for item in protected if not item.answers and len(protected_within(single, item.span)))]


def is_allowed(allowed: Mapping[Family, Ranges], family: Family, number: int) -> bool:
    """Whether the allowlist has an address, or the IPv4 address whose Teredo or ISATAP address it is."""
    single = _single(family, number)
    return bool(len(allowed_within(single, allowed))) or bool(allowed[family].contains(from_numbers(family, [number]))[0])


def _single(family: Family, number: int) -> AddressSet:
    address = from_numbers(family, [number])
    return AddressSet.of(address) if family is Family.IPV4 else AddressSet.of(None, None, address)


def entry_of(addresses: AddressSet, family: Family, needle: Addresses) -> str:
    """The entry of a source that contains an address, as text; empty where there is none."""
    nets = addresses.nets(family)
    if not nets.contains(needle)[0]:
        return to_text(family, needle[0]) if addresses.contains(family, to_number(needle[0])) else ""
    at = int(nets.first.searchsorted(needle[0], side="right")) - 1
    return range_text(family, nets.first[at], nets.last[at])


async def listed_since(ledger: Ledger, source_id: SourceId, family: Family, number: int) -> tuple[float | None, bool]:
    """When a source last began to list an address; not exact where it has listed it for as long as the ledger remembers."""
    oldest: float | None = None
    for added_at, encoded in await ledger.added_history(source_id):
        if encoded is None or AddressSet.decode(encoded).contains(family, number):
            return added_at, True
        oldest = added_at
    return oldest, False


async def extent_of(content: Content | None) -> str:
    """How much of the address space a content covers, for a person; empty without one."""
    return await asyncio.to_thread(share_in_words, content.addresses) if content else ""
