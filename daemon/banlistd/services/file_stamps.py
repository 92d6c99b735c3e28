"""What the files of sources looked like when they were last looked at."""

from collections.abc import Callable, Sequence
from pathlib import Path

from banlistd.model import SourceId


class FileStamps:
    """`look`: a text that changes when a file does; empty while the file cannot be looked at.

    The thread that opens the file of a source notes its stamp, so that a poll takes one turn of a thread and not two.
    """

    def __init__(self, look: Callable[[Path], str]) -> None:
        self._look = look
        self._noted: dict[SourceId, str] = {}

    def of(self, files: Sequence[Path]) -> str:
        """Changes when one of the files does; as the Fetcher of such sources has it for the etag. It may block."""
        return "\n".join(map(self._look, files))

    def note(self, source_id: SourceId, file: Path) -> None:
        """The file of a source is about to be read. In any thread; it may block."""
        self._noted[source_id] = self.of([file])

    def take(self, source_id: SourceId) -> str | None:
        """What was noted since the last call; None: nothing."""
        return self._noted.pop(source_id, None)
