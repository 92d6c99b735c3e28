"""A status line at the end of a terminal. Only the standard library, and little of it: banlistctl imports this too."""

import os
from collections.abc import Mapping
from typing import TextIO

_CLEAR = "\r\x1b[K"


def has_status_line(stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is a terminal on which a line can be written again."""
    return stream is not None and environment.get("TERM", "dumb") not in ("", "dumb") and stream.isatty()


class StatusLine:
    """A stream whose last line can be drawn again; what is written to the stream meanwhile appears above it, in whole lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line = ""
        self._unended = ""

    def draw(self, line: str) -> None:
        """Put this line in place of the last one; an empty one removes it."""
        self._line = line
        self._put(_CLEAR + line)

    def write(self, text: str) -> int:
        self._unended += text
        whole, newline, self._unended = self._unended.rpartition("\n")
        if newline:
            self._put(f"{_CLEAR}{whole}\n{self._line}")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
