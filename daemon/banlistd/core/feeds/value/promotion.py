"""What would change if a source that only counts did block: one value, apart from every way to print it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from banlistd.core.addresses.comparison import added_history
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.value.candidates import Candidates, Wanted, WantedAddresses
from banlistd.core.feeds.value.report import together


@dataclass(frozen=True, slots=True)
class Growth:
    """What a list would add. `entries`: it has. `new`: of them, or of parts of them, those that no blocking source has.

    `candidates`: entries that met an address that is wanted.
    """

    entries: int
    new: int
    candidates: Candidates


def growth_of(content: AddressSet, blocking: Sequence[AddressSet], wanted: Sequence[Wanted]) -> Growth:
    """`blocking`: what each source that blocks lists, without this one."""
    new = added_history(content, together(blocking))
    return Growth(len(content), len(new), WantedAddresses(wanted).on(content))
