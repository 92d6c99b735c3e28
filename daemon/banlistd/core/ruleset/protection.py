"""Lock-out protection: addresses never to ban, every form a list may write them in, and the lists they are in. Pure."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from banlistd.core.addresses.comparison import overlapping
from banlistd.core.addresses.embedded import has_teredo, isatap_of, teredo_of
from banlistd.core.addresses.sets import (
    FAMILIES,
    Addresses,
    AddressSet,
    Ranges,
    from_numbers,
    intersection,
    no_addresses,
    subtract,
    union_of,
)
from banlistd.model import MANUAL, AnswerPort, Family, PolicyHash, Protected, ServiceEndpoint, SourceId, Span

# Where an IPv6 address carries an IPv4 address: the bits above it, and how many bits lie below it.
# Teredo and ISATAP are not here: the bits above the IPv4 address may have any value, so they are no ranges (`embedded`).
EMBEDDINGS: Mapping[str, tuple[int, int]] = {
    "IPv4-compatible, ::/96 (RFC 4291)": (0, 0),
    "IPv4-mapped, ::ffff:0:0/96 (RFC 4291)": (0xFFFF << 32, 0),
    "IPv4-translated, ::ffff:0:0:0/96 (RFC 2765)": (0xFFFF << 48, 0),
    "NAT64, 64:ff9b::/96 (RFC 6052)": (0x0064_FF9B << 96, 0),
    "6to4, 2002::/16 (RFC 3056)": (0x2002 << 112, 80),
}

# Forms whose packets may be banned with the IPv4 address within: a socket of both families shows IPv4 peers as mapped, a 6to4
# packet travels inside one of IPv4, and both 6to4 and NAT64 sources are looked up as IPv4 addresses.
_ALSO_IPV4 = (
    "IPv4-mapped, ::ffff:0:0/96 (RFC 4291)",
    "NAT64, 64:ff9b::/96 (RFC 6052)",
    "6to4, 2002::/16 (RFC 3056)",
)
_MAX_WITHIN = 2**16
"""IPv4 addresses. A wider range is the network of a translator, and not those of machines: nothing of IPv4 would be banned."""

_TRANSLATED = ("NAT64, 64:ff9b::/96 (RFC 6052)", "6to4, 2002::/16 (RFC 3056)")
"""Forms in which a banned IPv4 address is banned too, unless `translated: off`."""

_V4_SPACE = 2**32 - 1

# Neighbour solicitation and advertisement (RFC 4861): without them no answer of an IPv6 host on the same link finds its way.
_NEIGHBOUR_DISCOVERY = (AnswerPort("icmpv6", 135 << 8), AnswerPort("icmpv6", 136 << 8))


@dataclass(frozen=True, slots=True)
class Hit:
    """A protected range that `sources` list, wholly or in part. `carved`: nothing else (allowed, reserved) keeps it free.

    `overridden`: a manual ban does not give way to it, and bans it or a part of it. Only answers pass from a range that is
    protected for answers only: it is banned otherwise.
    """

    protected: Protected
    sources: tuple[SourceId, ...]
    carved: bool
    overridden: bool


@dataclass(frozen=True, slots=True, eq=False)
class ProtectionExclusions:
    """What protection changes in a plan: `ranges` come out of every ban, `answers` pass from what stays banned.

    Both are empty where it changes nothing.
    """

    ranges: Mapping[Family, Ranges]
    hits: tuple[Hit, ...]
    answers: tuple[ServiceEndpoint, ...] = ()

    @classmethod
    def none(cls) -> Self:
        return cls({family: Ranges.none(family) for family in FAMILIES}, ())

    @property
    def is_empty(self) -> bool:
        return not self.answers and not any(len(ranges) for ranges in self.ranges.values())

    def policy_hash(self, base: PolicyHash) -> PolicyHash:
        """What markers carry: the policy's own hash while nothing is carved, so that a new address costs no write."""
        if self.is_empty:
            return base
        carved = AddressSet.of_ranges(self.ranges)
        answers = repr([(family.value, address, *service) for family, address, service in self.answers]) if self.answers else ""
        return PolicyHash(hashlib.sha256(base.encode() + carved.encode() + answers.encode()).hexdigest()[:16])


def merge_protected(items: Iterable[Protected]) -> Sequence[Protected]:
    """Each range once, with all its reasons; IPv4 before IPv6, in order of addresses."""
    merged: dict[Span, Protected] = {}
    for item in items:
        merged[item.span] = _both(merged[item.span], item) if item.span in merged else item
    return tuple(merged[span] for span in sorted(merged))


