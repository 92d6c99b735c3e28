"""The status line of a long order."""

import io
import sys
import threading

import pytest

from banlistd.control.commands.refresh import REFRESH
from banlistd.core.printing import progress_bar
from banlistd.ctl.waiting import shown_waiting
from ctl.canned import SINCE, SOURCE


def test_a_long_wait_shows_how_many_sources_are_done_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, drawn = io.StringIO(), threading.Event()
    monkeypatch.setattr(sys, "stderr", terminal)
    looks = iter([(3, 12), (6, 12)])

    def look() -> tuple[int, int]:
        found = next(looks, None)
        if found is None:
            drawn.set()
        return found or (12, 12)

    with shown_waiting(look, patience=0):
        assert drawn.wait(10)

    assert "[######------------------] 3 of 12 sources, 0 s" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_short_wait_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)

    with shown_waiting(lambda: (0, 0), patience=60):
        pass

    assert terminal.getvalue() == ""


@pytest.mark.parametrize(
    ("fields", "done"),
    [({}, (1, 2)), ({"sources": []}, (1, 2)), ({"sources": ["a"]}, (1, 1)), ({"sources": ["b"]}, (0, 1))],
)
def test_a_source_is_done_once_it_was_polled_after_the_order(fields: dict[str, object], done: tuple[int, int]) -> None:
    rows = [
        {**SOURCE, "id": "a", "polled_at": SINCE + 1},
        {**SOURCE, "id": "b", "polled_at": SINCE - 1},
        {**SOURCE, "id": "c", "polled_at": None, "enabled": False},
    ]

    assert REFRESH.progress is not None
    assert REFRESH.progress(fields, rows, SINCE) == done


@pytest.mark.parametrize(
    ("done", "total", "line"),
    [
        (0, 0, "waiting, 7 s"),
        (0, 2, "[------------------------] 0 of 2 sources, 7 s"),
        (2, 2, "[########################] 2 of 2 sources, 7 s"),
        (3, 2, "[########################] 3 of 2 sources, 7 s"),
        (12_345, 20_000, "[##############----------] 12,345 of 20,000 sources, 7 s"),
    ],
)
def test_the_bar_fits_a_narrow_terminal(done: int, total: int, line: str) -> None:
    assert progress_bar(done, total, 7.2, "sources") == line
    assert len(line) < 60
