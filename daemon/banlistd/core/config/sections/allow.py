"""The allowlist: how an entry is written, and what it means."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated

from banlistd.core.addresses.sets import FAMILIES, Ranges, from_numbers, union_of
from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Section, ValueKind, keys_of, list_at, read_section, scalar_at
from banlistd.core.config.problems import Spot
from banlistd.core.config.values import AddressRange, addresses
from banlistd.model import Family, SourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowEntry:
    """Addresses that are never banned, `first` to `last` inclusive.

    `until`: a day counts to its end in UTC, a moment (with a zone) to its second; None is for ever. `use`: the reference of the
    catalogue that it is from.
    """

    first: IPv4Address | IPv6Address
    last: IPv4Address | IPv6Address
    comment: str = ""
    until: dt.datetime | dt.date | None = None
    use: SourceId | None = None

    @property
    def family(self) -> Family:
        return Family.IPV4 if isinstance(self.first, IPv4Address) else Family.IPV6

    @property
    def ends_at(self) -> float | None:
        """The moment of its end, in seconds since the epoch; None: it has none."""
        if self.until is None:
            return None
        if isinstance(self.until, dt.datetime):
            return self.until.timestamp()
        return dt.datetime.combine(self.until, dt.time(), dt.UTC).timestamp() + 86400

    def in_force(self, now: float) -> bool:
        """At a moment, in seconds since the epoch."""
        return self.ends_at is None or now < self.ends_at


def ranges_of(entries: Iterable[AllowEntry]) -> Mapping[Family, Ranges]:
    """Their addresses, merged, for both families."""
    ranges, known = {}, list(entries)
    for family in FAMILIES:
        mine = [entry for entry in known if entry.family is family]
        first, last = ([int(getattr(entry, end)) for entry in mine] for end in ("first", "last"))
        ranges[family] = union_of(family, from_numbers(family, first), from_numbers(family, last))
    return ranges


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAllow(Section):
    """An allow entry as a file has it: `address` or `use`."""

    title = "an entry of allow"
    intro = (
        "An entry is an address, a network, a range or a host name, or a mapping with these keys. It has `address` or `use`. "
        "An entry with `url`, `path`, `names`, `countries` or `asns` is a list of its own, whose addresses are allowed: every "
        "key of a source may be set."
    )

    address: Annotated[AddressRange | None, Key(kinds.ADDRESSES, "An address, a network or a range.")] = None
    use: Annotated[
        SourceId | None,
        Key(
            kinds.CATALOGUE_NAME,
            "A reference of the catalogue, such as cloudflare: all addresses that it has. Where it is a list, it is polled.",
        ),
    ] = None
    comment: Annotated[str, Key(kinds.NOTE, "A note for people.")] = ""
    until: Annotated[
        dt.datetime | dt.date | None,
        Key(kinds.UNTIL, "The last day, which counts to its end in UTC, or a moment with its zone."),
    ] = None

    def complaints(self) -> Iterator[tuple[str, str]]:
        if self.address is None and self.use is None:
            yield "has neither address nor use", "write {address: 192.0.2.0/24}, or {use: root-servers}"
        if self.address is not None and self.use is not None:
            yield "has address and use", "write two entries"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowReference:
    """An entry with `use`. `spot`: where that is written."""

    use: SourceId
    comment: str
    until: dt.datetime | dt.date | None
    spot: Spot


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """An entry that is a list of its own: it is read as a source that allows. `tree`: its keys, without that action."""

    tree: Mapping[str, object]
    spot: Spot


AnyAllow = AllowEntry | AllowReference | AllowList

_NAME = re.compile(r"(?:[A-Za-z0-9_-]+\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]\.?", re.ASCII)
"""A host name with its domain. A single word may be anything: `names:` takes it."""

_OF_A_LIST = ("url", "path", "names", "countries", "asns", "merge", "intersect")


def _read_allow(tree: object, spot: Spot) -> tuple[AnyAllow, ...]:
    entries = (_allow_entry(entry, spot.at(index)) for index, entry in enumerate(list_at(tree, spot)))
    return tuple(entry for entry in entries if entry)


def _allow_entry(tree: object, spot: Spot) -> AnyAllow | None:
    if isinstance(tree, dict) and len(tree) == 1 and next(iter(tree)).endswith(":"):
        # YAML reads `- fe80::` as the key `fe80:` with no value.
        spot.wrong('an address that ends in ":" needs quotes', f'write "{next(iter(tree))}:"')
        return None
    if isinstance(tree, str) and _NAME.fullmatch(tree):
        return AllowList(tree={"names": [tree]}, spot=spot)
    if isinstance(tree, str):
        ends = scalar_at(addresses, tree, spot)
        return AllowEntry(first=ends[0], last=ends[1]) if ends else None
    if not isinstance(tree, dict):
        spot.wrong("is not an address", "write 192.0.2.0/24, or {address: 192.0.2.0/24, comment: office}")
        return None
    if any(key in tree for key in _OF_A_LIST) or ("use" in tree and not tree.keys() <= keys_of(WrittenAllow).keys()):
        return AllowList(tree=tree, spot=spot)
    entry = read_section(WrittenAllow, tree, spot)
    return _entry_of(entry, spot) if entry else None


def _entry_of(written: WrittenAllow, spot: Spot) -> AllowEntry | AllowReference | None:
    """None where neither is written: that is one of the complaints."""
    if written.use is not None:
        return AllowReference(use=written.use, comment=written.comment, until=written.until, spot=spot.at("use"))
    if written.address is None:
        return None
    first, last = written.address
    return AllowEntry(first=first, last=last, comment=written.comment, until=written.until)


_ALLOW_SCHEMA = {
    "anyOf": [
        {"type": "string", "description": "an address, a network, a range a-b or a host name"},
        {**kinds.section_schema(WrittenAllow), "anyOf": [{"required": ["address"]}, {"required": ["use"]}]},
        {"type": "object", "anyOf": [{"required": [key]} for key in ("use", *_OF_A_LIST)]},
    ]
}
ALLOW = ValueKind(
    _read_allow,
    kinds.or_nothing({"type": "array", "items": _ALLOW_SCHEMA}),
    "a list of addresses, networks, ranges and host names, or of mappings",
    "allow",
    show=lambda _: "",
    section=WrittenAllow,
    examples=(["192.0.2.1"],),
)
