import pytest

from banlistd.core.notices.deciding import Course
from banlistd.core.notices.notice import Happening, Notice
from banlistd.core.notices.queues import Queue
from banlistd.core.notices.state import NoticeState, state_from_text, state_to_text
from banlistd.errors import ParseError

HAPPENING = Happening(1.5, "warning", "a", "\ud800 text", {"SOURCE_ID": "tor", "ADDED": 1})


def test_what_is_written_is_read() -> None:
    courses = {("a", "tor"): Course(9.0, 2, HAPPENING, is_reported=True), ("b", ""): Course(1.0)}
    state = NoticeState("1:2", True, courses, {"mail": Queue((Notice(HAPPENING, 2.0, 1, "b", is_urgent=True),), 3, 4, 5.0)})
    assert state_from_text(state_to_text(state)) == state


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"version": 2}', "[" * 100_000, '{"version": 1, "place": "1:2"}'])
def test_a_damaged_state_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        state_from_text(text)
