"""Rules that look into sets, as netlink bodies: they change together with sets and elements, in one batch.

Every number and the order of expressions is what nft itself sends for the same rule, so that nft lists them as its own.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from banlistd.adapters.firewalls.nftables.lookups.matching import (
    EMBEDDED,
    FIRST_NAMES,
    WITHIN_REGISTER,
    Lookups,
    expressions_in,
    ipv4_within,
    load_address,
    may_embed,
    rule_body,
    within_network,
)
from banlistd.adapters.firewalls.nftables.lookups.scopes import SCOPED, TRACKED, VRF, WITHIN, ScopeChain, scopes_in
from banlistd.adapters.firewalls.nftables.set_chains import SET_CHAINS, SetChain
from banlistd.adapters.firewalls.nftables.sets import ALLOWED, SERVICES
from banlistd.adapters.firewalls.nftables.structure import (
    ANSWERS,
    ASKED,
    BANNED,
    EMBEDDING,
    LOOKUP_IN,
    LOOKUPS,
    MARKED,
    MARKED_ANSWERS,
    SHADOW_OF,
    SHADOWED,
    WATCHED,
    WATCHING,
    RuleForm,
)
from banlistd.adapters.netlink.expressions import (
    ACCEPT,
    GOTO,
    JUMP,
    META_IIFKIND,
    META_L4PROTO,
    META_MARK,
    META_OIFKIND,
    REGISTER,
    REGISTER_VERDICT,
    RETURN,
    TRANSPORT_HEADER,
    expression,
    is_listed_as,
    load_address_type,
    load_meta,
    load_payload,
    load_value,
    lookup,
    masked,
    matches,
    store_mark,
    verdict,
)
from banlistd.adapters.netlink.messages import attribute, number_attribute, text_attribute
from banlistd.adapters.netlink.probing import PROBED_COUNTER
from banlistd.core.addresses.sets import FAMILIES
from banlistd.core.ruleset.evidence.packets import HIT_GROUP
from banlistd.core.ruleset.kernel_parts import KernelPart
from banlistd.core.ruleset.state import Hook, Kind, MapId, maps_of
from banlistd.model import Family, SourceSlot


def lookup_rules(chain: str, sources: Sequence[SourceSlot], sets: Lookups, *, form: RuleForm) -> list[bytes]:
    """The bodies of the rules of a lookup chain, for those maps of the sources that are its own.

    First the allowed networks; then a jump to where sources in shadow count; then single addresses before networks; then, if
    `form` has them, what comes from an IPv6 address that contains one of IPv4; then the watched maps. A packet that another
    program has marked leaves as an answer before it gets our mark, although its service may be watched only, and is watched
    without one.
    """
    banning, watching = LOOKUPS[chain]
    chosen = set(maps_of(sources))
    marked = [load_meta(META_MARK), matches(bytes(4), equal=False)]
    rules = [
        rule_body(chain, [*load_address(banning, family), lookup(sets[base]), verdict(RETURN)])
        for family, base in ALLOWED.items()
    ]
    shadow = SHADOW_OF[chain]
    if any(map_id.hook is SHADOWED[shadow] for map_id in chosen):
        rules.append(rule_body(chain, [verdict(JUMP, shadow)]))
    for hook, target in ((banning, ""), (watching, WATCHED[watching])):
        apart = MARKED_ANSWERS if hook is Hook.IN else next((name for name, watched in MARKED.items() if watched is hook), "")
        if apart and any(map_id.hook is hook for map_id in chosen):
            rules.append(rule_body(chain, [*marked, verdict(JUMP, apart)]))
        guard = [load_meta(META_MARK), matches(bytes(4))] if hook is watching else []
        for family in ALLOWED:
            for kind in Kind:
                map_id = MapId(hook, kind, family)
                if map_id in chosen and map_id.name in sets.asked:
                    found = [lookup(sets[map_id.name], to=REGISTER), store_mark(), verdict(GOTO, target)]
                    asking = [verdict(JUMP, sets[map_id.name])] if hook is banning else [*load_address(hook, family), *found]
                    rules.append(rule_body(chain, [*guard, *asking]))
        if form.translated and chain == LOOKUP_IN and hook is banning:
            rules.append(rule_body(chain, [*may_embed(), verdict(JUMP, EMBEDDING)]))
        if hook is banning:
            rules += _scope_rules(chain, [one for one in scopes_in(sources) if not one.scope.only_new], hook, sets)
    return rules


def tracked_rules(chain: str, sources: Sequence[SourceSlot], sets: Lookups) -> list[bytes]:
    """The bodies of the rules of a chain of TRACKED: what is allowed passes here too, and so do answers."""
    hook = Hook(TRACKED[chain])
    rules = [
        rule_body(chain, [*load_address(hook, family), lookup(sets[base]), verdict(RETURN)]) for family, base in ALLOWED.items()
    ]
    if not hook.outward:
        rules.append(rule_body(chain, [load_meta(META_MARK), matches(bytes(4), equal=False), verdict(JUMP, MARKED_ANSWERS)]))
    return rules + _scope_rules(chain, [one for one in scopes_in(sources) if one.scope.only_new], hook, sets)


def _scope_rules(chain: str, scopes: Sequence[ScopeChain], hook: Hook, sets: Lookups) -> list[bytes]:
    """A jump to the conditions of each scope of the same direction whose maps are not all empty."""
    return [
        rule_body(chain, [verdict(JUMP, one.name)])
        for one in scopes
        if one.hook.end is hook.end and any(map_id.name in sets.asked for map_id in _maps_of(one.hook))
    ]


def _maps_of(hook: Hook, families: Iterable[Family] = FAMILIES) -> list[MapId]:
    return [MapId(hook, kind, family) for family in families for kind in Kind]


def scoped_rules(chain: str, sets: Lookups, *, form: RuleForm) -> list[bytes]:
    """The bodies of the rules of a chain of SCOPED: single addresses before networks, then IPv4 addresses within."""
    hook = SCOPED[chain]
    asking = (sets[map_id.name] for map_id in _maps_of(hook) if map_id.name in sets.asked)
    within = [name for name, one in WITHIN.items() if one.hook is hook and form.translated]
    return [
        *(rule_body(chain, [verdict(JUMP, name)]) for name in asking),
        *(rule_body(chain, [*within_network(name), verdict(JUMP, name)]) for name in within),
    ]


def set_chain_rule(chain: SetChain) -> bytes:
    """The body of the rule of a chain that looks into one map."""
    found = [store_mark(), verdict(GOTO, BANNED)]
    if chain.place not in WITHIN:
        address = load_address(chain.map.hook, chain.map.family)
        return rule_body(chain.name, [*address, lookup(chain.set_name, to=REGISTER), *found])
    return rule_body(chain.name, [*ipv4_within(chain.place), lookup(chain.set_name, key=WITHIN_REGISTER, to=REGISTER), *found])


# A single ban asks for it of each chain, twice.
@lru_cache(maxsize=2 * len(SET_CHAINS))
def is_rule_of(chain: SetChain, listed: bytes) -> bool:
    """Whether the kernel lists that rule. `listed`: expressions."""
    return is_listed_as(expressions_in(set_chain_rule(chain)), listed)


def marked_rules(chain: str, sets: Lookups, *, form: RuleForm) -> list[bytes]:
    """The bodies of the rules of a chain of MARKED or SHADOWED: a packet goes to the chain of its source, and comes back.

    In a VRF a packet passes a hook twice: it is not counted at the VRF's own interface.
    """
    hook = {**MARKED, **SHADOWED}[chain]
    maps = [MapId(hook, kind, family) for family in ALLOWED for kind in Kind if MapId(hook, kind, family).name in sets.asked]
    interface = META_IIFKIND if hook in (Hook.WATCH_IN, Hook.SHADOW_IN) else META_OIFKIND
    again = [load_meta(interface), matches(VRF.encode().ljust(_IFNAMSIZ, b"\0")), verdict(RETURN)]
    return [
        *([] if KernelPart.INTERFACE_KIND in form.lacking else [rule_body(chain, again)]),
        *(rule_body(chain, [*_unseen(map_id, sets), lookup(WATCHING, key=_VALUE, to=REGISTER_VERDICT)]) for map_id in maps),
    ]


def translated_rules(chain: str, sets: Lookups) -> list[bytes]:
    """The bodies of the rules for sources that contain an IPv4 address: it is looked up as if the packet came from it."""
    if chain == EMBEDDING:
        return [rule_body(chain, [*within_network(name), verdict(JUMP, name)]) for name in EMBEDDED]
    allowed = [*ipv4_within(chain), lookup(sets[ALLOWED[Family.IPV4]], key=WITHIN_REGISTER), verdict(RETURN)]
    maps = _maps_of(WITHIN[chain].hook, [Family.IPV4])
    asking = (SetChain(chain, map_id, sets[map_id.name]) for map_id in maps if map_id.name in sets.asked)
    return [rule_body(chain, allowed), *(rule_body(chain, [verdict(JUMP, one.name)]) for one in asking)]


def service_rules(chain: str, sets: Lookups, *, form: RuleForm) -> list[bytes]:
    """The bodies of the rules of ANSWERS and MARKED_ANSWERS, for packets that are to be banned, or of ASKED, for what is sent.

    An answer is addressed to this host, and opens no connection: every packet of TCP but the first has ACK or RST (RFC 9293
    3.10.7). It goes on with the mark that it came with: that is 0 in ANSWERS, where it has that of the source of the ban.
    Neighbour discovery passes as ARP does, which no rule sees: a router may solicit from any of its addresses (RFC 4861 7.2.2).
    """
    if chain == ASKED:
        asked = [rule_body(chain, [*_service(Hook.OUT, family, sets), verdict(ACCEPT)]) for family in SERVICES]
        return [*asked, rule_body(chain, [*_of_icmpv6(_ADVERTISEMENT), verdict(ACCEPT)])]
    opening = [load_meta(META_L4PROTO), matches(bytes((_TCP,))), load_payload(TRANSPORT_HEADER, _TCP_FLAGS, 1)]
    opening += [masked(bytes((_ACK | _RST,))), matches(b"\0"), verdict(RETURN)]
    here = [load_address_type(), matches(struct.pack("=I", _UNICAST), equal=False)]
    passing = [] if KernelPart.ADDRESS_TYPE in form.lacking else here
    passing += [load_value(bytes(4)), store_mark()] if chain == ANSWERS else []
    return [
        rule_body(chain, opening),
        *(rule_body(chain, [*_service(Hook.IN, family, sets), *passing, verdict(ACCEPT)]) for family in SERVICES),
        *(rule_body(chain, [*_of_icmpv6(kind), *passing, verdict(ACCEPT)]) for kind in (_SOLICITATION, _ADVERTISEMENT)),
    ]


def _of_icmpv6(kind: int) -> Sequence[bytes]:
    return [load_meta(META_L4PROTO), matches(bytes((_ICMPV6,))), load_payload(TRANSPORT_HEADER, 0, 1), matches(bytes((kind,)))]


def netlink_rules(chain: str, sources: Sequence[SourceSlot], sets: Lookups = FIRST_NAMES, *, form: RuleForm) -> list[bytes]:
    """The bodies of the rules of a chain of NETLINK_CHAINS."""
    if chain in LOOKUPS:
        return lookup_rules(chain, sources, sets, form=form)
    if chain in MARKED or chain in SHADOWED:
        return marked_rules(chain, sets, form=form)
    if chain in TRACKED:
        return tracked_rules(chain, sources, sets)
    if chain in SCOPED:
        return scoped_rules(chain, sets, form=form)
    return translated_rules(chain, sets) if chain in WITHIN or chain == EMBEDDING else service_rules(chain, sets, form=form)


_IFNAMSIZ = 16
_TCP, _TCP_FLAGS, _RST, _ACK = 6, 13, 0x04, 0x10
_ICMPV6, _SOLICITATION, _ADVERTISEMENT = 58, 135, 136
# What fib says of an address that is neither this host's nor a group's or broadcast's (RTN_UNICAST of <linux/rtnetlink.h>).
_UNICAST = 1
# The registers behind an address: words of 32 bits are numbered from 8, and registers 1 to 4 are four of them each.
_BEHIND: Mapping[Family, tuple[int, int]] = {Family.IPV4: (9, 10), Family.IPV6: (2, 13)}
# A pair of words behind register 1, and the second word of the pair behind that.
_PAIR, _VALUE = 12, 15
_NO_MARK = struct.pack("=I", 1 << 16)


def _unseen(map_id: MapId, sets: Lookups) -> Iterator[bytes]:
    """Load what the map says of a packet's address into a register that nft believes to be something else.

    nft 1.0.6 lists a comparison with the value of a map in a form that it cannot load again, and would refuse the whole file.
    So the value reaches its register as the second of two words, of which nft sees the first. What nft lists, the bit of a mark
    that no source's mark has, matches nothing once it has loaded its own listing, and `faults_of` finds too few loaded fields.
    """
    yield load_meta(META_MARK, _VALUE)
    yield masked(_NO_MARK, _VALUE)
    yield from load_address(map_id.hook, map_id.family)
    yield load_meta(META_MARK, _PAIR)
    yield lookup(sets[map_id.name], to=_PAIR + 1)
    yield masked(b"\xff" * 8, _PAIR, _VALUE - 1)


def _service(hook: Hook, family: Family, sets: Lookups) -> Iterator[bytes]:
    """Match packets of the family that come from a service, or go to it. The ports are the first words of TCP and UDP."""
    protocol, port = _BEHIND[family]
    yield from load_address(hook, family)
    yield load_meta(META_L4PROTO, protocol)
    yield load_payload(TRANSPORT_HEADER, 2 if hook is Hook.OUT else 0, 2, port)
    yield lookup(sets[SERVICES[family]])


_NUMBER = struct.Struct("!Q")
PROBES: Mapping[KernelPart, Sequence[bytes]] = {
    KernelPart.REJECT: (expression("reject", number_attribute(1, 2), attribute(2, b"\x03")),),
    KernelPart.LOG: (expression("log", text_attribute(2, "banlistd ")),),
    KernelPart.LIMIT: (
        expression("limit", attribute(1, _NUMBER.pack(5)), attribute(2, _NUMBER.pack(1)), number_attribute(3, 20)),
    ),
    KernelPart.NFLOG: (expression("log", attribute(1, struct.pack("!H", HIT_GROUP))),),
    KernelPart.COUNTER: (expression("objref", number_attribute(1, 1), text_attribute(2, PROBED_COUNTER)),),
    KernelPart.ADDRESS_TYPE: (load_address_type(),),
    KernelPart.INTERFACE_KIND: (load_meta(META_IIFKIND),),
}
"""A rule that needs the part, for each. The numbers are those of nft: icmpx admin-prohibited, packets a second, a counter.

CONNECTIONS has none: such a rule turns connection tracking on. Only where a source needs it, nft finds out.
"""
