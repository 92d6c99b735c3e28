"""Each declared event is emitted, carries only the fields that it declares, and explains itself with these alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from banlistd.events import EventName, Field

DAEMON = Path(__file__).resolve().parents[2] / "daemon" / "banlistd"
TREES = {
    path: ast.parse(text)
    for path in sorted(DAEMON.rglob("*.py"))
    if "EventName." in (text := path.read_text("utf-8")) and path.parent != DAEMON / "events"
}
_CAPITALS = re.compile(r"[A-Z][A-Z_]{2,}")
_PLACEHOLDER = re.compile(r"@([^@]*)@")


def named_in(node: ast.AST) -> set[EventName]:
    attributes = [part for part in ast.walk(node) if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name)]
    return {EventName[part.attr] for part in attributes if isinstance(part.value, ast.Name) and part.value.id == "EventName"}


def fields_in(node: ast.AST) -> set[str]:
    """The fields in a piece of code: capitals as keys of dictionaries and as names of arguments."""
    words: set[object] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Dict):
            words |= {key.value for key in part.keys if isinstance(key, ast.Constant)}
        elif isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
            words.add(part.slice.value)
        elif isinstance(part, ast.keyword):
            words.add(part.arg)
    return {word for word in words if isinstance(word, str) and _CAPITALS.fullmatch(word)}


def calls() -> Iterator[tuple[str, EventName, set[str]]]:
    """Calls that name one event: where, which one, and the fields that they give it."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and len(names := named_in(node)) == 1:
                yield f"{path.relative_to(DAEMON)}:{node.lineno}", names.pop(), fields_in(node)


def declared(names: set[EventName]) -> set[str]:
    return {field for name in names for field in name.kind.fields}


@pytest.mark.parametrize("name", EventName)
def test_it_is_emitted_by_a_module_that_sends_its_fields(name: EventName) -> None:
    emitters = [tree for tree in TREES.values() if name in named_in(tree)]
    assert emitters
    assert set(name.kind.fields) <= set().union(*map(fields_in, emitters))


@pytest.mark.parametrize(("where", "name", "fields"), [pytest.param(*call, id=f"{call[0]}-{call[1]}") for call in calls()])
def test_a_call_sends_only_declared_fields(where: str, name: EventName, fields: set[str]) -> None:
    assert fields <= set(name.kind.fields), where


@pytest.mark.parametrize("path", TREES, ids=lambda path: str(path.relative_to(DAEMON)))
def test_a_module_sends_only_fields_of_its_events(path: Path) -> None:
    assert fields_in(TREES[path]) <= declared(named_in(TREES[path]))


def test_every_field_belongs_to_an_event() -> None:
    assert declared(set(EventName)) == set(Field)


def test_message_ids_are_valid_and_unique() -> None:
    numbers = [name.kind.message_id for name in EventName]
    assert len(set(numbers)) == len(numbers)
    assert all(re.fullmatch(r"[0-9a-f]{32}", number) for number in numbers)


@pytest.mark.parametrize("name", EventName)
def test_its_texts_use_only_its_own_fields(name: EventName) -> None:
    assert set(_PLACEHOLDER.findall(name.kind.subject + name.kind.explanation)) <= set(name.kind.fields)
