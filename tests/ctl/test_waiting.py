"""The status line of a long order."""

import io
import sys
import threading

import pytest

from banlistd.control.commands.refresh import REFRESH
from banlistd.ctl.waiting import shown_waiting
from ctl.canned import SINCE, SOURCE
from support.screen import screen


def test_a_long_wait_shows_how_many_sources_are_done_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, drawn = io.StringIO(), threading.Event()
    monkeypatch.setattr(sys, "stderr", terminal)
    looks = iter([(3, 12), None])

    def look() -> tuple[int, int] | None:
        found = next(looks)
        if found is None:
            drawn.set()
        return found

    with shown_waiting(look, patience=0):
        assert drawn.wait(10)

    assert "3 of 12 sources" in terminal.getvalue()
    assert screen(terminal.getvalue()) == [""]


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
