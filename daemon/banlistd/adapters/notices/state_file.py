"""The state of banlistd-notify in a file, replaced as a whole."""

import os
from pathlib import Path

from banlistd.core.notices.state import NoticeState, state_from_text, state_to_text
from banlistd.errors import LedgerError, ParseError


class StateFile:
    """A NoticeStore."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> NoticeState:
        try:
            return state_from_text(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return NoticeState()
        except (OSError, UnicodeDecodeError, ParseError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is damaged, or of another version"
            raise LedgerError(f"{self._path} cannot be read: {reason}") from exc

    def save(self, state: NoticeState) -> None:
        fresh = self._path.with_suffix(".new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(state_to_text(state))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as exc:
            raise LedgerError(f"{self._path} cannot be written: {exc.strerror}") from exc
