"""Tables on a terminal, for every command that has one: long ids, long errors, narrow and wide."""

import io
import re
from typing import Any

import pytest
from rich.cells import cell_len

from banlistd.adapters.system.console import console_on
from banlistd.control.declaration import PageContext
from banlistd.control.page import Column, Note, Page, StateLine, Table, Tone, tone_of
from banlistd.control.table import COMMANDS
from banlistd.ctl.terminal import print_page
from ctl.canned import ANSWERS, SINCE

LONG_ID = "list-with-a-name-of-exactly-40-characters"[:40]
LONG_ERROR = "the server answered 503 Service Unavailable and will be asked again " * 4
PAGES = {command.name: command for command in COMMANDS}


def lines_of(page: Page, width: int, *, colour: bool = False) -> list[str]:
    """What a terminal of this width gets."""
    terminal = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setenv("TERM", "xterm" if colour else "dumb")
        patch.delenv("NO_COLOR", raising=False)
        print_page(page, console_on(terminal))
    return terminal.getvalue().splitlines()


def lengthened(value: Any, key: str = "") -> Any:
    """An answer with the longest id and a long error, comment or reason in every row."""
    if isinstance(value, dict):
        return {name: lengthened(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [lengthened(inner, key) for inner in value]
    if key in ("id", "source_id", "key", "sources") and isinstance(value, str):
        return LONG_ID
    if key in ("error", "comment", "spared", "name", "scope"):
        return LONG_ERROR.strip()
    return "2001:db8:1234:5678:9abc:def0:1234:0/112" if key == "address" else value


def tables(name: str) -> list[Table]:
    page = PAGES[name].page(lengthened(ANSWERS[name]), PageContext(SINCE + 90, lambda _: ()))
    return [part for part in page if isinstance(part, Table)]


WITH_TABLES = [name for name in PAGES if tables(name)]


def test_every_command_with_a_table_is_tried() -> None:
    assert WITH_TABLES == [
        "sources",
        "top",
        "report",
        "hits",
        "history",
        "versions",
        "timers",
        "fleet",
        "protected",
        "bans",
        "allowed",
        "nodes",
        "sightings",
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", WITH_TABLES)
def test_no_cell_or_header_is_ever_broken(name: str, width: int) -> None:
    for table in tables(name):
        lines = lines_of([table], width)

        assert max(map(cell_len, lines)) <= width
        kept = [at for at, column in enumerate(table.columns) if not column.spare and not column.below]
        assert kept
        assert all(table.columns[at].head in lines[0] for at in kept)
        heads = {column.head for column in table.columns}
        shown = re.split(r" {2,}", lines[0].strip())
        assert set(shown) <= heads
        rows = [line for line in lines[1:] if not line.startswith("    ")]
        assert len(rows) == len(table.rows)
        for line, row in zip(rows, table.rows, strict=True):
            assert all(row[at] in line for at in kept)
        text = " ".join(" ".join(lines).split())
        for at in (at for at, column in enumerate(table.columns) if column.below):
            assert all(row[at] in text for row in table.rows)


@pytest.mark.parametrize(
    ("width", "heads"),
    [
        (120, "ID STATE ENTRIES ELEMENTS ACTION PACKETS LAST POLL NEXT POLL"),
        (80, "ID STATE ENTRIES PACKETS LAST POLL"),
        (60, "ID STATE ENTRIES"),
    ],
)
def test_columns_are_left_out_by_their_priority(width: int, heads: str) -> None:
    (table,) = tables("sources")

    assert " ".join(lines_of([table], width)[0].split()) == heads


def test_a_long_table_begins_before_all_of_it_is_drawn() -> None:
    class Watched(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            return super().write(text)

    pieces, terminal = list[str](), Watched()
    table = Table(
        (Column("ID"), Column("N", right=True), Column("WHY", below=True)), tuple((str(at), "1", "") for at in range(5000))
    )
    print_page([table], console_on(terminal))
    assert 1 < pieces[0].count("\n") < 1000
    assert [line.split()[0] for line in terminal.getvalue().splitlines()[1:]] == [str(at) for at in range(5000)]


def test_what_fits_stays_in_its_row() -> None:
    table = Table((Column("ID"), Column("STATE"), Column("ERROR", below=True)), (("a", "failed", "HTTP 503"),))

    assert lines_of([table], 80) == ["ID  STATE   ERROR", "a   failed  HTTP 503"]
    assert lines_of([table], 18) == ["ID  STATE", "a   failed", "    error: HTTP", "    503"]


def test_a_column_of_texts_without_any_text_takes_no_room() -> None:
    table = Table((Column("ID"), Column("ERROR", below=True)), (("a", ""),))

    assert lines_of([table], 80) == ["ID", "a"]


def test_a_word_that_is_longer_than_the_line_can_still_be_copied() -> None:
    url = "https://lists.example.net/" + "x" * 60

    table = Table((Column("ID"), Column("ERROR", below=True)), (("a", f"cannot fetch {url}"),))

    assert lines_of([table], 40) == ["ID", "a", "    error: cannot fetch", f"    {url}"]


def test_empty_columns_are_left_out_before_a_text_leaves_its_row() -> None:
    columns = (Column("ID"), Column("PACKETS", spare=1), Column("ENTRIES", spare=2), Column("ERROR", below=True))
    table = Table(columns, (("a", "", "7", "HTTP 503"),))

    assert lines_of([table], 22) == ["ID  ENTRIES  ERROR", "a   7        HTTP 503"]
    assert lines_of([table], 40)[0] == "ID  PACKETS  ENTRIES  ERROR"


def test_a_line_that_is_too_long_is_broken_at_blanks_and_one_that_fits_stays() -> None:
    assert lines_of(["  process      4711"], 20) == ["  process      4711"]
    assert lines_of(["  tor failed 3 times: HTTP 503"], 16) == ["  tor failed 3", "      times:", "      HTTP 503"]
    assert lines_of(["  x" + "y" * 40], 16) == ["  x" + "y" * 40]
    assert lines_of(["a  b" + " c" * 20], 12)[0] == "a  b c c c c"


def test_a_state_keeps_its_colour_where_its_line_is_broken() -> None:
    line = StateLine("  tor has ", "failed", " 3 times: HTTP 503")

    assert lines_of([line], 17, colour=True) == ["  tor has \x1b[31mfailed\x1b[0m", "      3 times:", "      HTTP 503"]
    assert lines_of([line], 14, colour=True)[:2] == ["  tor has", "      \x1b[31mfailed\x1b[0m 3"]


def test_a_cell_that_is_wider_than_the_terminal_is_not_cut() -> None:
    table = Table((Column("ID"), Column("N", right=True)), (("x" * 90, "1"),))

    assert lines_of([table], 60)[1] == f"{'x' * 90}  1"


def test_wide_characters_take_two_cells_and_combining_ones_none() -> None:
    table = Table((Column("NAME"), Column("N", right=True)), (("日本", "1"), ("e\u0301", "22")))

    assert lines_of([table], 80) == ["NAME   N", "日本   1", "e\u0301     22"]


def test_states_are_coloured_and_nothing_else() -> None:
    table = Table((Column("ID"), Column("STATE", is_state=True)), (("failed", "failed"), ("b", "completed"), ("c", "other")))

    head, *rows = lines_of([table], 80, colour=True)

    assert re.sub(r"\x1b\[0m( *)\x1b\[1m", r"\1", head) == "\x1b[1mID      STATE\x1b[0m"
    assert rows == ["failed  \x1b[31mfailed\x1b[0m", "b       \x1b[32mcompleted\x1b[0m", "c       other"]


@pytest.mark.parametrize(
    ("state", "tone"),
    [("completed", Tone.GOOD), ("completed, stale", Tone.BAD), ("never", Tone.OPEN), ("off", Tone.OFF), ("else", None)],
)
def test_the_worst_state_of_a_cell_gives_its_tone(state: str, tone: Tone | None) -> None:
    assert tone_of(state) is tone


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("0", 80), ("many", 80), ("²", 80), ("", 80)])
def test_columns_of_the_environment_give_the_width(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("LINES", "many")

    assert console_on(io.StringIO()).width == width


def test_text_of_a_list_is_no_markup_and_no_name_of_an_emoji() -> None:
    text = "[red]x[/red] [link=http://198.51.100.1]y :smile: [/] 203.0.113.7"
    columns = Column("ID"), Column("ERROR", below=True)

    assert lines_of([text, StateLine("", text, ""), Note(text)], 80, colour=True) == [text] * 3
    assert lines_of([Table(columns, ((text, ""),))], 80, colour=True)[1:] == [text]
    assert lines_of([Table(columns, (("a", text),))], 80)[1:] == [f"a   {text}"]
    assert " ".join(line.strip() for line in lines_of([Table(columns, (("a", text),))], 60)[2:]) == f"error: {text}"


def test_a_note_explains_elements_only_where_the_numbers_differ() -> None:
    def notes(**changed: Any) -> list[Note]:
        row = {**ANSWERS["sources"][0], **changed}
        return [part for part in PAGES["sources"].page([row], PageContext(SINCE, lambda _: ())) if isinstance(part, Note)]

    assert "cuts a network into several" in notes(entries=7, owned=9)[0].text
    assert notes(entries=7, owned=7) == []
