"""Content that must not reach the firewall, and why. Each guard looks at one thing; the first that refuses is named."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from banlistd.core.addresses.arrays import count_in
from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import (
    FAMILIES,
    WIDTHS,
    AddressSet,
    Ranges,
    from_numbers,
    intersection,
    subtract,
    to_number,
    to_text,
    union_of,
)
from banlistd.core.config.model import Source
from banlistd.core.feeds.completeness import Announced, shortfall
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.model import Family, Refusal

SHRUNK = "shrunk"

NO_LIST = frozenset({"html", "unparseable", "empty"})
"""Guards that refuse what is no list at all."""

FEW = 20
"""Entries; a list that had fewer may become what it likes: two of three lines gone are a normal day."""

NOTABLE = 2**20
"""Addresses, a /12; a list's share of the space may jump by less, as when a list of single addresses gains its first /16."""


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """The size of a list, without what may never be banned anyway.

    `addresses4`: of IPv4. `shares`: of all IPv4, and of IPv6's global unicast space 2000::/3 (RFC 4291, IANA). `widest`: first
    and last address of the widest stretch, merged, so that two halves are as wide as the whole.
    """

    entries: int
    addresses4: int
    shares: Mapping[Family, float]
    widest: Mapping[Family, tuple[int, int]]

    @classmethod
    def of(cls, addresses: AddressSet) -> Self:
        reserved, space = reserved_ranges(), _space()
        counts, widest = {}, {}
        for family in FAMILIES:
            nets = subtract(addresses.nets(family), reserved[family])
            free = subtract(space[family], reserved[family])
            counts[family] = intersection(nets, free).count() + count_in(addresses.hosts(family), free.first, free.last)
            widest[family] = _widest(nets)
        shares = {family: counts[family] / space[family].count() for family in FAMILIES}
        return cls(len(addresses), counts[Family.IPV4], shares, widest)


def _space() -> Mapping[Family, Ranges]:
    bounds = {Family.IPV4: (0, 2**32 - 1), Family.IPV6: (0x2000 << 112, (0x4000 << 112) - 1)}
    return {
        family: union_of(family, from_numbers(family, [first]), from_numbers(family, [last]))
        for family, (first, last) in bounds.items()
    }


def _widest(nets: Ranges) -> tuple[int, int]:
    if not len(nets):
        return 0, 0
    at = nets.widest()
    return to_number(nets.first[at]), to_number(nets.last[at])


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """What a guard looks at. `before`: the last good content, None for the first of all. `said`: what the list says itself.

    `had_end_count`: whether the last good list ended in a line that counts its entries. `missing`: why it is not whole.
    """

    source: Source
    parsed: ParsedList
    extent: Extent
    before: Extent | None
    had_end_count: bool
    said: Announced | None
    missing: str


Guard = Callable[[Candidate], str]
"""Returns the reason to refuse, or an empty string."""


def refuse(
    source: Source, parsed: ParsedList, before: AddressSet | None = None, *, had_end_count: bool = False
) -> Refusal | None:
    """The first refusal, or None: the content may pass. In time linear to the list; made to run in a worker thread."""
    said = parsed.said if source.guards.truncated else None
    candidate = Candidate(
        source,
        parsed,
        Extent.of(parsed.addresses),
        Extent.of(before) if before is not None else None,
        had_end_count,
        said,
        shortfall(said, parsed.data_lines, parsed.addresses) if said else "",
    )
    for name, guard in GUARDS.items():
        reason = guard(candidate)
        if reason:
            return Refusal(name, reason)
    return None


def _html(one: Candidate) -> str:
    page = one.source.guards.html and one.parsed.is_html
    return "the answer is a web page, not a list" if page else ""


