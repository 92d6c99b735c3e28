"""Rules that look into sets, as netlink bodies: they change together with sets and elements, in one batch.

Every number and the order of expressions is what nft itself sends for the same rule, so that nft lists them as its own.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping

from banlistd.adapters.firewalls.nftables.sets import ALLOWED, SERVICES
from banlistd.adapters.firewalls.nftables.structure import (
    ASKED,
    BANNED,
    EMBEDDING,
    LOOKUP_IN,
    LOOKUPS,
    TABLE,
    TRANSLATED,
    WATCHED,
    WITHIN_6TO4,
    WITHIN_NAT64,
)
from banlistd.adapters.netlink.messages import NFTA_LIST_ELEM, attribute, nested, number_attribute, text_attribute
from banlistd.core.ruleset.state import Hook, Kind, MapId
from banlistd.model import Family

NFTA_RULE_TABLE = 1
NFTA_RULE_CHAIN = 2
NFTA_RULE_EXPRESSIONS = 4


def chain_body(chain: str) -> bytes:
    """The body of a message for all rules of a chain."""
    return text_attribute(NFTA_RULE_TABLE, TABLE) + text_attribute(NFTA_RULE_CHAIN, chain)


def lookup_rules(chain: str, maps: Iterable[MapId], *, translated: bool) -> list[bytes]:
    """The bodies of the rules of a lookup chain, for those of the maps that are its own.

    First the allowed networks; then single addresses before networks; then, where `translated`, what comes from an IPv6 address
    that contains one of IPv4; then, for packets without a mark, the watched maps.
    An empty interval set costs a packet next to nothing, so these rules are always present.
    """
    banning, watching = LOOKUPS[chain]
    chosen = set(maps)
    rules = [_rule(chain, [*_address(banning, family), _lookup(name), _verdict(_RETURN)]) for family, name in ALLOWED.items()]
    for hook, target in ((banning, BANNED), (watching, WATCHED)):
        guard = [_load_meta(_META_MARK), _compare(struct.pack("=I", 0))] if hook is watching else []
        for family in ALLOWED:
            for kind in Kind:
                map_id = MapId(hook, kind, family)
                if map_id in chosen:
                    found = [_lookup(map_id.name, to=_REGISTER), _store_mark(), _verdict(_GOTO, target)]
                    rules.append(_rule(chain, [*guard, *_address(hook, family), *found]))
        if translated and chain == LOOKUP_IN and hook is banning:
            rules.append(_rule(chain, [*_may_embed(), _verdict(_JUMP, EMBEDDING)]))
    return rules


def translated_rules(chain: str) -> list[bytes]:
    """The bodies of the rules for sources that contain an IPv4 address: it is looked up as if the packet came from it."""
    if chain == EMBEDDING:
        return [_rule(chain, [*_prefix(name), _verdict(_JUMP, name)]) for name in _EMBEDDED]
    within = [*_ipv4_within(chain)]
    rules = [_rule(chain, [*within, _lookup(ALLOWED[Family.IPV4], key=_WITHIN), _verdict(_RETURN)])]
    for kind in Kind:
        found = _lookup(MapId(Hook.IN, kind, Family.IPV4).name, key=_WITHIN, to=_REGISTER)
        rules.append(_rule(chain, [*within, found, _store_mark(), _verdict(_GOTO, BANNED)]))
    return rules


def service_rules(chain: str) -> list[bytes]:
    """The bodies of the rules of `answers`, for packets that are to be banned, or of `asked`, for what this host sends.

    An answer is addressed to this host, and opens no connection: every packet of TCP but the first has ACK or RST (RFC 9293
    3.10.7). It goes on with mark 0, because to find the source of the ban took its mark; what the host sends keeps its mark.
    """
    if chain == ASKED:
        return [_rule(chain, [*_service(Hook.OUT, family), _verdict(_ACCEPT)]) for family in SERVICES]
    opening = [_load_meta(_META_L4PROTO), _compare(bytes((_TCP,))), _load(_TRANSPORT_HEADER, _TCP_FLAGS, 1)]
    opening += [_mask(bytes((_ACK | _RST,))), _compare(b"\0"), _verdict(_RETURN)]
    passing = [_load_address_type(), _compare(struct.pack("=I", _UNICAST), equal=False), _load_value(bytes(4)), _store_mark()]
    return [
        _rule(chain, opening),
        *(_rule(chain, [*_service(Hook.IN, family), *passing, _verdict(_ACCEPT)]) for family in SERVICES),
    ]


def netlink_rules(chain: str, maps: Iterable[MapId], *, translated: bool) -> list[bytes]:
    """The bodies of the rules of a chain that netlink writes."""
    if chain in LOOKUPS:
        return lookup_rules(chain, maps, translated=translated)
    return translated_rules(chain) if chain in TRANSLATED else service_rules(chain)


def count_loads(expressions: bytes) -> int:
    """How many fields of a packet a rule reads, given its expressions, or its body."""
    return expressions.count(text_attribute(1, "payload"))


# Expressions. Register 1 is wide enough for an IPv6 address.
_REGISTER = 1
_REGISTER_VERDICT = 0
_META_MARK = 3
_META_NFPROTO = 15
_META_L4PROTO = 16
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_ACCEPT, _JUMP, _GOTO, _RETURN = 1, -3, -4, -5
_TCP, _TCP_FLAGS, _RST, _ACK = 6, 13, 0x04, 0x10
# What fib says of an address that is neither this host's nor a group's or broadcast's (RTN_UNICAST of <linux/rtnetlink.h>).
_UNICAST = 1
_FIB_ADDRESS_TYPE, _FIB_DESTINATION = 3, 2
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


def _rule(chain: str, expressions: Iterable[bytes]) -> bytes:
    return chain_body(chain) + nested(NFTA_RULE_EXPRESSIONS, *expressions)


def _may_embed() -> Iterator[bytes]:
    """Match packets of IPv6 from 64:ff9b::/96, from 2002::/16, or from little else: every clean packet pays for this.

    The first 16 bits are 0x0064 or 0x2002: both are zero under a mask without the bits of either. Of the networks that IANA has
    allocated no other is. One test costs half as much as two (measured: 50 ns, not 100).
    """
    first = [int.from_bytes(prefix[:2], "big") for prefix, _ in _EMBEDDED.values()]
    mask = 0xFFFF & ~(first[0] | first[1])
    yield _load_meta(_META_NFPROTO)
    yield _compare(bytes((_NFPROTO[Family.IPV6],)))
    yield _load(_NETWORK_HEADER, _PLACES[Family.IPV6][0], 2)
    yield _mask(mask.to_bytes(2, "big"))
    yield _compare(bytes(2))


def _prefix(chain: str) -> Iterator[bytes]:
    """Match packets of IPv6 from the network of a chain in `_EMBEDDED`."""
    prefix, _ = _EMBEDDED[chain]
    yield _load_meta(_META_NFPROTO)
    yield _compare(bytes((_NFPROTO[Family.IPV6],)))
    yield _load(_NETWORK_HEADER, _PLACES[Family.IPV6][0], len(prefix))
    yield _compare(prefix)


def _ipv4_within(chain: str) -> Iterator[bytes]:
    """Load the IPv4 address in the source of a packet that `_prefix` matched.

    nft cannot write this. It would list `@nh,160,32`, which has the type integer, and refuse the whole file when the listing is
    loaded again, because the maps have IPv4 addresses for keys. So the rule first reads what nft lists as `ip saddr`, and then
    overwrites that by its last two steps, which load the word before it too: nft does not know that registers overlap. Once nft
    has loaded its own listing, the rule matches nothing, and `faults_of` finds that it loads too few fields.
    """
    _, place = _EMBEDDED[chain]
    source, _, length = _PLACES[Family.IPV4]
    yield _load_meta(_META_NFPROTO, _WITHIN)
    ipv4 = bytes((_NFPROTO[Family.IPV4],))
    yield _load_value(bytes(4) + ipv4.ljust(4, b"\0"), _BEFORE)
    yield _compare(ipv4, register=_WITHIN)
    yield _load(_NETWORK_HEADER, source, length, _WITHIN)
    yield _load(_NETWORK_HEADER, place - length, 2 * length, _BEFORE)


def _expression(name: str, *fields: bytes) -> bytes:
    return nested(NFTA_LIST_ELEM, text_attribute(1, name), nested(2, *fields))


def _address(hook: Hook, family: Family) -> Iterator[bytes]:
    """Match packets of the family; load the address that the hook looks up."""
    source, destination, length = _PLACES[family]
    yield _load_meta(_META_NFPROTO)
    yield _compare(bytes((_NFPROTO[family],)))
    place = destination if hook in (Hook.OUT, Hook.WATCH_OUT) else source
    yield _load(_NETWORK_HEADER, place, length)


def _service(hook: Hook, family: Family) -> Iterator[bytes]:
    """Match packets of the family that come from a service, or go to it. The ports are the first words of TCP and UDP."""
    protocol, port = _BEHIND[family]
    yield from _address(hook, family)
    yield _load_meta(_META_L4PROTO, protocol)
    yield _load(_TRANSPORT_HEADER, 2 if hook is Hook.OUT else 0, 2, port)
    yield _lookup(SERVICES[family])


def _load(header: int, offset: int, length: int, to: int = _REGISTER) -> bytes:
    place = (number_attribute(2, header), number_attribute(3, offset), number_attribute(4, length))
    return _expression("payload", number_attribute(1, to), *place)


def _load_meta(key: int, to: int = _REGISTER) -> bytes:
    return _expression("meta", number_attribute(2, key), number_attribute(1, to))


def _load_address_type() -> bytes:
    """What the destination is to this host."""
    fields = (number_attribute(2, _FIB_ADDRESS_TYPE), number_attribute(3, _FIB_DESTINATION))
    return _expression("fib", number_attribute(1, _REGISTER), *fields)


def _load_value(value: bytes, to: int = _REGISTER) -> bytes:
    return _expression("immediate", number_attribute(1, to), nested(2, attribute(1, value)))


def _mask(value: bytes) -> bytes:
    ends = (number_attribute(1, _REGISTER), number_attribute(2, _REGISTER), number_attribute(3, len(value)))
    return _expression("bitwise", *ends, nested(4, attribute(1, value)), nested(5, attribute(1, bytes(len(value)))))


def _store_mark() -> bytes:
    return _expression("meta", number_attribute(2, _META_MARK), number_attribute(3, _REGISTER))


def _compare(value: bytes, *, equal: bool = True, register: int = _REGISTER) -> bytes:
    """Continue only if the register has this value, or another one."""
    return _expression(
        "cmp", number_attribute(1, register), number_attribute(2, int(not equal)), nested(3, attribute(1, value))
    )


def _lookup(name: str, *, key: int = _REGISTER, to: int | None = None) -> bytes:
    """Continue only if the set contains the key in a register. `to`: the register that gets the value of a map."""
    result = number_attribute(3, to) if to is not None else b""
    return _expression("lookup", number_attribute(2, key), result, text_attribute(1, name))


def _verdict(code: int, chain: str = "") -> bytes:
    verdict = nested(2, number_attribute(1, code), text_attribute(2, chain) if chain else b"")
    return _expression("immediate", number_attribute(1, _REGISTER_VERDICT), nested(2, verdict))
