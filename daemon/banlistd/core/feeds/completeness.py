"""What a list says of its own size, and whether it has that many entries."""

from dataclasses import dataclass
from enum import StrEnum

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.printing import counted
from banlistd.model import Family


class Unit(StrEnum):
    ENTRIES = "entries"
    ADDRESSES = "addresses"


_ONE = {Unit.ENTRIES: "entry", Unit.ADDRESSES: "address"}


@dataclass(frozen=True, slots=True)
class Announced:
    """The number of entries that a list announces. `at_end`: the number is at the end, so a cut list has lost it."""

    number: int
    unit: Unit
    at_end: bool


def shortfall(said: Announced, lines: int, addresses: AddressSet) -> str:
    """The reason why a list is not whole, or an empty string. More than it says is no fault: a table has a header line.

    `lines`: its lines that are no comments (`data_lines`).
    """
    found = addresses.ranges(Family.IPV4).count() if said.unit is Unit.ADDRESSES else lines
    if found >= said.number:
        return ""
    return f"the list says that it has {counted(said.number, _ONE[said.unit], said.unit)} and has {found:,}"
