"""The allow entries that use a reference of the catalogue, as the addresses that it has."""

from collections.abc import Iterable, Iterator

from banlistd.core.config.catalogue.known import KnownLists
from banlistd.core.config.catalogue.terms import Purpose
from banlistd.core.config.sections.allow import AllowEntry, AllowReference
from banlistd.core.config.values import closest
from banlistd.core.printing import shown


def expanded(entries: Iterable[AllowEntry | AllowReference], catalogue: KnownLists) -> Iterator[AllowEntry]:
    """Entries in their order; what is wrong with a reference is reported where it is written."""
    for entry in entries:
        if isinstance(entry, AllowEntry):
            yield entry
        else:
            yield from _addresses_of(entry, catalogue)


def _addresses_of(entry: AllowReference, catalogue: KnownLists) -> Iterator[AllowEntry]:
    known = catalogue.get(entry.use)
    if known is None:
        near = closest(entry.use, catalogue)
        hint = f"did you mean {near}?" if near else "banlistctl catalogue --purpose allow lists the names"
        entry.spot.wrong(f"{shown(entry.use)} is not in the catalogue", hint)
    elif known.purpose is not Purpose.ALLOW:
        entry.spot.wrong(f"{known.id} is a list to ban", "delete it here")
    elif not known.addresses and not known.is_list:
        entry.spot.wrong(f"{known.id} is no list that can be read", f"write the addresses that you need, from {known.url}")
    elif not known.addresses and entry.until is not None:
        entry.spot.wrong(f"{known.id} is a list that is polled, and has no end", "delete until")
    else:
        comment = entry.comment or known.id
        for first, last in known.addresses:
            yield AllowEntry(first=first, last=last, comment=comment, until=entry.until, use=known.id)
