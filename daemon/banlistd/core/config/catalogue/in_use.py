"""What the catalogue says of the sources of a configuration: what their terms forbid, and what is no longer maintained."""

from collections.abc import Iterator, Sequence

from banlistd.core.config.catalogue.entry import CatalogueEntry
from banlistd.core.config.catalogue.known import KnownLists
from banlistd.core.config.catalogue.terms import ListState, Permission, UseFor
from banlistd.core.config.model import Config, Source
from banlistd.model import Remark


def known_entries(source: Source, catalogue: KnownLists) -> Sequence[CatalogueEntry]:
    """The entries that a source uses or whose URLs it has: the terms are those of the list, however it is written."""
    names = (source.use, *map(catalogue.name_of, source.urls))
    entries = [catalogue.get(name) for name in dict.fromkeys(names) if name]
    return [entry for entry in entries if entry is not None]


def forbidden_to(use_for: UseFor, entry: CatalogueEntry) -> tuple[str, str] | None:
    """Why a list may not be used, and what the terms are."""
    if use_for is not UseFor.COMMERCIAL or entry.commercial is not Permission.NO:
        return None
    return (
        f"the terms of {entry.id} forbid commercial use",
        f"use_for is commercial, its licence: {entry.licence}; delete the source, or ask {entry.publisher or 'the publisher'}",
    )


def remarks_on_lists(config: Config, catalogue: KnownLists) -> Sequence[Remark]:
    """What the administrator should know of the lists that are polled."""
    polled = (source for source in config.sources if source.enabled and source.urls)
    return [
        remark
        for source in polled
        for entry in known_entries(source, catalogue)
        for remark in _remarks(source, entry, config.use_for)
    ]


def _remarks(source: Source, entry: CatalogueEntry, use_for: UseFor) -> Iterator[Remark]:
    if entry.state is not ListState.ALIVE:
        words = f"{source.id}: the list {entry.id} is {entry.state}: {entry.comment}"
        yield Remark(words, f"use: {entry.successor}" if entry.successor else "delete the source")
    if use_for is UseFor.COMMERCIAL and entry.commercial is Permission.UNKNOWN:
        words = f"{source.id}: it is not known whether a business may use {entry.id}"
        yield Remark(words, f"its licence: {entry.licence}; ask its publisher: {entry.home}")
