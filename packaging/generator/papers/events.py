"""The journal's catalogue, and the events and their fields in banlistd(8) and packaging/docs/events.md."""

import re
from collections.abc import Iterator
from itertools import groupby
from textwrap import wrap

from banlistd.events import EventName, Field
from papers.paper import Paper, section, whole
from papers.roff import roff

_WIDTH = 96

_HEAD = "# Explanations for `journalctl -x`. Generated from daemon/banlistd/events by packaging/generate.\n"


def catalogue() -> str:
    """See journalctl(1) and https://systemd.io/CATALOG: an entry for each message id."""
    return _HEAD + "".join(f"\n{_entry(name)}" for name in EventName)


def _entry(name: EventName) -> str:
    kind = name.kind
    head = f"-- {kind.message_id}\nSubject: {kind.subject}\nDefined-By: banlistd\n"
    return (
        f"{head}Support: man:banlistd(8)\nDocumentation: man:banlistd(8)\n\n"
        + "\n\n".join(_paragraphs(kind.explanation))
        + "\n"
    )


def _paragraphs(explanation: str) -> Iterator[str]:
    """Paragraphs wrapped; examples line by line, with their comments behind them."""
    for is_example, lines in groupby(explanation.splitlines(), lambda line: line.startswith("    ")):
        if is_example:
            yield "\n".join(_example(line) for line in lines)
        else:
            yield from ("\n".join(wrap(line, _WIDTH, break_on_hyphens=False, break_long_words=False)) for line in lines)


def _example(line: str) -> str:
    command, _, comment = line.strip().partition("  ")
    # No column: ids have other lengths than the names of their fields.
    return f"    {command}  # {comment}" if comment else f"    {command}"


def _subject(name: EventName) -> str:
    return re.sub(r"@([A-Z_]+)@", r"\1", name.kind.subject)


def _man_events() -> str:
    return "".join(
        f'.TP\n.BR {name} " ({name.kind.priority.level})"\n{roff(_subject(name))}.\n{_man_fields_of(name)}'
        for name in EventName
    )


def _man_fields_of(name: EventName) -> str:
    return f".br\n{', '.join(name.kind.fields)}\n" if name.kind.fields else ""


def _man_fields() -> str:
    return "".join(f".TP\n.B {field}\n{roff(field.meaning)}\n" for field in Field)


def _table() -> str:
    rows = (
        f"| `{name}` | {name.kind.priority.level} | {_subject(name)} | {', '.join(f'`{field}`' for field in name.kind.fields)} "
        f"| `{name.kind.message_id}` |\n"
        for name in EventName
    )
    return "| event | level | meaning | fields | MESSAGE_ID |\n|---|---|---|---|---|\n" + "".join(rows)


def _field_table() -> str:
    return "| field | meaning |\n|---|---|\n" + "".join(f"| `{field}` | {field.meaning} |\n" for field in Field)


PAPERS: tuple[Paper, ...] = (
    whole("packaging/journal/banlistd.catalog", catalogue),
    section("packaging/man/banlistd.8", "events", _man_events),
    section("packaging/man/banlistd.8", "fields", _man_fields),
    section("packaging/docs/events.md", "events", _table),
    section("packaging/docs/events.md", "fields", _field_table),
)
