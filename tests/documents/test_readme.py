"""What the README names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`((?:tests/[a-z_/]+\.py)?(?:::)?(?:test_[a-z0-9_]+)?)`")
_README = (ROOT / "README.md").read_text()


def functions_of(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("named", sorted({name for name in _NAMED.findall(_README) if name}))
def test_every_test_that_it_names_exists(named: str) -> None:
    path, _, function = named.partition("::") if named.startswith("tests/") else ("", "", named)
    files = [ROOT / path] if path else [*(ROOT / "tests").rglob("test_*.py")]
    assert all(file.is_file() for file in files)
    assert not function or any(function in functions_of(file) for file in files)
