"""What rules of netlink are made of: how a packet's addresses are read, and where they are looked up. Pure.

Every number and the order of expressions is what nft itself sends for the same rule, so that nft lists them as its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.adapters.firewalls.nftables.lookups.scopes import WITHIN, WITHIN_6TO4, WITHIN_NAT64
from banlistd.adapters.firewalls.nftables.sets import EVERY_MAP
from banlistd.adapters.firewalls.nftables.structure import TABLE
from banlistd.adapters.netlink.expressions import (
    META_NFPROTO,
    NETWORK_HEADER,
    load_meta,
    load_payload,
    load_value,
    masked,
    matches,
)
from banlistd.adapters.netlink.messages import attributes, nested, text_attribute
from banlistd.core.ruleset.state import Hook
from banlistd.model import Family

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


def expressions_in(body: bytes) -> bytes:
    """Of the body of a message for a rule."""
    return attributes(body)[NFTA_RULE_EXPRESSIONS]


def count_loads(expressions: bytes) -> int:
    """How many fields of a packet a rule reads, given its expressions, or its body."""
    return expressions.count(text_attribute(1, "payload"))


_NFPROTO: Mapping[Family, int] = {Family.IPV4: 2, Family.IPV6: 10}
# Offsets of source and destination address in the header, and their length, in octets (RFC 791 3.1, RFC 8200 3).
_PLACES: Mapping[Family, tuple[int, int, int]] = {Family.IPV4: (12, 16, 4), Family.IPV6: (8, 24, 16)}

# Networks of IPv6 whose addresses contain one of IPv4, 64:ff9b::/96 and 2002::/16: the octets of the prefix, and the offset in
# the header of the IPv4 address in a source (RFC 6052 2.2, RFC 3056 2).
EMBEDDED: Mapping[str, tuple[bytes, int]] = {
    WITHIN_NAT64: (bytes.fromhex("0064ff9b 00000000 00000000"), 20),
    WITHIN_6TO4: (bytes.fromhex("2002"), 10),
}
# The last word of register 1 and the two words that end with it, by the numbers of words.
WITHIN_REGISTER, _BEFORE = 11, 10


def rule_body(chain: str, expressions: Iterable[bytes]) -> bytes:
    """The body of a message for a new rule."""
    return chain_body(chain) + nested(NFTA_RULE_EXPRESSIONS, *expressions)


def may_embed() -> Iterator[bytes]:
    """Match packets of IPv6 from 64:ff9b::/96, from 2002::/16, or from little else: every clean packet pays for this.

    The first 16 bits are 0x0064 or 0x2002: both are zero under a mask without the bits of either. Of the networks that IANA has
    allocated no other is. One test costs half as much as two (measured: 50 ns, not 100).
    """
    first = [int.from_bytes(prefix[:2], "big") for prefix, _ in EMBEDDED.values()]
    mask = 0xFFFF & ~(first[0] | first[1])
    yield load_meta(META_NFPROTO)
    yield matches(bytes((_NFPROTO[Family.IPV6],)))
    yield load_payload(NETWORK_HEADER, _PLACES[Family.IPV6][0], 2)
    yield masked(mask.to_bytes(2, "big"))
    yield matches(bytes(2))


def within_network(chain: str) -> Iterator[bytes]:
    """Match packets of IPv6 from the network of a chain in WITHIN."""
    prefix, _ = EMBEDDED[WITHIN[chain].network]
    yield load_meta(META_NFPROTO)
    yield matches(bytes((_NFPROTO[Family.IPV6],)))
    yield load_payload(NETWORK_HEADER, _PLACES[Family.IPV6][0], len(prefix))
    yield matches(prefix)


def ipv4_within(chain: str) -> Iterator[bytes]:
    """Load the IPv4 address in the source of a packet that `within_network` matched.

    nft cannot write this. It would list `@nh,160,32`, which has the type integer, and refuse the whole file when the listing is
    loaded again, because the maps have IPv4 addresses for keys. So the rule first reads what nft lists as `ip saddr`, and then
    overwrites that by its last two steps, which load the word before it too: nft does not know that registers overlap. Once nft
    has loaded its own listing, the rule matches nothing, and `faults_of` finds that it loads too few fields.
    """
    _, place = EMBEDDED[WITHIN[chain].network]
    source, _, length = _PLACES[Family.IPV4]
    yield load_meta(META_NFPROTO, WITHIN_REGISTER)
    ipv4 = bytes((_NFPROTO[Family.IPV4],))
    yield load_value(bytes(4) + ipv4.ljust(4, b"\0"), _BEFORE)
    yield matches(ipv4, register=WITHIN_REGISTER)
    yield load_payload(NETWORK_HEADER, source, length, WITHIN_REGISTER)
    yield load_payload(NETWORK_HEADER, place - length, 2 * length, _BEFORE)


def load_address(hook: Hook, family: Family) -> Iterator[bytes]:
    """Match packets of the family; load the address that the hook looks up."""
    source, destination, length = _PLACES[family]
    yield load_meta(META_NFPROTO)
    yield matches(bytes((_NFPROTO[family],)))
    place = destination if hook.outward else source
    yield load_payload(NETWORK_HEADER, place, length)
