"""Events for people and machines: journald where we run under it, else lines on stderr as logfmt or JSON."""

import json
import os
import re
import select
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TextIO

from banlistd.model import Event, EventName
from banlistd.ports import Announcer

try:
    from systemd import journal
except ImportError:
    journal = None

# Fixed for ever: `journalctl MESSAGE_ID=...` and the message catalogue find events by them.
MESSAGE_IDS: Mapping[EventName, str] = {
    EventName.IMPORT_STARTED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c01",
    EventName.IMPORT_COMPLETED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c02",
    EventName.IMPORT_FAILED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c03",
    EventName.IMPORT_SKIPPED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c04",
    EventName.IMPORT_REFUSED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c05",
    EventName.IMPORT_LOST_RACE: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c06",
    EventName.FIREWALL_RESTORED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c07",
    EventName.FIREWALL_DRIFT_REPAIRED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c08",
    EventName.CONFIG_RELOADED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c09",
    EventName.CONFIG_REJECTED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c0a",
    EventName.SERVICE_STARTED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c0b",
    EventName.SERVICE_STOPPED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c0c",
    EventName.SERVICE_FAULT: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c0d",
    EventName.PROTECTED_CARVED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c10",
    EventName.SOURCE_STALE: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c11",
    EventName.LEDGER_FAULT: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c12",
    EventName.LEDGER_MENDED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c13",
    EventName.BACKEND_LEFT: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c14",
    EventName.GEO_WARMED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c20",
    EventName.GEO_FAULT: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c21",
    EventName.ORDER_GIVEN: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c15",
    EventName.MANUAL_BAN_ADDED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c16",
    EventName.MANUAL_BAN_REMOVED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c17",
    EventName.MANUAL_BAN_EXPIRED: "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c18",
}

# syslog's levels: 3 error, 4 warning, 5 notice, 6 information, 7 debug. What is not named is information.
PRIORITIES: Mapping[EventName, int] = {
    EventName.IMPORT_STARTED: 7,
    EventName.IMPORT_FAILED: 4,
    EventName.IMPORT_REFUSED: 4,
    EventName.SOURCE_STALE: 4,
    EventName.FIREWALL_DRIFT_REPAIRED: 4,
    EventName.PROTECTED_CARVED: 4,
    EventName.GEO_WARMED: 7,
    EventName.GEO_FAULT: 4,
    EventName.ORDER_GIVEN: 5,
    EventName.CONFIG_REJECTED: 3,
    EventName.LEDGER_FAULT: 3,
    EventName.SERVICE_FAULT: 3,
}

_INFORMATION = 6

_JOURNAL = "/run/systemd/journal/socket"  # sd_journal_sendv(3) knows no other


class JournaldAnnouncer:
    """Structured entries: the fields of the event beside MESSAGE, MESSAGE_ID and EVENT. What nobody takes is lost."""

    def announce(self, event: Event) -> None:
        with suppress(OSError):
            if not _is_taking(_JOURNAL):
                return
            journal.send(
                printable(event.message),
                MESSAGE_ID=MESSAGE_IDS[event.name],
                PRIORITY=PRIORITIES.get(event.name, _INFORMATION),
                SYSLOG_IDENTIFIER="banlistd",
                EVENT=str(event.name),
                **{key: printable(str(value)) for key, value in event.fields.items()},
            )


def _is_taking(place: str) -> bool:
    """Whether a datagram would be taken at once; raises OSError where nobody listens.

    systemd's library waits for a journald that hangs, and holds the interpreter's lock meanwhile: every thread stands still.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as probe:
        probe.connect(place)
        watch = select.poll()
        watch.register(probe, select.POLLOUT)
        return bool(watch.poll(0))


class LogfmtAnnouncer:
    """`level=info event=... message="..." source_id=...`, a line for each event.

    `numbered`: syslog's level stands in front as `<4>`, which journald takes off and understands (sd-daemon(3)).
    """

    def __init__(self, stream: TextIO, *, numbered: bool = False) -> None:
        self._stream = stream
        self._numbered = numbered

    def announce(self, event: Event) -> None:
        number = f"<{PRIORITIES.get(event.name, _INFORMATION)}>" if self._numbered else ""
        pairs = {"level": _level(event.name), "event": str(event.name), "message": event.message, **_lower(event)}
        _print(number + " ".join(f"{key}={_quoted(str(value))}" for key, value in pairs.items()), self._stream)


class JsonAnnouncer:
    """One JSON object for each event, a line each."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def announce(self, event: Event) -> None:
        record = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "level": _level(event.name),
            "event": event.name,
            "message": event.message,
            **_lower(event),
        }
        _print(json.dumps(record), self._stream)


def _print(line: str, stream: TextIO) -> None:
    # Nobody reads any more, or the disk is full: banning goes on.
    with suppress(OSError):
        print(line, file=stream, flush=True)


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


def printable(text: str) -> str:
    """Text that cannot move a cursor or begin a line: whatever is no printable character is escaped."""
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _lower(event: Event) -> dict[str, str | int | float]:
    return {key.lower(): value for key, value in event.fields.items()}


def _level(name: EventName) -> str:
    return {3: "error", 4: "warning", 5: "notice", 6: "info", 7: "debug"}[PRIORITIES.get(name, _INFORMATION)]


_BARE = re.compile(r"[A-Za-z0-9_./:@+-]+")


def _quoted(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped)}"'
