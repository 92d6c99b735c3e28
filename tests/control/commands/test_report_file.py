"""banlistctl report --html: a file that a browser, a printer and a reader of a screen understand, whatever is in it."""

import json
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from banlistd.control.commands.value.html.document import document, drawing
from banlistd.control.commands.value.report import REPORT
from banlistd.control.declaration import FileContext
from ctl.canned import ANSWERS

ROOT = Path(__file__).parents[3]
ANSWER = Path(__file__).parent / "report.json"
PICTURE = ROOT / "packaging" / "docs" / "report.svg"

NOW = ANSWERS["report"]["over_time"]["until"]
HOSTILE = "</title></text><script>alert(1)</script>\"'&\x1b[31m\u202e<img src=x onerror=y>"
VOID = {"meta", "br", "hr", "img", "input", "link", "col"}


class Reader(HTMLParser):
    """Elements with their attributes, text by element; fails where an element is not closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    def all_of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def drawings_of(text: str) -> Iterator[ET.Element]:
    """Read as XML, by which the parser refuses what is not well-formed."""
    for found in re.findall(r"<svg .*?</svg>", text, re.DOTALL):
        yield ET.fromstring(found)  # noqa: S314 - our own


def answer(**changed: Any) -> Any:
    copied = json.loads(json.dumps(ANSWERS["report"]))
    return {**copied, **changed}


def rows(count: int, name: str = "list-{}") -> list[Any]:
    (row,) = answer()["lists"]
    names = [name.format(at) for at in range(count)]
    return [{**row, "id": one, "overlap": {other: 700 for other in names if other != one}} for one in names]


def test_the_file_is_a_document_with_drawings_that_are_xml() -> None:
    text = document(answer(lists=rows(3)), "host.example", NOW)
    reader = Reader(text)
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert ("title", "What the blocklists of host.example are worth") in reader.texts
    assert len([*drawings_of(text)]) == len(reader.all_of("svg")) >= 5
    headlines = [data for tag, data in reader.texts if tag == "h2"]
    assert headlines == [
        "What each list is worth",
        "Who had addresses first",
        "What lists have in common",
        "Entries over time",
        "Connections over time",
        "Countries",
        "Networks",
        "Candidates for false positives",
        "What is left out",
    ]


def test_nothing_is_run_and_nothing_is_loaded() -> None:
    reader = Reader(document(answer(lists=rows(3)), "host", NOW))
    assert not {tag for tag, _ in reader.elements} & {"script", "img", "link", "iframe", "object", "a", "image", "use"}
    names = {name for _, attributes in reader.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in ("href", "src", "style")}
    (style,) = [data for tag, data in reader.texts if tag == "style"]
    assert "url(" not in style
    assert "@import" not in style
    assert {
        "http-equiv": "Content-Security-Policy",
        "content": "default-src 'none'; style-src 'unsafe-inline'",
    } in reader.all_of("meta")


def test_the_words_of_strangers_are_text_everywhere() -> None:
    found = answer(lists=rows(2, HOSTILE + "{}"), left_out=[HOSTILE])
    for row in found["lists"]:
        row["action"] = HOSTILE
        row["met"] = [dict.fromkeys(("entry", "met", "address", "reason"), HOSTILE)]
    for one in found["over_time"]["lists"]:
        one["id"] = HOSTILE
    found["countries"]["rows"] = [{"key": HOSTILE, "name": HOSTILE, "bans": 3, "addresses": 3}]
    found["networks"]["unknown"] = HOSTILE
    honest = answer(lists=rows(2), left_out=["other"])
    for row in honest["lists"]:
        row["met"] = row["met"][:1]
    text = document(found, HOSTILE, NOW)
    reader = Reader(text)
    assert [tag for tag, _ in reader.elements] == [tag for tag, _ in Reader(document(honest, "host", NOW)).elements]
    assert "\x1b" not in text
    assert "\u202e" not in text
    shown = "</title></text><script>alert(1)</script>\"'&\\x1b[31m\\u202e<img src=x onerror=y>"
    for tag in ("title", "h1", "th", "td", "p"):
        assert any(shown in data for name, data in reader.texts if name == tag), tag
    assert all(list(drawings_of(text)))


def test_a_drawing_has_a_title_words_and_its_figures_as_a_table() -> None:
    text = document(answer(lists=rows(3)), "host", NOW)
    reader = Reader(text)
    ids = {attributes["id"] for _, attributes in reader.elements if "id" in attributes}
    pictures = [attributes for attributes in reader.all_of("svg") if attributes.get("role") == "img"]
    assert len(pictures) == 6
    for attributes in pictures:
        assert set((attributes["aria-labelledby"] or "").split()) <= ids
    assert all(attributes.get("aria-hidden") == "true" for attributes in reader.all_of("svg") if attributes not in pictures)
    assert len(reader.all_of("table")) >= len(pictures)
    assert len(reader.all_of("caption")) == len(reader.all_of("table"))
    assert all(attributes["scope"] in ("col", "row") for attributes in reader.all_of("th"))
    cells = [data for tag, data in reader.texts if tag in ("td", "th")]
    for figure in ("1,650", "85.0 %", "59,857.6", "700", "42.4 %", "1,234", "NO", "Norway", "the office"):
        assert figure in cells


def test_a_dark_screen_and_paper_have_colours_of_their_own() -> None:
    (style,) = [data for tag, data in Reader(document(answer(), "host", NOW)).texts if tag == "style"]
    assert "@media (prefers-color-scheme: dark)" in style
    assert style.count("@media print") == 2
    for colour in re.findall(r"var\((--[a-z]+)\)", style):
        assert style.count(f"{colour}: #") == 3, colour


def test_what_is_missing_is_said_and_not_drawn() -> None:
    plain: Any = {key: value for key, value in answer().items() if key in ("lists", "left_out")}
    for row in plain["lists"]:
        row |= {"past": None, "met": [], "candidates": 0, "packets": None, "hits_per_1000": None}
    texts = [data for _, data in Reader(document(plain, "host", NOW)).texts]
    assert "Entries over time" not in texts
    assert "Countries" not in texts
    assert any(text.startswith("No entry met an allowed") for text in texts)
    assert "No list has content yet." in [
        data for _, data in Reader(document({"lists": [], "left_out": []}, "host", NOW)).texts
    ]
    assert "no database on this machine knows network operators (ASN)" in [
        data for _, data in Reader(document(answer(), "host", NOW)).texts
    ]


def test_a_list_without_an_entry_divides_nothing_by_nothing() -> None:
    found = answer(lists=[{**row, "entries": 0, "unique": 0, "overlap": {}, "hits_per_1000": None} for row in rows(2)])
    found["over_time"]["entries"] = [0, 0]
    found["over_time"]["lists"][0]["entries"] = [None, None]
    assert len([*drawings_of(document(found, "host", NOW))]) >= 5


def test_of_5000_sources_the_file_is_bounded_and_says_what_is_left_out() -> None:
    names = [f"list-{at}" for at in range(5000)]
    found = answer(lists=rows(63), left_out=names[63:])
    met = {"entry": "192.0.2.0/24", "met": "allowed", "address": "192.0.2.7", "reason": "r" * 4000}
    for row in found["lists"]:
        row |= {"met": [met] * 50, "candidates": 1000}
    (one,) = found["over_time"]["lists"]
    changing = {"entries": [*range(1000, 1060)], "hits": [*range(60)]}
    found["over_time"] |= changing | {"lists": [{**one, **changing, "id": row["id"]} for row in found["lists"]]}
    found["networks"] = {
        "bans": 9000,
        "total": 9000,
        "unknown": "",
        "rows": [{"key": f"AS{at}", "name": "n" * 4000, "bans": 1, "addresses": 1} for at in range(9000)],
    }
    text = document(found, "host", NOW)
    reader = Reader(text)
    assert len(text) < 1_500_000
    words = " ".join(data for _, data in reader.texts)
    assert "4,937 lists are left out here" in words
    assert "and 4,837 more" in words
    assert "The first 20 of 9,000 are shown" in words
    assert "Candidates, 200 of 63,000" in words
    assert "Pairs of lists, the largest 100 of 3,906" in words


def test_more_lists_than_a_daemon_compares_are_left_out_too() -> None:
    words = " ".join(data for _, data in Reader(document(answer(lists=rows(70)), "host", NOW)).texts)
    assert "7 lists are left out here, and count only as lists that have an address: list-63, list-64" in words


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("utc")
def test_the_picture_of_the_readme_is_what_the_report_draws() -> None:
    """`report.json` is what a daemon answered of real lists. To draw it anew, delete the picture."""
    drawn = drawing(json.loads(ANSWER.read_text()))
    if not PICTURE.exists():
        PICTURE.write_text(drawn)
    assert PICTURE.read_text() == drawn
    assert ET.fromstring(drawn).attrib["role"] == "img"  # noqa: S314 - our own
    assert f"({PICTURE.relative_to(ROOT)})" in (ROOT / "README.md").read_text()


def test_the_declared_command_makes_the_document() -> None:
    assert REPORT.files["html"](answer(), FileContext(NOW, "host")) == document(answer(), "host", NOW)
