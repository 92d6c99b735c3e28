"""Events as lines that nobody can forge, and as entries on a socket that stands for journald's."""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from banlistd.adapters.system.journal import (
    JournaldAnnouncer,
    JsonAnnouncer,
    LogfmtAnnouncer,
    WarningsAnnouncer,
    find_announcer,
)
from banlistd.core.printing import printable
from banlistd.events import Event, EventName, Priority

HOSTILE = {
    "a line end": "x\nlevel=error event=service_fault",
    "a carriage return": "x\rlevel=error",
    "an escape sequence": "\x1b[2J\x1b]0;title\x07",
    "a quotation mark": 'x" level=error event="forged',
    "a backslash before the mark": 'x\\" level=error',
    "backslashes at the end": "x\\\\\\",
    "a lone surrogate": "x\udc80\ud800",
    "the line separators of Unicode": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "text that runs backwards": "\u202egnp.exe",
    "a NUL": "a\0b",
    "an emoji": "\N{SKULL} banned",
    "what looks like an escape": "\\n is no line end",
    "a sign of equality": "REASON=x level=error",
    "nothing": "",
}

_PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"]+)(?: |$)')


def line_of(event: Event, *, numbered: bool = False) -> str:
    stream = io.StringIO()
    LogfmtAnnouncer(stream, numbered=numbered).announce(event)
    text = stream.getvalue()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    return text[:-1]


def read_back(line: str) -> dict[str, str]:
    """A reader of logfmt that knows nothing of the writer but that a backslash escapes."""
    pairs, at = {}, 0
    while at < len(line):
        pair = _PAIR.match(line, at)
        assert pair, f"not logfmt from {line[at:]!r}"
        key, value = pair.groups()
        assert key not in pairs
        pairs[key] = _unescaped(value[1:-1]) if value.startswith('"') else value
        at = pair.end()
    return pairs


def _unescaped(text: str) -> str:
    simple = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"'}

    def meant(escape: re.Match[str]) -> str:
        code = escape[1]
        return simple[code] if code in simple else chr(int(code[1:], 16))

    return re.sub(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|.)", meant, text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_line_of_logfmt_reads_back_as_what_was_said(text: str) -> None:
    event = Event(EventName.IMPORT_REFUSED, text, {"SOURCE_ID": "feed", "REASON": text, "RUN_ID": 7})
    assert read_back(line_of(event)) == {
        "level": "warning",
        "event": "blocklist_import_refused",
        "message": text,
        "source_id": "feed",
        "reason": text,
        "run_id": "7",
    }


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_line_has_no_control_characters(text: str) -> None:
    line = line_of(Event(EventName.IMPORT_FAILED, text, {"REASON": text}))
    assert line.isprintable()
    line.encode("utf-8")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_json_is_one_object_a_line(text: str) -> None:
    stream = io.StringIO()
    announcer = JsonAnnouncer(stream)
    for _ in range(2):
        announcer.announce(Event(EventName.IMPORT_FAILED, text, {"REASON": text, "DURATION_MS": 12}))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    for line in lines:
        record = json.loads(line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record.pop("time"))
        assert record == {
            "level": "warning",
            "event": "blocklist_import_failed",
            "message": text,
            "reason": text,
            "duration_ms": 12,
        }


def test_what_a_person_can_read_stays_as_it_is() -> None:
    assert printable("Größe: 5 \N{RIGHTWARDS ARROW} 7") == "Größe: 5 \N{RIGHTWARDS ARROW} 7"


@pytest.mark.parametrize("name", EventName)
def test_the_level_is_the_declared_priority(name: EventName) -> None:
    stream = io.StringIO()
    JsonAnnouncer(stream).announce(Event(name, "x"))
    assert json.loads(stream.getvalue())["level"] == name.kind.priority.level
    assert line_of(Event(name, "x"), numbered=True).startswith(f"<{int(name.kind.priority)}>level={name.kind.priority.level} ")


def test_level_is_in_front_under_a_service_manager() -> None:
    assert line_of(Event(EventName.IMPORT_FAILED, "x"), numbered=True).startswith("<4>level=warning ")
    assert line_of(Event(EventName.SERVICE_STARTED, "x"), numbered=True).startswith("<6>level=info ")


