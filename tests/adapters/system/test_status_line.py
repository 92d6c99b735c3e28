import io

import pytest

from banlistd.adapters.system.status_line import StatusLine, has_status_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_of_the_log_appear_above_the_status_line_in_whole() -> None:
    terminal = Terminal()
    line = StatusLine(terminal)

    line.draw("1 of 2")
    print("half", end="", file=line)
    print(" and whole", file=line)
    line.draw("")

    assert terminal.getvalue() == "\r\x1b[K1 of 2" + "\r\x1b[Khalf and whole\n1 of 2" + "\r\x1b[K"
    assert line.isatty()


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
