"""What is wrong with combinations: keys that do not go together, and parts that there are not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from banlistd.core.config.combining.order import circle_in
from banlistd.core.config.problems import Spot
from banlistd.core.config.values import closest
from banlistd.core.printing import counted, shown

_Tree = Mapping[str, object]

_KEYS = ("merge", "intersect", "at_least", "exclude", "window")

_WITH_PARTS = ("merge", "intersect", "exclude")


def check_keys(own: _Tree, spot: Spot) -> None:
    """Keys of one combination that do not go together. `own`: as it is written; each key is right by itself."""
    given = [key for key in ("merge", "intersect") if key in own]
    for key in _KEYS:
        if key in own and not given:
            spot.at(key).wrong("goes with merge or intersect only", "add merge: and the ids of sources")
    for key in given:
        parts = _ids(own, key)
        if not parts:
            spot.at(key).wrong("names no source", "write the ids of sources: [a, b]")
        elif key == "intersect" and len(parts) == 1:
            spot.at(key).wrong("names one source alone", "write two or more, or merge:")
    if "intersect" in own and "at_least" in own:
        spot.at("at_least").wrong("goes with merge only", "delete it, or write merge: instead of intersect:")
    if given and "ttl" in own:
        spot.at("ttl").wrong("does not go with a combination", "write window: here, or ttl: at its parts")
    if given and "two_miss" in own:
        spot.at("two_miss").wrong("does not go with a combination", "write it at its parts")
    _check_number(own, spot)
    for key, index, twin in _twins(own):
        spot.at(key, index).wrong(f"{shown(twin)} is named twice", "delete one of them")


def _ids(own: _Tree, key: str) -> Sequence[str]:
    written = own.get(key)
    every = written if isinstance(written, list) else [written]
    return [one for one in every if isinstance(one, str)]


def _check_number(own: _Tree, spot: Spot) -> None:
    number, parts = own.get("at_least"), len(_ids(own, "merge"))
    if isinstance(number, str) and number.isdecimal() and parts and int(number) > parts:
        words = f"is {number}, and merge names {counted(parts, 'source', 'sources')}"
        spot.at("at_least").wrong(words, f"write 1 to {parts}")


def _twins(own: _Tree) -> Iterator[tuple[str, int, str]]:
    seen: set[str] = set()
    for key, index, one in _parts(own):
        if one in seen:
            yield key, index, one
        seen.add(one)


@dataclass(frozen=True, slots=True)
class Declared:
    """A source as it is written, right or wrong."""

    id: object
    enabled: bool
    tree: _Tree
    spot: Spot


def check_parts(sources: Sequence[Declared]) -> None:
    """Parts that there are not, that are off, or that are made of the combination itself. `sources`: all of them."""
    enabled = {one.id: one.enabled for one in sources if isinstance(one.id, str)}
    for one in sources:
        for key, index, part in _parts(one.tree):
            _check_part(part, one, enabled, one.spot.at(key, index))
    made_of = {one.id: [part for *_, part in _parts(one.tree)] for one in sources if isinstance(one.id, str)}
    if circle := circle_in(made_of):
        spot = next(one.spot for one in sources if one.id == circle[0])
        if len(circle) > 1:
            spot.wrong(f"is made of itself: {' -> '.join((*circle, circle[0]))}", "delete one of these parts")


def _check_part(part: str, one: Declared, enabled: Mapping[str, bool], spot: Spot) -> None:
    if part == one.id:
        spot.wrong(f"{shown(part)} is the source itself", "delete it")
    elif part not in enabled:
        near = closest(part, [known for known in enabled if known != one.id])
        hint = f"did you mean {near}?" if near else "write the ids of other sources of this configuration"
        spot.wrong(f"no source is called {shown(part)}", hint)
    elif one.enabled and not enabled[part]:
        hint = "write action: none there, so that it is polled and bans nothing by itself"
        spot.wrong(f"{shown(part)} is not enabled, and no part may be missing", hint)


def _parts(own: _Tree) -> Iterator[tuple[str, int, str]]:
    """Every part with the key and the place in its list."""
    for key in _WITH_PARTS:
        yield from ((key, index, part) for index, part in enumerate(_ids(own, key)))
