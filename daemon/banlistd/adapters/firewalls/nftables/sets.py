"""Sets, maps and the rules that look into them, as netlink bodies: they change together with elements, in one batch.

Every number and the order of expressions is what nft itself sends for the same rule, so that nft lists them as its own.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from banlistd.adapters.firewalls.nftables.structure import BANNED, LOOKUPS, TABLE, WATCHED
from banlistd.adapters.netlink.messages import (
    NFTA_LIST_ELEM,
    attribute,
    attributes,
    decode_number,
    decode_text,
    nested,
    number_attribute,
    text_attribute,
)
from banlistd.core.addresses.sets import FAMILIES
from banlistd.core.ruleset.state import Hook, Kind, MapId
from banlistd.model import Family

NFTA_TABLE_NAME = 1
NFTA_TABLE_FLAGS = 2
NFTA_TABLE_OWNER = 7
NFT_TABLE_F_DORMANT = 0x1
NFT_TABLE_F_OWNER = 0x2
NFT_TABLE_F_PERSIST = 0x4
NFTA_SET_TABLE = 1
NFTA_SET_NAME = 2
NFTA_SET_FLAGS = 3
NFTA_SET_KEY_TYPE = 4
NFTA_SET_KEY_LEN = 5
NFTA_SET_DATA_TYPE = 6
NFTA_SET_DATA_LEN = 7
NFTA_SET_DESC = 9
NFTA_SET_ID = 10
NFTA_SET_USERDATA = 13
NFTA_SET_COUNT = 20  # since Linux 6.16; absent before
NFTA_SET_DESC_SIZE = 1
NFT_SET_INTERVAL = 0x4
NFT_SET_MAP = 0x8
NFTA_RULE_TABLE = 1
NFTA_RULE_CHAIN = 2
NFTA_RULE_EXPRESSIONS = 4

APPLIED = "applied"
ALLOWED: Mapping[Family, str] = {Family.IPV4: "allowed4", Family.IPV6: "allowed6"}
EVERY_MAP = frozenset(MapId(hook, kind, family).name for hook in Hook for kind in Kind for family in FAMILIES)
EVERY_SET = EVERY_MAP | {*ALLOWED.values(), APPLIED}
"""All names that we use; another process made the sets of other names in our table."""

FEWEST_BUCKETS = 1 << 16
"""A map with a declared size has a fixed number of buckets and is not rehashed while it fills; 8 octets a bucket."""

_HEADROOM = 1.25

# nft's own numbers of data types, and of byte orders in user data (host 1, network 2).
_TYPES: Mapping[Family, tuple[int, int]] = {Family.IPV4: (7, 4), Family.IPV6: (8, 16)}
_TYPE_MARK, _LENGTH_MARK = 19, 4
_UDATA_KEY_BYTEORDER, _UDATA_MERGE_ELEMENTS, _UDATA_DATA_BYTEORDER = 0, 6, 1
_HOST_ORDER, _NETWORK_ORDER = 1, 2


@dataclass(frozen=True, slots=True)
class SetShape:
    """The properties of a set or map. `family` None: its keys are marks. `size`: elements, 0 for no limit."""

    name: str
    family: Family | None
    mapped: bool
    interval: bool
    size: int = 0

    @property
    def form(self) -> tuple[int, int, int]:
        """Flags, type of keys, type of data."""
        flags = NFT_SET_INTERVAL * self.interval | NFT_SET_MAP * self.mapped
        key_type = _TYPES[self.family][0] if self.family else _TYPE_MARK
        return flags, key_type, _TYPE_MARK if self.mapped else 0


@dataclass(frozen=True, slots=True)
class SetState:
    """A set as the kernel reports it. `size` and `count` in elements; `count` None: the kernel does not report it."""

    name: str
    size: int
    count: int | None
    form: tuple[int, int, int]

    def fits(self, shape: SetShape, count: int) -> bool:
        """Whether `count` elements can be written into it as it is."""
        return self.form == shape.form and (count <= self.size if shape.size else not self.size)


def shape_of(map_id: MapId, count: int) -> SetShape:
    """A map for `count` elements, which may grow to 1.25 to 2.5 times as many before it must be rebuilt.

    The kernel makes as many buckets as the next power of two above four thirds of the size (`nft_hash_buckets`): the size is
    the largest that asks for no more. For 1,000,000 that is half of what twice as many would ask for, 16 MB instead of 32, and
    the commit is 5 % quicker (measured).
    """
    if map_id.kind is Kind.NETS:
        return SetShape(map_id.name, map_id.family, mapped=True, interval=True)
    return SetShape(map_id.name, map_id.family, mapped=True, interval=False, size=_size_for(count))


def _size_for(count: int) -> int:
    wanted = int(count * _HEADROOM) * 4 // 3
    return max(FEWEST_BUCKETS, 1 << wanted.bit_length()) * 3 // 4


def set_body(shape: SetShape, set_id: int) -> bytes:
    """`set_id`: any number that no other new set of the batch has."""
    flags, key_type, data_type = shape.form
    key_length = _TYPES[shape.family][1] if shape.family else _LENGTH_MARK
    parts = [
        set_name(shape.name),
        number_attribute(NFTA_SET_FLAGS, flags),
        number_attribute(NFTA_SET_KEY_TYPE, key_type),
        number_attribute(NFTA_SET_KEY_LEN, key_length),
    ]
    if shape.mapped:
        parts += [number_attribute(NFTA_SET_DATA_TYPE, data_type), number_attribute(NFTA_SET_DATA_LEN, _LENGTH_MARK)]
    parts.append(number_attribute(NFTA_SET_ID, set_id))
    if shape.size:
        parts.append(nested(NFTA_SET_DESC, number_attribute(NFTA_SET_DESC_SIZE, shape.size)))
    userdata = _udata(_UDATA_KEY_BYTEORDER, _NETWORK_ORDER if shape.family else _HOST_ORDER)
    if shape.mapped:
        userdata += _udata(_UDATA_DATA_BYTEORDER, _HOST_ORDER) + _udata(_UDATA_MERGE_ELEMENTS, 0)
    return b"".join([*parts, attribute(NFTA_SET_USERDATA, userdata)])


def _udata(kind: int, value: int) -> bytes:
    return struct.pack("=BBI", kind, 4, value)


def set_name(name: str) -> bytes:
    return text_attribute(NFTA_SET_TABLE, TABLE) + text_attribute(NFTA_SET_NAME, name)


def set_state(reply: Mapping[int, bytes]) -> SetState:
    size = attributes(reply.get(NFTA_SET_DESC, b"")).get(NFTA_SET_DESC_SIZE, b"")
    count = reply.get(NFTA_SET_COUNT)
    flags, key_type, data_type = (
        decode_number(reply.get(kind, b"")) for kind in (NFTA_SET_FLAGS, NFTA_SET_KEY_TYPE, NFTA_SET_DATA_TYPE)
    )
    return SetState(
        name=decode_text(reply.get(NFTA_SET_NAME, b"")),
        size=decode_number(size),
        count=None if count is None else decode_number(count),
        form=(flags, key_type, data_type),
    )


def chain_body(chain: str) -> bytes:
    """The body of a message for all rules of a chain."""
    return text_attribute(NFTA_RULE_TABLE, TABLE) + text_attribute(NFTA_RULE_CHAIN, chain)


def lookup_rules(chain: str, maps: Iterable[MapId]) -> list[bytes]:
    """The bodies of the rules of a lookup chain, for those of the maps that are its own.

    First the allowed networks; then single addresses before networks; then, for packets without a mark, the watched maps.
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
    return rules