def _unparseable(one: Candidate) -> str:
    parsed = one.parsed
    if not parsed.rejected or parsed.rejected <= one.source.guards.unparseable * (parsed.rejected + parsed.entries):
        return ""
    first = f", the first is line {parsed.samples[0].line}" if parsed.samples else ""
    # A server may answer with the key that it was asked with.
    first += f": {parsed.samples[0].text}" if first and not one.source.is_confidential else ""
    return f"{parsed.rejected:,} lines hold no address and only {parsed.entries:,} do{first}"


def _truncated(one: Candidate) -> str:
    if not one.source.guards.truncated or one.missing:
        return one.missing
    # A publisher may give the line up; then the list is as long as before, or soon is again.
    shorter = one.before is not None and one.extent.entries < one.before.entries
    if one.had_end_count and shorter and (one.said is None or not one.said.at_end):
        return "the line at its end that counts the entries is missing, and the list is shorter than the last one"
    return ""


def _empty(one: Candidate) -> str:
    may_be = one.parsed.entries or one.source.allow_empty
    return "" if may_be else "the list is empty; say allow_empty: true if that may be"


def _wide(one: Candidate) -> str:
    for family, prefix in ((Family.IPV4, one.source.guards.widest4), (Family.IPV6, one.source.guards.widest6)):
        first, last = one.extent.widest[family]
        if last - first >= 2 ** (WIDTHS[family] - prefix):
            low, high = (to_text(family, from_numbers(family, [end])[0]) for end in (first, last))
            key = "widest4" if family is Family.IPV4 else "widest6"
            return f"{low} - {high} is wider than a /{prefix} (guards: {key})"
    return ""


def _share(one: Candidate) -> str:
    for family, name in ((Family.IPV4, "IPv4"), (Family.IPV6, "IPv6")):
        share, limit = one.extent.shares[family], one.source.guards.share
        if share > limit:
            return f"it covers {_percent(share)} of the {name} space, more than {_percent(limit)} (guards: share)"
    return ""


def _grown(one: Candidate) -> str:
    before, now, limit = one.before, one.extent, one.source.guards.grow
    if before is None:
        return ""
    if before.entries >= FEW and now.entries > before.entries * (1 + limit):
        return f"{now.entries:,} entries where {before.entries:,} were, grown by more than {_percent(limit)} (guards: grow)"
    more = now.addresses4 - before.addresses4
    if more > NOTABLE and now.addresses4 > before.addresses4 * (1 + limit):
        words = f"{now.addresses4:,} addresses where {before.addresses4:,} were"
        return f"{words}, grown by more than {_percent(limit)} (guards: grow)"
    return ""


def _shrunk(one: Candidate) -> str:
    before, now, limit = one.before, one.extent, one.source.guards.shrink
    if before is None or (one.source.allow_empty and not now.entries):
        return ""
    if before.entries >= FEW and now.entries < before.entries * (1 - limit):
        return f"{now.entries:,} entries where {before.entries:,} were, shrunk by more than {_percent(limit)} (guards: shrink)"
    fewer = before.addresses4 - now.addresses4
    if fewer > NOTABLE and now.addresses4 < before.addresses4 * (1 - limit):
        words = f"{now.addresses4:,} addresses where {before.addresses4:,} were"
        return f"{words}, shrunk by more than {_percent(limit)} (guards: shrink)"
    return ""


def share_in_words(addresses: AddressSet) -> str:
    """How much of the address space a content covers, without what may never be banned anyway."""
    shares = Extent.of(addresses).shares
    return f"{_percent(shares[Family.IPV4])} of the IPv4 space, {_percent(shares[Family.IPV6])} of the IPv6 space"


def _percent(part: float) -> str:
    return f"{part * 100:.3g} %" if part < 1 else f"{part * 100:.0f} %"


# The order is that of certainty. A list that is only shrunk is accepted after a time, so that guard comes last: a list that is
# empty, cut or a web page as well is refused for that.
GUARDS: Mapping[str, Guard] = {
    "html": _html,
    "unparseable": _unparseable,
    "truncated": _truncated,
    "empty": _empty,
    "wide": _wide,
    "share": _share,
    "grown": _grown,
    SHRUNK: _shrunk,
}
