"""Entries of the allowlist that let through so much that hardly any ban is left. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import WIDTHS, Ranges, subtract
from banlistd.core.addresses.text import range_text
from banlistd.core.config.model import Config
from banlistd.core.config.sections.allow import ranges_of
from banlistd.model import Family, Remark

WIDEST_ALLOW: Mapping[Family, int] = {Family.IPV4: 8, Family.IPV6: 12}
"""The prefix length of what a command may allow too."""


def remarks_on_wide_allows(config: Config) -> Sequence[Remark]:
    """One for each stretch of addresses that is wider than that. Reserved addresses do not count: no list bans them anyway.

    The lists of `allow` have guards of their own, which refuse one that is so wide.
    """
    return [
        Remark(
            f"allow: {range_text(family, stretch.first[0], stretch.last[0])} is wider than a /{WIDEST_ALLOW[family]}: no list "
            "and no manual ban bans anything in it",
            "allow the networks that you need, and no more",
        )
        for family, allowed in ranges_of(config.allow).items()
        for stretch in _each(allowed)
        if subtract(stretch, reserved_ranges()[family]).count() > 1 << (WIDTHS[family] - WIDEST_ALLOW[family])
    ]


def _each(ranges: Ranges) -> Iterator[Ranges]:
    """Each of the ranges by itself."""
    return (Ranges(ranges.family, ranges.first[at : at + 1], ranges.last[at : at + 1]) for at in range(len(ranges)))
