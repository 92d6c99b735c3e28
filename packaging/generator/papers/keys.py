"""The configuration keys in banlistd.yaml(5) and packaging/docs/configuration.md."""

import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, fields

from banlistd.core.config.keys import Key, Reload, Section, keys_of, sections_of
from banlistd.core.config.model import Config, Source
from banlistd.core.config.sections.defaults import Defaults
from banlistd.core.config.sections.guards import Guards
from papers.paper import Paper, section
from papers.roff import roff

SECTIONS = sections_of(Config)
"""Every section that a configuration can have."""


def _keys(of: type[Section]) -> Iterator[tuple[str, Key, str]]:
    """Name, declaration and default (as a user writes it) of each key; what a source has from the defaults is not repeated."""
    inherited = keys_of(Defaults) if of is Source else {}
    for field in fields(of):
        key = keys_of(of)[field.name]
        known = field.default not in (MISSING, None)
        if field.name not in inherited:
            yield field.name, key, key.kind.show(field.default) if known else ""


def _notes(key: Key) -> str:
    restart = " A change needs a restart." if key.reload is Reload.RESTART else ""
    old = f" Older name: {', '.join(f'`{name}`' for name in key.old)}." if key.old else ""
    return f"{key.help}{old}{restart}"


def _man() -> str:
    return "".join(f".SH {of.title.upper()}\n{roff(of.intro)}\n{_man_keys(of)}" for of in SECTIONS)


def _man_keys(of: type[Section]) -> str:
    lines = []
    for name, key, default in _keys(of):
        head = f'.BR {name} " ({roff(default)})"' if default else f".B {name}"
        lines.append(f".TP\n{head}\n{roff(_notes(key))}\n{roff(f'Value: {key.kind.says}.')}\n")
    return "".join(lines)


def _tables() -> str:
    return "\n".join(f"## {of.title.capitalize()}\n\n{of.intro}\n\n{_table(of)}" for of in SECTIONS)


def _table(of: type[Section]) -> str:
    rows = (
        f"| `{name}` | {_notes(key)} | {key.kind.says} | {f'`{default}`' if default else ''} |\n"
        for name, key, default in _keys(of)
    )
    return "| key | what it does | value | default |\n|---|---|---|---|\n" + "".join(rows)


def _guards() -> str:
    """Commented out, each below its help,
    without the marks of Markdown.
    """
    lines = ["# guards:"]
    for name, key, default in _keys(Guards):
        lines += textwrap.wrap(key.help.replace("`", ""), 120, initial_indent="#   # ", subsequent_indent="#   # ")
        lines.append(f"#   {name}: {default}")
    return "\n".join(lines)


PAPERS: tuple[Paper, ...] = (
    section("packaging/man/banlistd.yaml.5", "keys", _man),
    section("packaging/docs/configuration.md", "keys", _tables),
    section("config/banlistd.yaml", "guards", _guards),
)
