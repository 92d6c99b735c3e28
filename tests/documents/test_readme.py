"""The README and the documents beside it name only what exists, and use the terms of the glossary."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from banlistd.adapters.system.config_file import load
from banlistd.core.config.reload import restart_only_changes
from banlistd.ctl.commands import EVERY_COMMAND

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "daemon" / "banlistd"
README = ROOT / "README.md"
DOCUMENTS = [
    README,
    ROOT / "daemon" / "ARCHITECTURE.md",
    ROOT / "tests" / "README.md",
    *sorted((ROOT / "packaging").rglob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]

_TEST = re.compile(r"`((?:tests/[a-z0-9_/]+\.py)?(?:::)?(?:test_[a-z0-9_]+)?)`")
_PATH = re.compile(r"`((?:daemon|tests|packaging|config|migrations|core|adapters|services|control|ctl)/[a-z0-9_./-]+)")
_LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
_COMMAND = re.compile(r"(?:^    |`)banlistctl ([a-z-]+)", re.MULTILINE)
_YAML = re.compile(r"^```yaml\n(.*?^sources:.*?)^```$", re.DOTALL | re.MULTILINE)
VAGUE = ("shall", "nobody", "somebody", "whoever", "held", "holding", "stands")
_VAGUE = re.compile(rf"\b({'|'.join(VAGUE)})\b", re.IGNORECASE)


@cache
def functions_of(path: Path) -> frozenset[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def found_in_documents(pattern: re.Pattern[str]) -> list[tuple[Path, str]]:
    found = {(path, text) for path in DOCUMENTS for text in pattern.findall(path.read_text()) if text}
    return sorted(found)


def exists(path: str) -> bool:
    return any((folder / f"{path}{ending}").exists() for folder in (ROOT, PACKAGE) for ending in ("", ".py"))


@pytest.mark.parametrize("named", sorted({name for _, name in found_in_documents(_TEST)}))
def test_named_test_exists(named: str) -> None:
    path, _, function = named.partition("::") if named.startswith("tests/") else ("", "", named)
    files = [ROOT / path] if path else [*(ROOT / "tests").rglob("test_*.py")]
    assert all(file.is_file() for file in files)
    assert not function or any(function in functions_of(file) for file in files)


@pytest.mark.parametrize("named", sorted({name for _, name in found_in_documents(_PATH)}))
def test_named_path_exists(named: str) -> None:
    assert exists(named)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    links = [link for link in _LINK.findall(document.read_text()) if not link.startswith(("http:", "https:"))]
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document_uses_the_terms_of_the_glossary(document: Path) -> None:
    # The style guide quotes them.
    words = sorted({word.lower() for word in _VAGUE.findall(re.sub(r'"\w+"', "", document.read_text()))})
    name = document.relative_to(ROOT)
    assert not words, f"{', '.join(words)} in {name}; if the file is generated, change the help text in its declaration"


def test_style_guide_lists_the_vague_terms() -> None:
    (line,) = [line for line in (ROOT / ".github" / "CONTRIBUTING.md").read_text().splitlines() if "do without" in line]
    assert set(re.findall(r'"(\w+)"', line)) == set(VAGUE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_banlistctl_exist(document: Path) -> None:
    assert set(_COMMAND.findall(document.read_text())) <= {command.name for command in EVERY_COMMAND}


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if _YAML.search(path.read_text())], ids=lambda path: path.name)
def test_configuration_is_valid(document: Path, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "our-own.txt").write_text("198.51.100.0/24\n")
    (tmp_path / "banlistd.yaml").write_text("".join(_YAML.findall(document.read_text())))
    assert load(tmp_path).config.sources


def test_first_list_needs_no_restart_after_the_shipped_example(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "our-own.txt").write_text("198.51.100.0/24\n")
    (tmp_path / "banlistd.yaml").write_text("".join(_YAML.findall(README.read_text())))
    assert restart_only_changes(load(ROOT / "config").config, load(tmp_path).config) == ()


def test_each_promise_of_the_readme_has_its_test() -> None:
    promised = re.findall(r"^\* \*\*(.+?)\.?\*\*", README.read_text(), re.MULTILINE)
    rows = re.findall(r"^\| (.+?) \| .*`tests/", (ROOT / "packaging" / "docs" / "promises.md").read_text(), re.MULTILINE)
    assert promised
    assert [promise for promise in promised if promise not in rows] == []


def test_readme_has_at_most_180_lines() -> None:
    assert len(README.read_text().splitlines()) <= 180


def test_the_demonstration_fits_on_one_screen_and_ends_with_the_installation() -> None:
    command = [sys.executable, str(ROOT / "packaging" / "demonstration.py"), str(ROOT / "config"), "memory"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) < 40
    assert not [line for line in lines if "level=" in line or "--runtime" in line]
    (install,) = re.findall(r"^## Install\n.*?\n\n(.*?)\n    systemctl", README.read_text(), re.DOTALL | re.MULTILINE)
    assert [line.strip() for line in install.splitlines()] == [line.strip() for line in lines[-5:-2]]
    assert max(len(line) for line in lines[-6:]) <= 80
