"""An address set as text, for comparison."""

from banlistd.core.addresses.sets import FAMILIES, AddressSet, to_text


def written(addresses: AddressSet) -> list[str]:
    """`a` or `a-b` for each merged range, IPv4 first."""
    found = []
    for family in FAMILIES:
        ranges = addresses.ranges(family)
        ends = ((to_text(family, low), to_text(family, high)) for low, high in zip(ranges.first, ranges.last, strict=True))
        found += [low if low == high else f"{low}-{high}" for low, high in ends]
    return found
