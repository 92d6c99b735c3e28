"""The status line of a long order."""

import io
import sys
import threading

import pytest

from banlistd.ctl.waiting import StatusWords, shown_waiting
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


def test_an_order_of_many_says_how_many_addresses_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, drawn = io.StringIO(), threading.Event()
    monkeypatch.setattr(sys, "stderr", terminal)
    looks = iter([(0, 0), None])

    def look() -> tuple[int, int] | None:
        found = next(looks, None)
        if found is None:
            drawn.set()
        return found

    with shown_waiting(look, StatusWords(idle="100,000 addresses in one order"), patience=0):
        assert drawn.wait(10)

    assert "100,000 addresses in one order" in terminal.getvalue()
