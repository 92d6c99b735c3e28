"""The developer's documents agree with the code: tables of the database, terms of the glossary, pages of decisions."""

import re
import sqlite3
from pathlib import Path

import pytest

from test_floors import FLOORS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "packaging" / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
_CLASS = re.compile(r"`([A-Z][A-Za-z]+)`")


def tables_after_all_migrations() -> set[str]:
    connection = sqlite3.connect(":memory:")
    for path in sorted((ROOT / "migrations").iterdir()):
        connection.executescript(path.read_text())
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    connection.close()
    return {name for (name,) in rows}


def first_cells(text: str) -> list[str]:
    """The first cell of each row of each table, without heads and lines."""
    rows = re.findall(r"^\| (.+?) \|.*\n", re.sub(r"^\|.*\n\|---.*\n", "", text, flags=re.MULTILINE), re.MULTILINE)
    return [str(row) for row in rows]


def classes() -> set[str]:
    """Classes at any depth, and names at the top that are given a value, by their lines: parsing every module takes seconds."""
    text = "\n".join(path.read_text() for path in (ROOT / "daemon").rglob("*.py"))
    return set(re.findall(r"^ *class (\w+)", text, re.MULTILINE)) | set(re.findall(r"^(\w+) = ", text, re.MULTILINE))


def test_database_page_describes_exactly_the_tables() -> None:
    assert {cell.strip("`") for cell in first_cells((DOCS / "database.md").read_text())} == tables_after_all_migrations()


def test_architecture_page_gives_the_floors_of_the_test() -> None:
    text = (ROOT / "daemon" / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| (-?\d) \| (.+?) \|", text, re.MULTILINE)
    floors = {room.strip("`/").removesuffix(".py"): int(floor) for floor, rooms in rows for room in rooms.split(", ")}
    assert floors == FLOORS


def test_modules_of_the_architecture_page_exist() -> None:
    text = (ROOT / "daemon" / "ARCHITECTURE.md").read_text()
    modules = {path.name for path in (ROOT / "daemon").rglob("*.py")}
    assert set(re.findall(r"`([a-z_]+\.py)`", text)) <= modules


def test_glossary_has_each_term_once_in_order() -> None:
    terms = first_cells((DOCS / "glossary.md").read_text())
    assert len(terms) >= 30
    assert terms == sorted(set(terms), key=str.casefold)


def test_class_names_of_the_glossary_exist() -> None:
    named = set(_CLASS.findall((DOCS / "glossary.md").read_text()))
    assert len(named) >= 10
    assert named <= classes()


def test_decisions_are_numbered_from_one_without_gaps() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_decision_has_date_status_and_rejected_alternatives(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert re.search(r"^Date: 20\d\d-\d\d-\d\d\. Status: accepted, (implemented|not yet built)\.$", text, re.MULTILINE)
    assert all(f"\n## {part}\n" in text for part in ("Decision", "Measurement", "Rejected"))
