"""Sets and maps as netlink bodies: they change together with elements, in one batch. Every number is what nft itself sends."""

import struct
from collections.abc import Container, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.adapters.firewalls.nftables.structure import TABLE, WATCHING
from banlistd.adapters.netlink.messages import (
    attribute,
    attributes,
    decode_number,
    decode_text,
    nested,
    number_attribute,
    text_attribute,
)
from banlistd.core.addresses.sets import FAMILIES
from banlistd.core.ruleset.state import Hook, Kind, MapId, maps_of
from banlistd.model import Family, ServiceEndpoint, SourceSlot

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

APPLIED = "applied"
ALLOWED: Mapping[Family, str] = {Family.IPV4: "allowed4", Family.IPV6: "allowed6"}
SERVICES: Mapping[Family, str] = {Family.IPV4: "answers4", Family.IPV6: "answers6"}
"""The services whose answers pass: elements of address, protocol and port."""
EVERY_MAP = frozenset(MapId(hook, kind, family).name for hook in Hook for kind in Kind for family in FAMILIES)
_LOOKED_UP = EVERY_MAP | {*ALLOWED.values(), *SERVICES.values()}
BASES: Mapping[str, str] = {name: base for base in sorted(_LOOKED_UP) for name in (base, f"{base}-b", f"{base}-c")}
"""The first name of a set that rules look into, by each of its names: a large change fills a set that no rule uses. Two names
alternate; the third one is for when the one that would be next is there: a kill has left it, or a rule of another program, in a
chain of its own, looks into it.
"""

EVERY_SET = frozenset({*BASES, APPLIED, WATCHING})
"""All names that we use; another process made the sets of other names in our table."""


def bases_of(sources: Iterable[SourceSlot]) -> AbstractSet[str]:
    """The first names of the sets that the rules for these sources look into."""
    return {*(map_id.name for map_id in maps_of(sources)), *ALLOWED.values(), *SERVICES.values()}


def other_name(base: str, name: str | None, present: Container[str]) -> str:
    """A name that is free, where `name` is in use; None: none is. `present`: the sets that exist, which are the last choice."""
    free = [other for other, first in BASES.items() if first == base and other != name]
    return next((other for other in free if other not in present), free[0])


FEWEST_BUCKETS = 1 << 16
"""A map with a declared size has a fixed number of buckets and is not rehashed while it fills; 8 octets a bucket."""

_HEADROOM = 1.25

# nft's own numbers of data types, and of byte orders in user data (host 1, network 2, 0 for a key of several parts).
_TYPES: Mapping[Family, tuple[int, int]] = {Family.IPV4: (7, 4), Family.IPV6: (8, 16)}
_TYPE_MARK, _LENGTH_MARK = 19, 4
_TYPE_PROTOCOL, _TYPE_PORT, _TYPE_BITS = 12, 13, 6
_PROTOCOLS: Mapping[str, int] = {"tcp": 6, "udp": 17, "icmpv6": 58}
_UDATA_KEY_BYTEORDER, _UDATA_MERGE_ELEMENTS, _UDATA_DATA_BYTEORDER = 0, 6, 1
_NO_ORDER, _HOST_ORDER, _NETWORK_ORDER = 0, 1, 2


WATCHING_FORM = (NFT_SET_MAP, _TYPE_MARK, 0xFFFFFF00)
"""Flags, type of keys, and that of verdicts: what nft makes of `type mark : verdict`."""


@dataclass(frozen=True, slots=True)
class SetShape:
    """The properties of a set or map. `family` None: its keys are marks. `size`: elements, 0 for no limit.

    `services`: its keys are an address, a protocol and a port.
    """

    name: str
    family: Family | None
    mapped: bool
    interval: bool
    size: int = 0
    services: bool = False

    @property
    def key(self) -> tuple[int, int]:
        """The number of the type in nft, and the length in octets; each part of a key fills whole words of 32 bits."""
        if self.family is None:
            return _TYPE_MARK, _LENGTH_MARK
        kind, length = _TYPES[self.family]
        return (
            ((kind << _TYPE_BITS | _TYPE_PROTOCOL) << _TYPE_BITS | _TYPE_PORT, length + 8) if self.services else (kind, length)
        )

    @property
    def form(self) -> tuple[int, int, int]:
        """Flags, type of keys, type of data."""
        flags = NFT_SET_INTERVAL * self.interval | NFT_SET_MAP * self.mapped
        return flags, self.key[0], _TYPE_MARK if self.mapped else 0


@dataclass(frozen=True, slots=True)
class SetState:
    """A set as the kernel reports it. `size` and `count` in elements; `count` None: the kernel does not report it.

    `empty`: it has no elements, as far as is known. Of one range without an end the kernel reports 0.
    """

    name: str
    size: int
    count: int | None
    form: tuple[int, int, int]
    empty: bool

    def fits(self, shape: SetShape, count: int) -> bool:
        """Whether it can contain `count` elements as it is."""
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
    parts = [
        set_name(shape.name),
        number_attribute(NFTA_SET_FLAGS, flags),
        number_attribute(NFTA_SET_KEY_TYPE, key_type),
        number_attribute(NFTA_SET_KEY_LEN, shape.key[1]),
    ]
    if shape.mapped:
        parts += [number_attribute(NFTA_SET_DATA_TYPE, data_type), number_attribute(NFTA_SET_DATA_LEN, _LENGTH_MARK)]
    parts.append(number_attribute(NFTA_SET_ID, set_id))
    if shape.size:
        parts.append(nested(NFTA_SET_DESC, number_attribute(NFTA_SET_DESC_SIZE, shape.size)))
    order = _NO_ORDER if shape.services else _NETWORK_ORDER if shape.family else _HOST_ORDER
    userdata = _udata(_UDATA_KEY_BYTEORDER, order)
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
        empty=count is not None and decode_number(count) == 0,
    )


def service_key(answer: ServiceEndpoint) -> bytes:
    """The key of a service in its set."""
    address = answer.address.to_bytes(_TYPES[answer.family][1], "big")
    return address + struct.pack("!B3xH2x", _PROTOCOLS[answer.service.protocol], answer.service.port)


def table_body(flags: int | None, name: str = TABLE) -> bytes:
    """`flags` 0: activate the table, in case another process made it dormant; None: leave the flags as they are."""
    return text_attribute(NFTA_TABLE_NAME, name) + (b"" if flags is None else number_attribute(NFTA_TABLE_FLAGS, flags))
