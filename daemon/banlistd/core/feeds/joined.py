"""Several bodies of one list, each parsed as a document of its own, as one list."""

from collections.abc import Sequence
from itertools import chain, islice

import numpy as np

from banlistd.core.addresses.sets import FAMILIES, AddressSet
from banlistd.core.addresses.timed import NEVER, TimedEntries
from banlistd.core.feeds.completeness import Announced, Unit
from banlistd.core.feeds.parsed_list import SAMPLES, ParsedList
from banlistd.model import Family


def joined_lists(parts: Sequence[ParsedList]) -> ParsedList:
    """Everything that is in any of the parts. An entry that two of them have counts twice. Made to run in a worker thread."""
    ends = []
    for family in FAMILIES:
        hosts = [part.addresses.hosts(family) for part in parts]
        nets = [part.addresses.nets(family) for part in parts]
        ends.append(np.concatenate([*hosts, *(each.first for each in nets)]))
        ends.append(np.concatenate([*hosts, *(each.last for each in nets)]))
    said, lines = _announced(parts)
    return ParsedList(
        AddressSet.of(*ends),
        sum(part.entries for part in parts),
        sum(part.rejected for part in parts),
        tuple(islice(chain.from_iterable(part.samples for part in parts), SAMPLES)),
        any(part.is_html for part in parts),
        said,
        lines,
        next((part.next_page for part in parts if part.next_page), ""),
        _timed(parts),
    )


def _timed(parts: Sequence[ParsedList]) -> TimedEntries | None:
    """A part in which nothing ends stays."""
    if all(part.timed is None for part in parts):
        return None
    return TimedEntries.joined([part.timed or TimedEntries.of(part.addresses, NEVER) for part in parts])


def memory_of(addresses: AddressSet) -> int:
    """The memory that addresses take."""
    arrays = [addresses.hosts(family) for family in FAMILIES]
    arrays += [end for family in FAMILIES for end in (addresses.nets(family).first, addresses.nets(family).last)]
    return sum(array.nbytes for array in arrays)


def _announced(parts: Sequence[ParsedList]) -> tuple[Announced | None, int]:
    """What the parts say of their sizes together, and how much of that is there: what one has too many, another may lack."""
    number = found = 0
    for part in parts:
        if part.said is not None:
            by_address = part.said.unit is Unit.ADDRESSES
            has = part.addresses.ranges(Family.IPV4).count() if by_address else part.data_lines
            number += part.said.number
            found += min(has, part.said.number)
    if all(part.said is None for part in parts):
        return None, 0
    return Announced(number, Unit.ENTRIES, all(part.said is not None and part.said.at_end for part in parts)), found
