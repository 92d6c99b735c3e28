"""A program on a pseudo-terminal: what it writes there."""

import os
import pty
import subprocess
from collections.abc import Sequence


def on_terminal(arguments: Sequence[str], columns: str, **settings: str) -> str:
    """What a program that succeeds writes on a terminal of so many columns. `settings`: of its environment."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    environment |= {"COLUMNS": columns, "LINES": "50", "TERM": "dumb", **settings}
    with subprocess.Popen(arguments, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        seen = b""
        while chunk := read_terminal(ours):
            seen += chunk
        assert process.wait(60) == 0
    os.close(ours)
    return seen.decode()


def read_terminal(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # EIO: the other side has closed it
        return b""
