"""The catalogue as its files have it -> entries, or everything that is wrong, each with its file and line.

A file is a list. What lists of one publisher have in common is written once: a mapping with `lists` gives its other keys to
each of them. Only tests and the generator read these files; the program reads the generated one (known.py).
"""

from collections.abc import Iterator, Mapping, Sequence

from banlistd.core.config.catalogue.entry import CatalogueEntry
from banlistd.core.config.catalogue.terms import ListState
from banlistd.core.config.keys import list_at, mapping_at, read_section
from banlistd.core.config.problems import Document, Problem, Spot, raise_all
from banlistd.core.printing import shown

_LISTS = "lists"


def read_catalogue(*documents: Document) -> Mapping[str, CatalogueEntry]:
    """The entries by name, in the order of the files. Raises ConfigError, whose `problems` are all that is wrong."""
    problems: list[Problem] = [problem for document in documents for problem in document.problems]
    entries: dict[str, CatalogueEntry] = {}
    spots: dict[str, Spot] = {}
    for tree, spot in _trees(documents, problems):
        entry = read_section(CatalogueEntry, tree, spot)
        if entry and entry.id in entries:
            spot.at("id").wrong(f"{shown(entry.id)} is in the catalogue twice")
        if entry:
            entries[entry.id], spots[entry.id] = entry, spot
    for name, entry in entries.items():
        _check_references(entry, entries, spots[name])
    raise_all(problems, documents)
    return entries


def trees_of(documents: Sequence[Document]) -> Mapping[str, Mapping[str, object]]:
    """The keys and values of each entry as they are written, by its name. For files that `read_catalogue` takes."""
    return {str(tree["id"]): tree for tree, _ in _trees(documents, [])}


def _trees(documents: Sequence[Document], problems: list[Problem]) -> Iterator[tuple[Mapping[str, object], Spot]]:
    """Each entry with what it has from its publisher, and its place."""
    for document in documents:
        root = Spot(document, problems)
        for index, tree in enumerate(list_at(document.tree, root)):
            spot = root.at(index)
            if not isinstance(tree, dict) or _LISTS not in tree:
                yield mapping_at(tree, spot), spot
                continue
            shared = {key: value for key, value in tree.items() if key != _LISTS}
            for at, one in enumerate(list_at(tree[_LISTS], spot.at(_LISTS))):
                place = spot.at(_LISTS, at)
                yield shared | mapping_at(one, place), place


def _check_references(entry: CatalogueEntry, entries: Mapping[str, CatalogueEntry], spot: Spot) -> None:
    for other in entry.overlaps:
        if other not in entries or other == entry.id:
            spot.at("overlaps").wrong(f"{shown(other)} is not another entry")
    successor = entries.get(entry.successor) if entry.successor else None
    if entry.successor and (successor is None or successor.state is ListState.DEAD or successor is entry):
        spot.at("successor").wrong(f"{shown(entry.successor)} is not another entry that can be used")
