"""The catalogue that ships with the program. An entry is read when it is asked for: all of them would delay every start."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from banlistd.core.config.catalogue.entry import CatalogueEntry
from banlistd.core.config.keys import keys_of, read_section
from banlistd.core.config.problems import Document, Problem, Spot
from banlistd.errors import ConfigError

Trees = Mapping[str, Mapping[str, object]]


class KnownLists(Mapping[str, CatalogueEntry]):
    """The entries by name, of the keys and values of each as they are written."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees

    def __getitem__(self, name: str) -> CatalogueEntry:
        """Raises KeyError, and ConfigError for an entry that is damaged."""
        problems: list[Problem] = []
        document = Document("catalogue.json", self._trees[name])
        entry = read_section(CatalogueEntry, document.tree, Spot(document, problems))
        if entry is None:
            lines = tuple(str(problem) for problem in problems)
            raise ConfigError("the catalogue is damaged", "install banlistd again", problems=lines)
        return entry

    def __iter__(self) -> Iterator[str]:
        return iter(self._trees)

    def __len__(self) -> int:
        return len(self._trees)

    def name_of(self, url: str) -> str | None:
        """The name of the list with this url."""
        return self._by_url.get(url)

    @cached_property
    def _by_url(self) -> Mapping[object, str]:
        return {tree.get("url"): name for name, tree in self._trees.items()}


def known_lists(text: bytes) -> KnownLists:
    """Of the generated file."""
    return KnownLists(json.loads(text))


def text_of(trees: Trees) -> str:
    """The generated file: one entry a line. An answer of few words is there even where it is the default."""
    rows = [f"{json.dumps(name)}: {json.dumps(_complete(tree), ensure_ascii=False)}" for name, tree in trees.items()]
    return "{\n" + ",\n".join(rows) + "\n}\n"


def _complete(tree: Mapping[str, object]) -> Mapping[str, Any]:
    """The keys in the order of their declaration."""
    defaults = {name: CatalogueEntry.__dataclass_fields__[name].default for name in _ALWAYS}
    found = {**{name: str(default) for name, default in defaults.items()}, **tree}
    return {name: found[name] for name in keys_of(CatalogueEntry) if name in found}


_ALWAYS = ("purpose", "direction", "size", "octets", "state", "redistribution", "commercial")
