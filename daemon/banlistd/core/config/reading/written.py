"""The sources of a file as they are written, before anything of them is understood."""

from collections.abc import Mapping
from dataclasses import dataclass

from banlistd.core.config.keys import keys_of, list_at
from banlistd.core.config.model import Config, Source
from banlistd.core.config.problems import Spot
from banlistd.core.printing import printable

Tree = Mapping[str, object]

# Of a value that is repeated in a hint.
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class WrittenSource:
    """A source as a file has it. `allows`: it is an entry of `allow`."""

    tree: Tree
    spot: Spot
    allows: bool = False

    @property
    def used(self) -> object:
        return self.tree.get("use")

    @property
    def id(self) -> object:
        return self.tree.get("id", self.used)


def written_at(spot: Spot, tree: object) -> list[WrittenSource]:
    """Those of a list of them; what is none is reported."""
    found = []
    for index, one in enumerate(list_at(tree, spot)):
        if isinstance(one, dict):
            found.append(WrittenSource(one, spot.at(index)))
        else:
            spot.at(index).wrong("is not a source", _instead_of(one))
    return found


def _instead_of(one: object) -> str:
    """What to write in place of a value that is no source."""
    key, colon, rest = one.partition(":") if isinstance(one, str) else ("", "", "")
    if colon and rest and key in (*keys_of(Source), "use"):
        return f"a blank is missing after the colon: write {printable(key)}: {printable(rest[:_LONGEST_NAME])}"
    name = one if isinstance(one, str) and one.replace("-", "").isalnum() else "spamhaus-drop"
    return f"write id: and url:, or use: {name}"


def sources_of(spot: Spot) -> list[WrittenSource]:
    """A file of sources.d: one source, a list of them, or `sources:` and a list. Nothing at all is no source."""
    tree = spot.document.tree
    if isinstance(tree, dict) and "sources" not in tree:
        return [WrittenSource(tree, spot)]
    if isinstance(tree, dict):
        for key in tree:
            hint = "it belongs in banlistd.yaml" if key in keys_of(Config) else "known: sources"
            if key != "sources":
                spot.at(key).wrong("is not a key here", hint)
        return written_at(spot.at("sources"), tree["sources"])
    if isinstance(tree, str):
        spot.wrong("is not a source", "write id: and url:, or use: and a name of the catalogue")
        return []
    return written_at(spot, tree)