def _both(one: Protected, other: Protected) -> Protected:
    """A range that is protected for two reasons: as much of it, and for as long, as either asks for."""
    reasons = dict.fromkeys((*one.reason.split(", "), *other.reason.split(", ")))
    return replace(
        one,
        reason=", ".join(reasons),
        learned=one.learned and other.learned,
        answers=tuple(dict.fromkeys((*one.answers, *other.answers))) if one.answers and other.answers else (),
        since=one.since if other.since is None else other.since,
        until=max(one.until, other.until) if one.until is not None and other.until is not None else None,
    )


def newly_carved(before: Sequence[Hit], after: Sequence[Hit]) -> Sequence[tuple[Protected, SourceId]]:
    """Each protected range that is carved out of a source now and was not before, and the source."""
    known = {(hit.protected.span, source_id) for hit in before if hit.carved for source_id in hit.sources}
    return [
        (hit.protected, source_id)
        for hit in after
        if hit.carved
        for source_id in hit.sources
        if (hit.protected.span, source_id) not in known
    ]


def answers_from(item: Protected) -> Sequence[ServiceEndpoint]:
    """What passes from an address that is protected for answers only, in each form that is one address too."""
    return [
        ServiceEndpoint(family, first, service)
        for family, first, last in forms(item.span)
        if first == last
        for service in (*item.answers, *(_NEIGHBOUR_DISCOVERY if family is Family.IPV6 else ()))
    ]


def forms(span: Span) -> tuple[Span, ...]:
    """A range and every other in which the same machines may be written down."""
    family, first, last = span
    if family is Family.IPV4:
        return span, *_embedded(first, last)
    for name in _ALSO_IPV4:
        low, high = _ipv4_in(name, first), _ipv4_in(name, last)
        if low is not None and high is not None and high - low < _MAX_WITHIN:
            return span, (Family.IPV4, low, high), *_embedded(low, high)
    return (span,)


def translated_from(number: int) -> int | None:
    """The IPv4 address in an IPv6 one of NAT64 or 6to4; None for any other."""
    return next((within for name in _TRANSLATED if (within := _ipv4_in(name, number)) is not None), None)


def _ipv4_in(name: str, number: int) -> int | None:
    """The IPv4 address in an IPv6 one, if that is of the form."""
    above, below = EMBEDDINGS[name]
    within = number - above >> below
    return within if 0 <= within <= _V4_SPACE else None


def _embedded(first: int, last: int) -> tuple[Span, ...]:
    return tuple(
        (Family.IPV6, above | first << below, above | last << below | ((1 << below) - 1))
        for above, below in EMBEDDINGS.values()
    )


def with_forms(ranges: Mapping[Family, Ranges]) -> Mapping[Family, Ranges]:
    """Ranges, and the IPv6 ranges that embed what is IPv4 among them. (Not the reverse: all that is mapped is reserved.)"""
    v4, v6 = ranges[Family.IPV4], ranges[Family.IPV6]
    embedded = [union_of(Family.IPV6, *ends) for ends in every_embedded(v4)]
    return {Family.IPV4: v4, Family.IPV6: _together(Family.IPV6, (v6, *embedded))}


def every_embedded(v4: Ranges) -> Sequence[tuple[Addresses, Addresses]]:
    """The first and last addresses of IPv4 ranges in each form of `EMBEDDINGS`, in the same order, which may be any."""
    return [_all_embedded(v4, above, below) for above, below in EMBEDDINGS.values()]


def _all_embedded(v4: Ranges, above: int, below: int) -> tuple[Addresses, Addresses]:
    """The ends of `_embedded` in one form, of thousands of ranges at once."""
    first, last = (np.tile(np.frombuffer(above.to_bytes(16, "big"), dtype=np.uint8), (len(v4), 1)) for _ in range(2))
    end = 16 - below // 8
    for octets, ends in ((first, v4.first), (last, v4.last)):
        octets[:, end - 4 : end] = ends.astype(">u4").view(np.uint8).reshape(-1, 4)
    last[:, end:] = 0xFF
    return first.reshape(-1).view("S16"), last.reshape(-1).view("S16")


def allowed_within(listed: AddressSet, allowed: Mapping[Family, Ranges]) -> Ranges:
    """The Teredo and ISATAP addresses in `listed` of the IPv4 addresses that the administrator allows."""
    if not len(listed.hosts6) + len(listed.nets6):
        return Ranges.none(Family.IPV6)
    found = [form_of(listed, allowed[Family.IPV4]) for form_of in (teredo_of, isatap_of)]
    return _together(Family.IPV6, found)


