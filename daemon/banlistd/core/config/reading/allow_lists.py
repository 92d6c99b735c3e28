"""The entries of `allow` that are lists: each becomes a source whose addresses are never banned."""

from collections.abc import Iterator, Sequence

from banlistd.core.config.catalogue.known import KnownLists
from banlistd.core.config.catalogue.terms import Purpose
from banlistd.core.config.problems import Spot
from banlistd.core.config.reading.ids import id_of_url, id_of_words
from banlistd.core.config.reading.written import Tree, WrittenSource
from banlistd.core.config.sections.allow import AllowEntry, AllowList, AllowReference, AnyAllow
from banlistd.model import Action

_GEOGRAPHY = ("countries", "asns")


def allow_sources(
    entries: Sequence[AnyAllow], catalogue: KnownLists, others: Sequence[WrittenSource]
) -> Iterator[WrittenSource]:
    """The sources that the entries make. `others`: the sources of the configuration, whose ids come first."""
    taken = {one.id for one in others if isinstance(one.id, str)}
    for entry in entries:
        if isinstance(entry, AllowReference):
            known = catalogue.get(entry.use)
            is_polled = known is not None and known.purpose is Purpose.ALLOW and known.is_list and entry.until is None
            # A list that is polled already, for sources that are made of it, is not polled twice.
            if is_polled and not (known and known.addresses and entry.use in taken):
                comment = {"comment": entry.comment} if entry.comment else {}
                yield _allowing({"use": entry.use, **comment}, entry.spot)
        elif isinstance(entry, AllowList):
            yield _allowing(entry.tree, entry.spot)


def only_entries(entries: Sequence[AnyAllow]) -> Iterator[AllowEntry | AllowReference]:
    """The entries that are addresses."""
    return (entry for entry in entries if not isinstance(entry, AllowList))


def _allowing(tree: Tree, spot: Spot) -> WrittenSource:
    if "action" in tree:
        spot.at("action").wrong("does not go with an entry of allow", "delete the line")
    own = {key: value for key, value in tree.items() if key not in _GEOGRAPHY}
    places = {key: tree[key] for key in _GEOGRAPHY if key in tree}
    if places:
        own["block"] = places
    if "id" not in own and "use" not in own:
        own["id"] = _id_of(tree)
    return WrittenSource({**own, "action": Action.ALLOW.value}, spot, allows=True)


def _id_of(tree: Tree) -> str:
    """Of what is written first; it is checked as any other."""
    for key in ("url", "path", "names"):
        words = _first(tree.get(key))
        if words:
            return id_of_url(words) if key == "url" else id_of_words(words)
    words = " ".join(_first(tree.get(key)) for key in (*_GEOGRAPHY, "merge", "intersect"))
    return f"allow-{id_of_words(words)}"


def _first(written: object) -> str:
    one = written[0] if isinstance(written, list) and written else written
    return one if isinstance(one, str) else ""
