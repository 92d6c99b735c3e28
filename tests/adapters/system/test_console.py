import io
import sys

import pytest

from banlistd.adapters.system.console import has_status_line, status_line, wants_colour
from support.screen import screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_on_stderr_appear_above_the_status_line_in_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    long = 'level=info event=x message="' + "many words of a log line " * 4 + '[red] :smile: \\x1b[31m"'

    with status_line(terminal) as draw:
        draw(1, 2)
        for text in ("half", " and whole", "\n", f"{long}\n"):
            sys.stderr.write(text)
        *above, bar = screen(terminal.getvalue())
        assert above == ["half and whole", long]
        assert " 1 of 2 sources 0:00:0" in bar

    assert screen(terminal.getvalue()) == ["half and whole", long, ""]
    assert sys.stderr is terminal


@pytest.mark.parametrize(("done", "total", "words"), [(0, 0, "waiting"), (3, 2, "3 of 2 sources"), (1, 1, "1 of 1 source")])
def test_the_words_of_the_status_line(done: int, total: int, words: str) -> None:
    terminal = Terminal()

    with status_line(terminal) as draw:
        draw(done, total)
        assert f"{words} 0:00:0" in screen(terminal.getvalue())[-1]


def test_the_status_line_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "60")

    with status_line(terminal) as draw:
        draw(12_345, 20_000)
        (bar,) = screen(terminal.getvalue())

    assert "12,345 of 20,000 sources 0:00:0" in bar
    assert len(bar) <= 60


@pytest.mark.parametrize(
    ("stream", "term", "has"),
    [
        (Terminal(), "xterm", True),
        (Terminal(), "dumb", False),
        (Terminal(), "", False),
        (io.StringIO(), "xterm", False),
        (None, "xterm", False),
    ],
)
def test_only_a_terminal_that_can_redraw_has_a_status_line(stream: io.StringIO | None, term: str, *, has: bool) -> None:
    assert has_status_line(stream, {"TERM": term}) is has


@pytest.mark.parametrize(
    ("environment", "colour"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_colour_is_for_terminals_that_have_it_and_users_who_want_it(environment: dict[str, str], colour: bool) -> None:
    assert wants_colour(environment) is colour
