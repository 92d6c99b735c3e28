"""Rules that look into sets, as netlink bodies: they change together with sets and elements, in one batch.

Every number and the order of expressions is what nft itself sends for the same rule, so that nft lists them as its own.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.adapters.firewalls.nftables.set_chains import SetChain
from banlistd.adapters.firewalls.nftables.sets import ALLOWED, EVERY_MAP, SERVICES
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
    TABLE,
    TRANSLATED,
    VRF,
    WATCHED,
    WATCHING,
    WITHIN_6TO4,
    WITHIN_NAT64,
    RuleForm,
)
from banlistd.adapters.netlink.expressions import (
    ACCEPT,
    GOTO,
    JUMP,
    META_IIFKIND,
    META_L4PROTO,
    META_MARK,
    META_NFPROTO,
    META_OIFKIND,
    NETWORK_HEADER,
    REGISTER,
    REGISTER_VERDICT,
    RETURN,
    TRANSPORT_HEADER,
    expression,
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
from banlistd.adapters.netlink.messages import attribute, nested, number_attribute, text_attribute
from banlistd.adapters.netlink.probing import PROBED_COUNTER
from banlistd.core.ruleset.evidence.packets import HIT_GROUP
from banlistd.core.ruleset.kernel_parts import KernelPart
from banlistd.core.ruleset.state import Hook, Kind, MapId, maps_of
from banlistd.model import Family, SourceSlot

NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME = 1, 3
NFTA_RULE_TABLE = 1
NFTA_RULE_CHAIN = 2
NFTA_RULE_EXPRESSIONS = 4


def chain_body(chain: str) -> bytes:
    """The body of a message for all rules of a chain."""
    return text_attribute(NFTA_RULE_TABLE, TABLE) + text_attribute(NFTA_RULE_CHAIN, chain)


def new_chain_body(chain: str) -> bytes:
    """The body of a message for a chain itself, which no hook calls."""
    return text_attribute(NFTA_CHAIN_TABLE, TABLE) + text_attribute(NFTA_CHAIN_NAME, chain)


@dataclass(frozen=True, slots=True)
class Lookups:
    """What packets are looked up in. `names`: of the sets, by their first name, which those have that it lacks.
    `asked`: the first names of the maps, without those that are empty.
    """

    names: Mapping[str, str]
    asked: AbstractSet[str]

    def __getitem__(self, base: str) -> str:
        return self.names.get(base, base)


FIRST_NAMES = Lookups({}, EVERY_MAP)
"""All maps, under their first names."""


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
        _rule(chain, [*_address(banning, family), lookup(sets[base]), verdict(RETURN)]) for family, base in ALLOWED.items()
    ]
    shadow = SHADOW_OF[chain]
    if any(map_id.hook is SHADOWED[shadow] for map_id in chosen):
        rules.append(_rule(chain, [verdict(JUMP, shadow)]))
    for hook, target in ((banning, ""), (watching, WATCHED[watching])):
        apart = MARKED_ANSWERS if hook is Hook.IN else next((name for name, watched in MARKED.items() if watched is hook), "")
        if apart and any(map_id.hook is hook for map_id in chosen):
            rules.append(_rule(chain, [*marked, verdict(JUMP, apart)]))
        guard = [load_meta(META_MARK), matches(bytes(4))] if hook is watching else []
        for family in ALLOWED:
            for kind in Kind:
                map_id = MapId(hook, kind, family)
                if map_id in chosen and map_id.name in sets.asked:
                    found = [lookup(sets[map_id.name], to=REGISTER), store_mark(), verdict(GOTO, target)]
                    asking = [verdict(JUMP, sets[map_id.name])] if hook is banning else [*_address(hook, family), *found]
                    rules.append(_rule(chain, [*guard, *asking]))
        if form.translated and chain == LOOKUP_IN and hook is banning:
            rules.append(_rule(chain, [*_may_embed(), verdict(JUMP, EMBEDDING)]))
    return rules


def set_chain_rule(chain: SetChain) -> bytes:
    """The body of the rule of a chain that looks into one map."""
    found = [store_mark(), verdict(GOTO, BANNED)]
    if chain.place in LOOKUPS:
        address = _address(chain.map.hook, chain.map.family)
        return _rule(chain.name, [*address, lookup(chain.set_name, to=REGISTER), *found])
    return _rule(chain.name, [*_ipv4_within(chain.place), lookup(chain.set_name, key=_WITHIN, to=REGISTER), *found])


def marked_rules(chain: str, sets: Lookups, *, form: RuleForm) -> list[bytes]:
    """The bodies of the rules of a chain of MARKED or SHADOWED: a packet goes to the chain of its source, and comes back.

    In a VRF a packet passes a hook twice: it is not counted at the VRF's own interface.
    """
    hook = {**MARKED, **SHADOWED}[chain]
    maps = [MapId(hook, kind, family) for family in ALLOWED for kind in Kind if MapId(hook, kind, family).name in sets.asked]
    interface = META_IIFKIND if hook in (Hook.WATCH_IN, Hook.SHADOW_IN) else META_OIFKIND
    again = [load_meta(interface), matches(VRF.encode().ljust(_IFNAMSIZ, b"\0")), verdict(RETURN)]
    return [
        *([] if KernelPart.INTERFACE_KIND in form.lacking else [_rule(chain, again)]),
        *(_rule(chain, [*_unseen(map_id, sets), lookup(WATCHING, key=_VALUE, to=REGISTER_VERDICT)]) for map_id in maps),
    ]


def translated_rules(chain: str, sets: Lookups) -> list[bytes]:
    """The bodies of the rules for sources that contain an IPv4 address: it is looked up as if the packet came from it."""
    if chain == EMBEDDING:
        return [_rule(chain, [*_prefix(name), verdict(JUMP, name)]) for name in _EMBEDDED]
    allowed = [*_ipv4_within(chain), lookup(sets[ALLOWED[Family.IPV4]], key=_WITHIN), verdict(RETURN)]
    maps = (MapId(Hook.IN, kind, Family.IPV4) for kind in Kind)
    asking = (SetChain(chain, map_id, sets[map_id.name]) for map_id in maps if map_id.name in sets.asked)
    return [_rule(chain, allowed), *(_rule(chain, [verdict(JUMP, one.name)]) for one in asking)]


def service_rules(chain: str, sets: Lookups, *, form: RuleForm) -> list[bytes]:
    """The bodies of the rules of ANSWERS and MARKED_ANSWERS, for packets that are to be banned, or of ASKED, for what is sent.

    An answer is addressed to this host, and opens no connection: every packet of TCP but the first has ACK or RST (RFC 9293
    3.10.7). It goes on with the mark that it came with: that is 0 in ANSWERS, where it has that of the source of the ban.
    """
    if chain == ASKED:
        return [_rule(chain, [*_service(Hook.OUT, family, sets), verdict(ACCEPT)]) for family in SERVICES]
    opening = [load_meta(META_L4PROTO), matches(bytes((_TCP,))), load_payload(TRANSPORT_HEADER, _TCP_FLAGS, 1)]
    opening += [masked(bytes((_ACK | _RST,))), matches(b"\0"), verdict(RETURN)]
    here = [load_address_type(), matches(struct.pack("=I", _UNICAST), equal=False)]
    passing = [] if KernelPart.ADDRESS_TYPE in form.lacking else here
    passing += [load_value(bytes(4)), store_mark()] if chain == ANSWERS else []
    return [
        _rule(chain, opening),
        *(_rule(chain, [*_service(Hook.IN, family, sets), *passing, verdict(ACCEPT)]) for family in SERVICES),
    ]


def netlink_rules(chain: str, sources: Sequence[SourceSlot], sets: Lookups = FIRST_NAMES, *, form: RuleForm) -> list[bytes]:
    """The bodies of the rules of a chain of NETLINK_CHAINS."""
    if chain in LOOKUPS:
        return lookup_rules(chain, sources, sets, form=form)
    if chain in MARKED or chain in SHADOWED:
        return marked_rules(chain, sets, form=form)
    return translated_rules(chain, sets) if chain in TRANSLATED else service_rules(chain, sets, form=form)


def count_loads(expressions: bytes) -> int:
    """How many fields of a packet a rule reads, given its expressions, or its body."""
    return expressions.count(text_attribute(1, "payload"))


_IFNAMSIZ = 16
_TCP, _TCP_FLAGS, _RST, _ACK = 6, 13, 0x04, 0x10
# What fib says of an address that is neither this host's nor a group's or broadcast's (RTN_UNICAST of <linux/rtnetlink.h>).
_UNICAST = 1
# The registers behind an address: words of 32 bits are numbered from 8, and registers 1 to 4 are four of them each.
_BEHIND: Mapping[Family, tuple[int, int]] = {Family.IPV4: (9, 10), Family.IPV6: (2, 13)}
_NFPROTO: Mapping[Family, int] = {Family.IPV4: 2, Family.IPV6: 10}
# Offsets of source and destination address in the header, and their length, in octets (RFC 791 3.1, RFC 8200 3).
_PLACES: Mapping[Family, tuple[int, int, int]] = {Family.IPV4: (12, 16, 4), Family.IPV6: (8, 24, 16)}

# Networks of IPv6 whose addresses contain one of IPv4, 64:ff9b::/96 and 2002::/16: the octets of the prefix, and the offset in
# the header of the IPv4 address in a source (RFC 6052 2.2, RFC 3056 2).
_EMBEDDED: Mapping[str, tuple[bytes, int]] = {
    WITHIN_NAT64: (bytes.fromhex("0064ff9b 00000000 00000000"), 20),
    WITHIN_6TO4: (bytes.fromhex("2002"), 10),
}
# The last word of register 1 and the two words that end with it, by the numbers of words.
_WITHIN, _BEFORE = 11, 10
# A pair of words behind register 1, and the second word of the pair behind that.
_PAIR, _VALUE = 12, 15
_NO_MARK = struct.pack("=I", 1 << 16)


def _rule(chain: str, expressions: Iterable[bytes]) -> bytes:
    return chain_body(chain) + nested(NFTA_RULE_EXPRESSIONS, *expressions)


def _may_embed() -> Iterator[bytes]:
    """Match packets of IPv6 from 64:ff9b::/96, from 2002::/16, or from little else: every clean packet pays for this.

    The first 16 bits are 0x0064 or 0x2002: both are zero under a mask without the bits of either. Of the networks that IANA has
    allocated no other is. One test costs half as much as two (measured: 50 ns, not 100).
    """
    first = [int.from_bytes(prefix[:2], "big") for prefix, _ in _EMBEDDED.values()]
    mask = 0xFFFF & ~(first[0] | first[1])
    yield load_meta(META_NFPROTO)
    yield matches(bytes((_NFPROTO[Family.IPV6],)))
    yield load_payload(NETWORK_HEADER, _PLACES[Family.IPV6][0], 2)
    yield masked(mask.to_bytes(2, "big"))
    yield matches(bytes(2))


def _prefix(chain: str) -> Iterator[bytes]:
    """Match packets of IPv6 from the network of a chain in `_EMBEDDED`."""
    prefix, _ = _EMBEDDED[chain]
    yield load_meta(META_NFPROTO)
    yield matches(bytes((_NFPROTO[Family.IPV6],)))
    yield load_payload(NETWORK_HEADER, _PLACES[Family.IPV6][0], len(prefix))
    yield matches(prefix)


def _ipv4_within(chain: str) -> Iterator[bytes]:
    """Load the IPv4 address in the source of a packet that `_prefix` matched.

    nft cannot write this. It would list `@nh,160,32`, which has the type integer, and refuse the whole file when the listing is
    loaded again, because the maps have IPv4 addresses for keys. So the rule first reads what nft lists as `ip saddr`, and then
    overwrites that by its last two steps, which load the word before it too: nft does not know that registers overlap. Once nft
    has loaded its own listing, the rule matches nothing, and `faults_of` finds that it loads too few fields.
    """
    _, place = _EMBEDDED[chain]
    source, _, length = _PLACES[Family.IPV4]
    yield load_meta(META_NFPROTO, _WITHIN)
    ipv4 = bytes((_NFPROTO[Family.IPV4],))
    yield load_value(bytes(4) + ipv4.ljust(4, b"\0"), _BEFORE)
    yield matches(ipv4, register=_WITHIN)
    yield load_payload(NETWORK_HEADER, source, length, _WITHIN)
    yield load_payload(NETWORK_HEADER, place - length, 2 * length, _BEFORE)


def _address(hook: Hook, family: Family) -> Iterator[bytes]:
    """Match packets of the family; load the address that the hook looks up."""
    source, destination, length = _PLACES[family]
    yield load_meta(META_NFPROTO)
    yield matches(bytes((_NFPROTO[family],)))
    place = destination if hook in (Hook.OUT, Hook.WATCH_OUT, Hook.SHADOW_OUT) else source
    yield load_payload(NETWORK_HEADER, place, length)


def _unseen(map_id: MapId, sets: Lookups) -> Iterator[bytes]:
    """Load what the map says of a packet's address into a register that nft believes to be something else.

    nft 1.0.6 lists a comparison with the value of a map in a form that it cannot load again, and would refuse the whole file.
    So the value reaches its register as the second of two words, of which nft sees the first. What nft lists, the bit of a mark
    that no source's mark has, matches nothing once it has loaded its own listing, and `faults_of` finds too few loaded fields.
    """
    yield load_meta(META_MARK, _VALUE)
    yield masked(_NO_MARK, _VALUE)
    yield from _address(map_id.hook, map_id.family)
    yield load_meta(META_MARK, _PAIR)
    yield lookup(sets[map_id.name], to=_PAIR + 1)
    yield masked(b"\xff" * 8, _PAIR, _VALUE - 1)


def _service(hook: Hook, family: Family, sets: Lookups) -> Iterator[bytes]:
    """Match packets of the family that come from a service, or go to it. The ports are the first words of TCP and UDP."""
    protocol, port = _BEHIND[family]
    yield from _address(hook, family)
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
"""A rule that needs the part, for each. The numbers are those of nft: icmpx admin-prohibited, packets a second, a counter."""