def test_a_person_gets_warnings_and_errors_in_one_line_each() -> None:
    stream, said = io.StringIO(), printable("a\nb")
    for name in EventName:
        WarningsAnnouncer(stream).announce(Event(name, "a\nb"))
    levels = [name.kind.priority.level for name in EventName if name.kind.priority <= Priority.WARNING]
    assert stream.getvalue().splitlines() == [f"banlistd: {level}: {said}" for level in levels]


@pytest.mark.parametrize("announcer", [LogfmtAnnouncer, JsonAnnouncer, WarningsAnnouncer])
def test_a_line_and_its_end_are_one_write(announcer: type[LogfmtAnnouncer | JsonAnnouncer | WarningsAnnouncer]) -> None:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # As standard error is with PYTHONUNBUFFERED. Each write is a packet.
    with here, there, open(here.fileno(), "wb", buffering=0, closefd=False) as raw:
        stream = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
        announcer(stream).announce(Event(EventName.IMPORT_FAILED, "x", {"REASON": "y" * 20_000}))
        packet = there.recv(65_536)
    assert packet.endswith(b"\n")
    assert packet.count(b"\n") == 1


def test_a_reader_that_went_away_is_no_reason_to_stop() -> None:
    there, here = os.pipe()
    os.close(there)
    with open(here, "w", buffering=1, encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor
        for announcer in (LogfmtAnnouncer(pipe), JsonAnnouncer(pipe)):
            announcer.announce(Event(EventName.SERVICE_STARTED, "nobody reads this"))
        # What is left in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), here)


@contextmanager
def connected(path: Path, *, named: str | None = None) -> Iterator[None]:
    """Standard error is a file, and the environment says that this file (or another) is the journal's."""
    # Not by fixture: between a fixture and its test pytest sets standard error anew.
    with path.open("w", encoding="utf-8") as stream, pytest.MonkeyPatch.context() as patch:
        status = os.fstat(stream.fileno())
        patch.setattr(sys, "stderr", stream)
        patch.setenv("JOURNAL_STREAM", named or f"{status.st_dev}:{status.st_ino}")
        yield


def test_the_journal_is_chosen_where_stderr_is_connected_to_it(tmp_path: Path) -> None:
    with connected(tmp_path / "stderr"):
        assert isinstance(find_announcer("auto"), JournaldAnnouncer)


def test_a_variable_that_was_inherited_does_not_make_a_terminal_a_journal(tmp_path: Path) -> None:
    with connected(tmp_path / "stderr", named="1:1"):
        find_announcer("auto").announce(Event(EventName.IMPORT_FAILED, "x"))
    assert (tmp_path / "stderr").read_text("utf-8").startswith("level=warning ")


def test_a_form_that_was_asked_for_is_used_also_under_a_service_manager(tmp_path: Path) -> None:
    with connected(tmp_path / "stderr"):
        assert isinstance(find_announcer("json"), JsonAnnouncer)
        find_announcer("logfmt").announce(Event(EventName.IMPORT_FAILED, "x"))
    assert (tmp_path / "stderr").read_text("utf-8").startswith("<4>level=warning ")


# sd_journal_sendv knows one place only, so that the socket which stands for journald is bound in a mount namespace of its own.
PRELUDE = """
import json, os, socket
from banlistd.adapters.system.journal import JournaldAnnouncer
from banlistd.events import Event, EventName
PLACE = "/run/systemd/journal/socket"
announcer = JournaldAnnouncer()
def listen():
    os.makedirs(os.path.dirname(PLACE), exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    listener.bind(PLACE)
    return listener
def entry(listener):
    return listener.recv(65536).decode("latin-1")
"""


def with_a_run_of_its_own(script: str) -> object:
    """What a script prints as JSON, run where /run is empty and its own. Skips where there can be no such place."""
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", 'mount -t tmpfs none /run; exec "$0" "$@"']
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mount namespace (unshare --user --mount)")
    done = subprocess.run(
        [*inside, sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fields_of(datagram: object) -> Mapping[str, str]:
    """The plain form of journald's protocol: KEY=value, a line each. The form with lengths begins with a lone key."""
    assert isinstance(datagram, str)
    lines = datagram.encode("latin-1").decode("utf-8").removesuffix("\n").split("\n")
    assert all("=" in line for line in lines)
    return dict(line.split("=", 1) for line in lines)


def test_an_entry_reaches_journald_with_its_fields() -> None:
    answer = with_a_run_of_its_own(
        """
        listener = listen()
        announcer.announce(Event(EventName.IMPORT_REFUSED, "feed: Größe\\nMESSAGE_ID=forged", {
            "SOURCE_ID": "feed", "RUN_ID": 12, "REASON": "a\\nPRIORITY=0\\x1b[2J\\udc80"}))
        print(json.dumps(entry(listener)))
        """
    )
    fields = fields_of(answer)
    assert fields["MESSAGE"] == r"feed: Größe\nMESSAGE_ID=forged"
    assert fields["MESSAGE_ID"] == EventName.IMPORT_REFUSED.kind.message_id
    assert fields["PRIORITY"] == "4"
    assert fields["SYSLOG_IDENTIFIER"] == "banlistd"
    assert fields["EVENT"] == "blocklist_import_refused"
    assert (fields["SOURCE_ID"], fields["RUN_ID"]) == ("feed", "12")
    assert fields["REASON"] == r"a\nPRIORITY=0\x1b[2J\udc80"


def test_the_journal_takes_every_declared_event_with_its_fields() -> None:
    answer = with_a_run_of_its_own(
        """
        listener = listen()
        entries = {}
        for name in EventName:
            announcer.announce(Event(name, "x", dict.fromkeys(name.kind.fields, 7)))
            entries[name] = entry(listener)
        print(json.dumps(entries))
        """
    )
    assert isinstance(answer, dict)
    assert answer.keys() == {*EventName}
    for name in EventName:
        fields = fields_of(answer[name])
        assert (fields["MESSAGE_ID"], fields["PRIORITY"]) == (name.kind.message_id, str(int(name.kind.priority)))
        beside = {"MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_IDENTIFIER", "EVENT"}
        assert fields.keys() - beside == set(name.kind.fields)


def test_an_entry_too_long_for_a_datagram_comes_in_a_sealed_file() -> None:
    answer = with_a_run_of_its_own(
        """
        import fcntl
        listener = listen()
        announcer.announce(Event(EventName.IMPORT_FAILED, "long", {"REASON": "y" * 1_000_000}))
        octets, files, _, _ = socket.recv_fds(listener, 100, 1)
        text = os.pread(files[0], 2_000_000, 0).decode()
        print(json.dumps([octets.decode(), text, fcntl.fcntl(files[0], fcntl.F_GET_SEALS)]))
        """
    )
    assert isinstance(answer, list)
    octets, text, seals = answer
    assert octets == ""
    assert fields_of(text)["REASON"] == "y" * 1_000_000
    assert seals == 15  # all of them; journald takes no file that its sender can still change


def test_without_a_journald_events_are_lost_and_nothing_is_raised_and_a_new_one_is_found() -> None:
    answer = with_a_run_of_its_own(
        """
        event = Event(EventName.SERVICE_STARTED, "hello")
        announcer.announce(event)  # no socket
        listen().close()
        announcer.announce(event)  # a socket, and nobody behind it
        os.unlink(PLACE)
        listener = listen()
        announcer.announce(event)
        print(json.dumps(entry(listener)))
        """
    )
    assert fields_of(answer)["MESSAGE"] == "hello"


def test_a_journald_that_hangs_does_not_hang_us() -> None:
    answer = with_a_run_of_its_own(
        """
        listener = listen()
        with open("/proc/sys/net/unix/max_dgram_qlen") as file:
            many = 10 + 2 * int(file.read())
        for number in range(many):
            announcer.announce(Event(EventName.SERVICE_STARTED, str(number)))
        taken = 0
        try:
            while entry(listener):
                taken += 1
        except BlockingIOError:
            pass
        announcer.announce(Event(EventName.SERVICE_STARTED, "awake again"))
        print(json.dumps([taken, many, entry(listener)]))
        """
    )
    assert isinstance(answer, list)
    taken, many, last = answer
    assert 0 < taken < many
    assert fields_of(last)["MESSAGE"] == "awake again"