# Expressions. Register 1 is wide enough for an IPv6 address.
_REGISTER = 1
_REGISTER_VERDICT = 0
_META_MARK = 3
_META_NFPROTO = 15
_NETWORK_HEADER = 1
_GOTO, _RETURN = -4, -5
_NFPROTO: Mapping[Family, int] = {Family.IPV4: 2, Family.IPV6: 10}
# Offsets of source and destination address in the header, and their length, in octets (RFC 791 3.1, RFC 8200 3).
_PLACES: Mapping[Family, tuple[int, int, int]] = {Family.IPV4: (12, 16, 4), Family.IPV6: (8, 24, 16)}


def _rule(chain: str, expressions: Iterable[bytes]) -> bytes:
    return chain_body(chain) + nested(NFTA_RULE_EXPRESSIONS, *expressions)


def _expression(name: str, *fields: bytes) -> bytes:
    return nested(NFTA_LIST_ELEM, text_attribute(1, name), nested(2, *fields))


def _address(hook: Hook, family: Family) -> Iterator[bytes]:
    """Match packets of the family; load the address that the hook looks up."""
    source, destination, length = _PLACES[family]
    yield _load_meta(_META_NFPROTO)
    yield _compare(bytes((_NFPROTO[family],)))
    place = destination if hook in (Hook.OUT, Hook.WATCH_OUT) else source
    yield _expression(
        "payload",
        number_attribute(1, _REGISTER),
        number_attribute(2, _NETWORK_HEADER),
        number_attribute(3, place),
        number_attribute(4, length),
    )


def _load_meta(key: int) -> bytes:
    return _expression("meta", number_attribute(2, key), number_attribute(1, _REGISTER))


def _store_mark() -> bytes:
    return _expression("meta", number_attribute(2, _META_MARK), number_attribute(3, _REGISTER))


def _compare(value: bytes) -> bytes:
    """Continue only if the register has this value."""
    equal = 0
    return _expression("cmp", number_attribute(1, _REGISTER), number_attribute(2, equal), nested(3, attribute(1, value)))


def _lookup(name: str, to: int | None = None) -> bytes:
    """Continue only if the set contains the register's key. `to`: the register that gets the value of a map."""
    result = number_attribute(3, to) if to is not None else b""
    return _expression("lookup", number_attribute(2, _REGISTER), result, text_attribute(1, name))


def _verdict(code: int, chain: str = "") -> bytes:
    verdict = nested(2, number_attribute(1, code), text_attribute(2, chain) if chain else b"")
    return _expression("immediate", number_attribute(1, _REGISTER_VERDICT), nested(2, verdict))


def table_body(flags: int | None, name: str = TABLE) -> bytes:
    """`flags` 0: activate the table, in case another process made it dormant; None: leave the flags as they are."""
    return text_attribute(NFTA_TABLE_NAME, name) + (b"" if flags is None else number_attribute(NFTA_TABLE_FLAGS, flags))
