"""Events for people and machines: journald where we run under it, else lines on stderr as logfmt or JSON."""

import json
import os
import re
import select
import socket
import sys
import time
from contextlib import suppress
from typing import TextIO

from banlistd.core.printing import printable
from banlistd.events import Event
from banlistd.ports import Announcer

try:
    from systemd import journal
except ImportError:
    journal = None

_JOURNAL = "/run/systemd/journal/socket"  # sd_journal_sendv(3) knows no other


class JournaldAnnouncer:
    """Structured entries: the fields of the event beside MESSAGE, MESSAGE_ID and EVENT. Without a journald they are lost."""

    def announce(self, event: Event) -> None:
        with suppress(OSError):
            if not _is_taking(_JOURNAL):
                return
            journal.send(
                printable(event.message),
                MESSAGE_ID=event.name.kind.message_id,
                PRIORITY=int(event.name.kind.priority),
                SYSLOG_IDENTIFIER="banlistd",
                EVENT=str(event.name),
                **{key: printable(str(value)) for key, value in event.fields.items()},
            )


def _is_taking(place: str) -> bool:
    """Whether journald accepts a datagram at once. Raises OSError where no journald listens.

    systemd's library waits for a journald that hangs, and keeps the interpreter's lock meanwhile: every thread would wait.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as probe:
        probe.connect(place)
        watch = select.poll()
        watch.register(probe, select.POLLOUT)
        return bool(watch.poll(0))


class LogfmtAnnouncer:
    """`level=info event=... message="..." source_id=...`, a line for each event.

    `numbered`: each line begins with syslog's level as `<4>`, which journald takes off and understands (sd-daemon(3)).
    """

    def __init__(self, stream: TextIO, *, numbered: bool = False) -> None:
        self._stream = stream
        self._numbered = numbered

    def announce(self, event: Event) -> None:
        number = f"<{event.name.kind.priority:d}>" if self._numbered else ""
        pairs = {"level": event.name.kind.priority.level, "event": str(event.name), "message": event.message, **_lower(event)}
        _print(number + " ".join(f"{key}={_quoted(str(value))}" for key, value in pairs.items()), self._stream)


class JsonAnnouncer:
    """One JSON object for each event, a line each."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def announce(self, event: Event) -> None:
        record = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "level": event.name.kind.priority.level,
            "event": event.name,
            "message": event.message,
            **_lower(event),
        }
        _print(json.dumps(record), self._stream)


def _print(line: str, stream: TextIO) -> None:
    # The reader has closed the pipe, or the disk is full: banning goes on.
    with suppress(OSError):
        # One write: what others write to the same stream comes between lines, not into one.
        stream.write(f"{line}\n")
        stream.flush()


def find_announcer(form: str) -> Announcer:
    """The journal, where stderr is connected to it and `form` is "auto"; else stderr in the form named."""
    if form == "json":
        return JsonAnnouncer(sys.stderr)
    connected = _is_connected(sys.stderr)
    if form == "auto" and connected and journal is not None:
        return JournaldAnnouncer()
    return LogfmtAnnouncer(sys.stderr, numbered=connected)


def _is_connected(stream: TextIO) -> bool:
    """Whether a stream goes to the journal. Programs whose stderr goes elsewhere inherit the variable too (systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _lower(event: Event) -> dict[str, str | int | float]:
    return {key.lower(): value for key, value in event.fields.items()}


_BARE = re.compile(r"[A-Za-z0-9_./:@+-]+")


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped)}"'
