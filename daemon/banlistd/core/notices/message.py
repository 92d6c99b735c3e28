"""What a message says: text for a person, in which nothing of an event can be more than text."""

from collections.abc import Sequence
from dataclasses import dataclass

from banlistd.core.notices.notice import Notice
from banlistd.core.printing import counted, quoted

_LONGEST_LINE = 400


@dataclass(frozen=True, slots=True)
class Message:
    """`title` is one line, `body` several."""

    title: str
    body: str


def message_of(notices: Sequence[Notice], lost: int, host: str, waiting: int = 0) -> Message:
    """One message of one or more notices, in order. `waiting`: how many more come in the next message."""
    lines = [_line(notice) for notice in notices]
    if lost:
        lines.append(f"{counted(lost, 'notice', 'notices')} lost before these: this receiver accepted none for too long")
    if waiting:
        lines.append(f"to come: {counted(waiting, 'notice', 'notices')}")
    return Message(f"{_subject(notices)} (banlistd on {quoted(host, 100)})", "\n".join(lines))


def _subject(notices: Sequence[Notice]) -> str:
    if len(notices) == 1:
        one = notices[0]
        return f"Over: {_words(one.ended)}" if one.ended else quoted(one.happening.message, 100)
    begun = [notice.happening.level for notice in notices if not notice.ended]
    errors, warnings, ended = begun.count("error"), begun.count("warning"), len(notices) - len(begun)
    others = len(begun) - errors - warnings
    found = [counted(errors, "error", "errors")] if errors else []
    found += [counted(warnings, "warning", "warnings")] if warnings else []
    found += [counted(others, "event", "events")] if others else []
    found += [f"{ended:,} over"] if ended else []
    return ", ".join(found)


def _line(notice: Notice) -> str:
    happening = notice.happening
    text = quoted(happening.message, _LONGEST_LINE)
    head = f"over: {_words(notice.ended)}: {text}" if notice.ended else f"{quoted(happening.level, 10)}: {text}"
    again = f" (and {counted(notice.again, 'time', 'times')} since the last notice)" if notice.again else ""
    return f"{head}{again} [{quoted(happening.name, 60)}]"


def _words(name: str) -> str:
    return quoted(name, 60).replace("_", " ")
