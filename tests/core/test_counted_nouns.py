"""A number agrees with its noun in every message: 1 source, 2 sources."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "daemon" / "banlistd"


VERBS = {
    "services/planning/desired_state.py: source_id bans",
    "adapters/firewalls/fail2ban/firewall.py: self._jail lists",
    "adapters/firewalls/fail2ban/jail.py: self._name lists",
}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE), ast.parse(path.read_text(encoding="utf-8"))


def is_counted(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "counted"


def plurals() -> set[str]:
    """The nouns that messages count."""
    calls = [node for _, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call) and is_counted(node)]
    words = (call.args[2].value for call in calls if isinstance(call.args[2], ast.Constant))
    return {word.split()[0] for word in words if isinstance(word, str)} - {"do", "were"}


def numbers_with_a_plural(tree: ast.Module, nouns: set[str]) -> Iterator[str]:
    """Values in messages that are followed by a plural, whatever their number is. A constant is known to be more than one."""
    messages = (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr))
    for value, text in (pair for message in messages for pair in pairwise(message.values)):
        if not isinstance(value, ast.FormattedValue) or not isinstance(text, ast.Constant) or is_counted(value.value):
            continue
        written, noun = ast.unparse(value.value), re.match(r" (\w+)", str(text.value))
        if noun and noun[1] in nouns and not written.isupper():
            yield f"{written} {noun[1]}"


def test_a_number_agrees_with_its_noun() -> None:
    nouns = plurals()
    assert {"sources", "entries", "bans"} <= nouns
    assert {f"{path}: {words}" for path, tree in trees() for words in numbers_with_a_plural(tree, nouns)} == VERBS
