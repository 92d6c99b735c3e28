"""Places in the configuration files, and what is wrong there. Problems are collected, not raised."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from banlistd.core.config.values import Unfit, among, closest
from banlistd.core.printing import counted, printable
from banlistd.errors import ConfigError

Place = tuple[str | int, ...]
"""The way from a file's root to a value: keys of mappings, indices of lists (from 0)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `key` is empty where the whole file is meant, `line` counts from 1, 0: no line."""

    file: str
    line: int
    key: str
    words: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{printable(self.file)}:{self.line}" if self.line else printable(self.file)
        key = f"{self.key}: " if self.key else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}: {key}{self.words}{hint}"


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its name as its user would type it, and its content as plain data.

    In `tree` every scalar is a str, or None where nothing (or `~`, `null`) was written; beside them there are only list
    and dict with str keys. `lines`: the line of each place, of the key for the values of a mapping. `problems`: found
    while the file was read; then the tree holds what could be understood.
    """

    name: str
    tree: object = None
    lines: Mapping[Place, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a document, where a reader looks at a value and says what is wrong with it."""

    document: Document
    problems: list[Problem]
    place: Place = ()

    def at(self, *steps: str | int) -> "Spot":
        return Spot(self.document, self.problems, (*self.place, *steps))

    def wrong(self, words: str, hint: str = "") -> None:
        self.problems.append(Problem(self.document.name, self.line, key_of(self.place), words, hint))

    def unfit(self, verdict: Unfit) -> None:
        self.wrong(verdict.words, verdict.hint)

    def unknown(self, key: str, known: Iterable[str], home: str = "") -> None:
        """A key that means nothing here. `home`: where it means something, as a hint; empty: nowhere below."""
        known = list(known)
        nearest = closest(key, [*known, *_MEANT])
        found = (_MEANT.get(key.lower(), ""), nearest, _MEANT.get(nearest, ""), closest(key, known))
        near = next((one for one in found if one in known), "")
        hint = home or (f"did you mean {near}?" if near else f"known: {among(known)}")
        self.at(key).wrong("is not a key here", hint)

    @property
    def line(self) -> int:
        """Of this place, or of the nearest one around it: a missing key is looked for where its mapping begins."""
        lines = self.document.lines
        ways = (self.place[:length] for length in range(len(self.place), -1, -1))
        return next((lines[way] for way in ways if way in lines), 1)


# What the same thing is called elsewhere.
_MEANT: Mapping[str, str] = {
    "interval": "every",
    "refresh": "every",
    "file": "path",
    "name": "id",
    "link": "url",
    "whitelist": "allow",
    "allowlist": "allow",
    "feeds": "sources",
    "lists": "sources",
    "cidr": "address",
    "network": "address",
    "ip": "address",
    "expires": "until",
    "delimiter": "separator",
    "license": "licence",
    "max_size": "max_bytes",
    "target": "action",
    "policy": "action",
    "union": "merge",
    "combine": "merge",
    "sources": "merge",
    "parts": "merge",
    "intersection": "intersect",
    "minus": "exclude",
    "subtract": "exclude",
    "except": "exclude",
    "country": "countries",
    "asn": "asns",
    "database": "databases",
    "geoip": "geo",
}


# The longest piece of a key that is shown.
_STEP = 40


def key_of(place: Place) -> str:
    """`sources[0].every`"""
    steps = (f"[{step}]" if isinstance(step, int) else f".{printable(step[:_STEP])}" for step in place)
    return "".join(steps).removeprefix(".")


def raise_all(problems: Sequence[Problem], documents: Sequence[Document]) -> None:
    """Raises ConfigError with every problem, in the order of the documents and their lines; nothing where there is none."""
    if not problems:
        return
    order = {document.name: index for index, document in enumerate(documents)}
    found = sorted(problems, key=lambda problem: (order.get(problem.file, len(order)), problem.line))
    lines = tuple(dict.fromkeys(str(problem) for problem in found))
    raise ConfigError("configuration is wrong", counted(len(lines), "problem", "problems"), problems=lines)
