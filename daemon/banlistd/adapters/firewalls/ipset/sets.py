"""The sets: their names, their properties, their sizes."""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from banlistd.adapters.firewalls.ipset.wire import (
    IPSET_ATTR_CADT_FLAGS,
    IPSET_ATTR_DATA,
    IPSET_ATTR_FAMILY,
    IPSET_ATTR_HASHSIZE,
    IPSET_ATTR_MAXELEM,
    IPSET_ATTR_REVISION,
    IPSET_ATTR_TYPENAME,
    Header,
    net_order_number,
    setname,
)
from banlistd.adapters.netlink.messages import attribute, nested, text_attribute
from banlistd.core.addresses.sets import FAMILIES
from banlistd.core.ruleset.state import Hook, Kind, MapId, maps_of
from banlistd.model import Family, SourceSlot

PREFIX = "banlistd-"
_FRESH = f"{PREFIX}new-"
APPLIED = f"{PREFIX}applied"
ALLOWED: Mapping[Family, str] = {Family.IPV4: f"{PREFIX}allowed4", Family.IPV6: f"{PREFIX}allowed6"}
SERVICES: Mapping[Family, str] = {Family.IPV4: f"{PREFIX}answers4", Family.IPV6: f"{PREFIX}answers6"}
"""The services whose answers pass."""
EVERY_MAP = tuple(MapId(hook, kind, family) for hook in Hook if not hook.scope_number for kind in Kind for family in FAMILIES)

SMALLEST_SIZE = 65_536

IPSET_FLAG_WITH_COUNTERS = 1 << 3
IPSET_FLAG_WITH_COMMENT = 1 << 4
_FAMILIES: Mapping[Family, int] = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}
# Types with the oldest revisions that have comments (Linux 3.14): not every kernel knows newer ones, and we need none.
_TYPES: Mapping[Kind, tuple[str, int]] = {Kind.HOSTS: ("hash:ip", 2), Kind.NETS: ("hash:net", 4)}
_SERVICE_TYPE = ("hash:ip,port", 3)
_SMALLEST_HASH = 1024
# Buckets grow up to 12 elements, and the kernel rehashes a table whose buckets overflow to twice the size. With two elements
# in each bucket at first, that does not happen before the set has twice as many elements (measured).
_IN_A_BUCKET = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """The properties of a set. `type_name`, `revision`: the kernel's. `size`: the largest number of elements. `hash_size`: the
    first number of buckets.
    """

    type_name: str
    revision: int
    family: Family
    flags: int
    size: int
    hash_size: int

    @property
    def form(self) -> tuple[str, int, int]:
        return self.type_name, _FAMILIES[self.family], self.flags


def set_of(map_id: MapId) -> str:
    return f"{PREFIX}{map_id.name}"


def fresh(name: str) -> str:
    """The name of the set that is filled with the next content. ipset allows 31 characters."""
    return f"{_FRESH}{name.removeprefix(PREFIX)}"


def is_fresh(name: str) -> bool:
    return name.startswith(_FRESH)


def is_ours(name: str) -> bool:
    return name.startswith(PREFIX)


def wanted_sets(sources: Iterable[SourceSlot]) -> frozenset[str]:
    return frozenset({*map(set_of, maps_of(sources)), *ALLOWED.values(), *SERVICES.values(), APPLIED})


def shape_of(name: str, count: int) -> Shape:
    """A set for `count` elements, and as many again before it must be rebuilt."""
    (type_name, revision), family, flags = _FORMS[name]
    buckets = max(_SMALLEST_HASH, 1 << (count // _IN_A_BUCKET).bit_length())
    return Shape(type_name, revision, family, flags, max(SMALLEST_SIZE, 2 * count), buckets)


_FORMS: Mapping[str, tuple[tuple[str, int], Family, int]] = {
    APPLIED: (_TYPES[Kind.HOSTS], Family.IPV4, IPSET_FLAG_WITH_COMMENT),
    **{name: (_TYPES[Kind.NETS], family, 0) for family, name in ALLOWED.items()},
    **{name: (_SERVICE_TYPE, family, 0) for family, name in SERVICES.items()},
    **{set_of(map_id): (_TYPES[map_id.kind], map_id.family, IPSET_FLAG_WITH_COUNTERS) for map_id in EVERY_MAP},
}


def create_body(name: str, shape: Shape) -> bytes:
    type_name, family, flags = shape.form
    data = net_order_number(IPSET_ATTR_HASHSIZE, shape.hash_size) + net_order_number(IPSET_ATTR_MAXELEM, shape.size)
    if flags:
        data += net_order_number(IPSET_ATTR_CADT_FLAGS, flags)
    return b"".join(
        (
            setname(name),
            text_attribute(IPSET_ATTR_TYPENAME, type_name),
            attribute(IPSET_ATTR_REVISION, bytes((shape.revision,))),
            attribute(IPSET_ATTR_FAMILY, bytes((family,))),
            nested(IPSET_ATTR_DATA, data),
        )
    )


def fits(name: str, header: Header) -> bool:
    """Whether an existing set has the type, family and flags that we would create it with."""
    return (header.type_name, header.family, header.flags) == shape_of(name, 0).form
