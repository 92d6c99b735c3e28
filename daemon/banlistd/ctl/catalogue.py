"""banlistctl catalogue: the lists that are known by name, and their terms. It reads the file that ships, and asks no daemon."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from banlistd.control.declaration import Argument, LocalCommand
from banlistd.control.page import Column, Page, Table
from banlistd.core.config.catalogue.terms import ListState, Permission, Purpose, Topic
from banlistd.core.printing import counted
from banlistd.ctl import output
from banlistd.errors import UsageError

_FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "catalogue.json")  # noqa: PTH100, PTH118, PTH120 - pathlib: 10 ms

Written = Mapping[str, Any]
"""The keys and values of a list as they are written: text, or lists and mappings of text."""

_COLUMNS = (
    Column("NAME"),
    Column("GOOD FOR", spare=3),
    Column("SIZE", spare=4),
    Column("EVERY", right=True, spare=5),
    Column("BUSINESS", spare=2),
    Column("STATE", spare=1),
    Column("WHAT IT IS", below=True),
)


def _entries() -> Mapping[str, Written]:
    with open(_FILE, encoding="utf-8") as file:  # noqa: PTH123 - pathlib: 10 ms
        entries: Mapping[str, Written] = json.load(file)
    return entries


def known_names() -> Sequence[str]:
    """The names of the catalogue."""
    return tuple(_entries())


def _list(arguments: argparse.Namespace) -> int:
    return _print([entry for entry in _entries().values() if _fits(entry, arguments)], arguments)


def _search(arguments: argparse.Namespace) -> int:
    """The lists whose name or text has every word, whatever its case."""
    words = [word.lower() for word in arguments.words]
    texts = {name: json.dumps(entry, ensure_ascii=False).lower() for name, entry in _entries().items()}
    found = [entry for name, entry in _entries().items() if all(word in texts[name] for word in words)]
    return _print([entry for entry in found if _fits(entry, arguments)], arguments)


def _print(found: Sequence[Written], arguments: argparse.Namespace) -> int:
    if arguments.json:
        print(json.dumps(found))
    else:
        output.show(_page(found))
    return 0


def _fits(entry: Written, arguments: argparse.Namespace) -> bool:
    """Whether an entry is what was asked for; one for both directions is for each of them."""
    asked = {key: value for key in ("purpose", "state", "commercial") if (value := getattr(arguments, key))}
    direction, topic = arguments.direction, arguments.good_for
    return (
        all(entry[key] == value for key, value in asked.items())
        and (not direction or entry["direction"] in (direction, "both"))
        and (not topic or topic in entry["good_for"])
    )


def _page(entries: Sequence[Written]) -> Page:
    if not entries:
        return ["no list is like that"]
    rows = tuple(
        (
            entry["id"],
            ", ".join(entry["good_for"]),
            entry["size"],
            entry["every"],
            entry["commercial"],
            entry["state"],
            entry["comment"],
        )
        for entry in entries
    )
    return [Table(_COLUMNS, rows), f"{counted(len(rows), 'list', 'lists')}; banlistctl catalogue show NAME says more"]


def _show(arguments: argparse.Namespace) -> int:
    entries = _entries()
    entry = entries.get(arguments.name)
    if entry is None:
        from banlistd.core.config.values import closest  # noqa: PLC0415 - only a mistyped name needs it

        near = closest(arguments.name, entries)
        hint = f"did you mean {near}?" if near else "banlistctl catalogue lists the names"
        raise UsageError(f"{arguments.name[:60]!a} is not in the catalogue", hint)
    if arguments.json:
        print(json.dumps(entry))
    else:
        width = max(map(len, entry))
        output.show([f"{key.replace('_', ' '):{width}}  {_shown(value)}" for key, value in entry.items()])
    return 0


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value)


def _words(words: type[StrEnum]) -> tuple[str, ...]:
    return tuple(str(word) for word in words)


_FILTERS = (
    Argument("--good-for", "TOPIC", f"only those that are good for this: {', '.join(Topic)}", choices=_words(Topic)),
    Argument("--direction", "WAY", "only those for packets that come in, or go out", choices=("in", "out")),
    Argument("--state", "STATE", "only those in this state", choices=_words(ListState)),
    Argument("--commercial", "ANSWER", "only those that a business may use, or may not", choices=_words(Permission)),
    Argument("--purpose", "PURPOSE", "only lists to ban, or references for the allowlist", choices=_words(Purpose)),
)

CATALOGUE = LocalCommand(
    name="catalogue",
    help="the lists that are known by name, what they are good for and what their terms allow",
    run=_list,
    arguments=_FILTERS,
    details="`- use: NAME` below `sources` polls one of them. The daemon need not run. With words, as in `catalogue ssh"
    " guessing`, it searches for them.",
    otherwise="search",
)

CATALOGUE_SEARCH = LocalCommand(
    name="catalogue search",
    help="the lists of the catalogue whose name or text has all of these words",
    run=_search,
    arguments=(Argument("words", "WORD", "a word, or a part of one", nargs="+"), *_FILTERS),
    details="The case of letters does not matter. `search` may be left out.",
)

CATALOGUE_SHOW = LocalCommand(
    name="catalogue show",
    help="everything that is known of one list of the catalogue",
    run=_show,
    arguments=(Argument("name", "NAME", "its name in the catalogue"),),
    exits={64: "it is not in the catalogue"},
)
