"""Events for people and machines: journald where we run under it, else lines on stderr as logfmt, JSON or text."""

import errno
import fcntl
import json
import os
import re
import socket
import sys
import time
from contextlib import suppress
from typing import TextIO

from banlistd.core.printing import printable
from banlistd.events import Event, Priority
from banlistd.ports import Announcer

_JOURNAL = "/run/systemd/journal/socket"  # sd_journal_sendv(3) knows no other
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class JournaldAnnouncer:
    """Structured entries: the fields of the event beside MESSAGE, MESSAGE_ID and EVENT. Without a journald they are lost.

    In journald's native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), without waiting for a journald that hangs.
    """

    def announce(self, event: Event) -> None:
        fields = {
            "MESSAGE": event.message,
            "MESSAGE_ID": event.name.kind.message_id,
            "PRIORITY": int(event.name.kind.priority),
            "SYSLOG_IDENTIFIER": "banlistd",
            "EVENT": event.name,
            **event.fields,
        }
        # What is printable has no line end, so that each field is one line.
        entry = "".join(f"{key}={printable(value)}\n" for key, value in fields.items()).encode()
        with suppress(OSError):
            _send(entry)


def _send(entry: bytes) -> None:
    """Send it, in a sealed file where it is too long for a datagram. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        sender.connect(_JOURNAL)
        try:
            sender.send(entry)
        except OSError as exc:
            if exc.errno != errno.EMSGSIZE:
                raise
            with os.fdopen(os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "wb") as file:
                file.write(entry)
                file.flush()
                fcntl.fcntl(file, fcntl.F_ADD_SEALS, _SEALS)
                socket.send_fds(sender, [b""], [file.fileno()])


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


class WarningsAnnouncer:
    """Warnings and errors as text for a person, a line each. Other events are left out: a dry run does not do what they say."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def announce(self, event: Event) -> None:
        priority = event.name.kind.priority
        if priority <= Priority.WARNING:
            _print(f"banlistd: {priority.level}: {printable(event.message)}", self._stream)


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
    if form == "auto" and connected:
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
