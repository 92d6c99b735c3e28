"""The configuration keys in banlistd.yaml(5) and packaging/docs/configuration.md."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields

from banlistd.core.config.allow import WrittenAllow
from banlistd.core.config.keys import Key, Reload, Section, keys_of
from banlistd.core.config.model import USE, Block, Config, Defaults, Fail2ban, Geo, Guards, Log, Online, ParserSettings, Source
from papers.paper import Paper, section
from papers.roff import roff

SECTIONS: Mapping[type[Section], tuple[str, str]] = {
    Config: ("top-level keys", "A reload applies a changed key, unless the key needs a restart; then the reload is refused."),
    Source: (
        "a source",
        "A source has an `id`, one of `url`, `path` and `block`, or has `use`. Every key of the defaults may be set here too.",
    ),
    Defaults: ("defaults", "These keys may be set below `defaults:`, or for one source."),
    Guards: (
        "guards",
        """These keys may be set below `guards:` of the defaults or of one source.
`banlistctl quarantine` shows the lists that a guard refuses, and `banlistctl approve` accepts one of them.""",
    ),
    Block: ("block", "At least one of these keys."),
    WrittenAllow: ("an entry of allow", "An entry is an address, a network or a range, or a mapping with these keys."),
    Geo: ("geo", "These keys are set below `geo:`."),
    Online: ("geo.online", "These keys are set below `online:` of `geo:`."),
    Fail2ban: ("fail2ban", "These keys are set below `fail2ban:` and belong to the backend fail2ban."),
    ParserSettings: ("parser", "These keys are set below `parser:`."),
    Log: ("log", "These keys are set below `log:`."),
}
"""Title and introduction of each section of the configuration."""


def _keys(of: type[Section]) -> Iterator[tuple[str, Key, str]]:
    """Name, declaration and default (as a user writes it) of each key; what a source has from the defaults is not repeated."""
    inherited = keys_of(Defaults) if of is Source else {}
    if of is Source:
        yield "use", USE, ""
    for field in fields(of):
        key = keys_of(of)[field.name]
        known = field.default not in (MISSING, None, ())
        if field.name not in inherited:
            yield field.name, key, key.kind.show(field.default) if known else ""


def _notes(key: Key) -> str:
    restart = " A change needs a restart." if key.reload is Reload.RESTART else ""
    old = f" Older name: {', '.join(f'`{name}`' for name in key.old)}." if key.old else ""
    return f"{key.help}{old}{restart}"


def _man() -> str:
    return "".join(f".SH {title.upper()}\n{roff(intro)}\n{_man_keys(of)}" for of, (title, intro) in SECTIONS.items())


def _man_keys(of: type[Section]) -> str:
    lines = []
    for name, key, default in _keys(of):
        head = f'.BR {name} " ({roff(default)})"' if default else f".B {name}"
        lines.append(f".TP\n{head}\n{roff(_notes(key))}\n{roff(f'Value: {key.kind.says}.')}\n")
    return "".join(lines)


def _tables() -> str:
    return "\n".join(f"## {title.capitalize()}\n\n{intro}\n\n{_table(of)}" for of, (title, intro) in SECTIONS.items())


def _table(of: type[Section]) -> str:
    rows = (
        f"| `{name}` | {_notes(key)} | {key.kind.says} | {f'`{default}`' if default else ''} |\n"
        for name, key, default in _keys(of)
    )
    return "| key | what it does | value | default |\n|---|---|---|---|\n" + "".join(rows)


PAPERS: tuple[Paper, ...] = (
    section("packaging/man/banlistd.yaml.5", "keys", _man),
    section("packaging/docs/configuration.md", "keys", _tables),
)