def protected_within(listed: AddressSet, span: Span) -> Ranges:
    """The Teredo addresses in `listed` of a protected range, where that is IPv4 or travels as IPv4.

    No ISATAP addresses: the owner of any IPv6 network can give its hosts those of an IPv4 address that it knows, and strangers
    know the addresses of a host and of its resolvers. A packet to a Teredo address goes to the IPv4 address itself.
    """
    clients = union_of(Family.IPV4, *_columns(Family.IPV4, forms(span)))
    return teredo_of(listed, clients)


def _columns(family: Family, spans: Sequence[Span]) -> tuple[Addresses, Addresses]:
    mine = [span for span in spans if span[0] is family]
    return from_numbers(family, [first for _, first, _ in mine]), from_numbers(family, [last for _, _, last in mine])


def carve(
    protected: Sequence[Protected],
    contents: Mapping[SourceId, AddressSet],
    never_banned: Mapping[Family, Ranges],
    allowed: Mapping[Family, Ranges],
) -> ProtectionExclusions:
    """What of `protected` is in `contents`, in any form; `ranges` leaves out what is in `never_banned` anyway.

    An address that is protected for answers only stays in the bans.
    The Teredo and ISATAP addresses of what is `allowed` come out too: only those that are listed can be named.
    A manual ban overrides what is learned: where `contents` has one of MANUAL, nothing of a learned range comes out.
    The answer depends on what is touched, not on all that is protected: an address that comes and goes unlisted changes
    nothing. Costs some microseconds for each source, a little for each hit, and a look at every IPv6 entry.
    """
    spans = [(number, form) for number, item in enumerate(protected) for form in forms(item.span)]
    numbers = {family: [number for number, form in spans if form[0] is family] for family in FAMILIES}
    columns = {family: _columns(family, [form for _, form in spans]) for family in FAMILIES}
    manual = contents.get(MANUAL, AddressSet.none())
    touched: dict[int, list[SourceId]] = {}
    carved: set[int] = set()
    overridden: set[int] = set()
    answers: set[ServiceEndpoint] = set()
    parts: Mapping[Family, list[Ranges]] = {family: [] for family in FAMILIES}
    for source_id, content in contents.items():
        found = [
            (numbers[family][at], Ranges(family, first[at : at + 1], last[at : at + 1]))
            for family, (first, last) in columns.items()
            for at in np.flatnonzero(overlapping(content, family, first, last))
        ]
        for number, item in enumerate(protected) if has_teredo(content) else ():
            within = Ranges.none(Family.IPV6) if _is_for_answers(item) else protected_within(content, item.span)
            found += [(number, within)] if len(within) else []
        for number, span in found:
            item = protected[number]
            sources = touched.setdefault(number, [])
            if source_id not in sources:
                sources.append(source_id)
            wanted = subtract(span, never_banned[span.family])
            if item.learned:
                by_hand = _within(manual, span.family, wanted)
                wanted = subtract(wanted, by_hand)
                overridden |= {number} if len(by_hand) else set()
            inside = _within(content, span.family, wanted)
            if len(inside):
                carved.add(number)
                if _is_for_answers(item):
                    answers |= {*answers_from(item)}
                else:
                    parts[span.family].append(inside)
        if len(also_allowed := allowed_within(content, allowed)):
            parts[Family.IPV6].append(subtract(also_allowed, never_banned[Family.IPV6]))
    ranges = {family: _together(family, parts[family]) for family in FAMILIES}
    hits = (
        Hit(protected[number], tuple(sources), number in carved, number in overridden)
        for number, sources in sorted(touched.items())
    )
    return ProtectionExclusions(ranges, tuple(hits), tuple(sorted(answers)))


def _is_for_answers(item: Protected) -> bool:
    """Whether an address stays banned, and answers pass; of a network they cannot be told apart."""
    return bool(item.answers) and item.first == item.last


def _within(content: AddressSet, family: Family, ranges: Ranges) -> Ranges:
    """The part of ranges that is in the content."""
    hosts = content.hosts(family)
    among = [
        hosts[hosts.searchsorted(first, side="left") : hosts.searchsorted(last, side="right")]
        for first, last in zip(ranges.first, ranges.last, strict=True)
    ]
    singles = np.concatenate(among) if among else no_addresses(family)
    nets = intersection(ranges, content.nets(family))
    return union_of(family, np.concatenate([singles, nets.first]), np.concatenate([singles, nets.last]))


def _together(family: Family, parts: Sequence[Ranges]) -> Ranges:
    if not parts:
        return Ranges.none(family)
    return union_of(family, np.concatenate([part.first for part in parts]), np.concatenate([part.last for part in parts]))


def union_by_family(left: Mapping[Family, Ranges], right: Mapping[Family, Ranges]) -> Mapping[Family, Ranges]:
    """The union of two, per family."""
    return {family: _together(family, (left[family], right[family])) for family in FAMILIES}
