"""Answers that a server makes on purpose, each to a source of its own of one real daemon, all at the same time.

`test_http_faults` has the faults that befall an honest server, one after another.
"""

import gzip
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from support.feed_server import FeedServer, Handler, body, head, raw, redirect, slow, status
from support.hostile_bytes import xz_with_dictionary, zstd_frame
from support.network_namespace import NetworkNamespace
from system.daemon_process import Daemon, Installation, running
from system.kernel_view import expected, standing

LIST = b"198.51.100.9\n"
WRONG = b"203.0.113.7\n"
"""No answer that goes wrong may bring it into the kernel."""

MAX_MEMORY = 64_000_000
"""Octets that the daemon may grow by while it gets all these answers."""

TAKEN, FAILED, REFUSED = "blocklist_import_completed", "blocklist_import_failed", "blocklist_import_refused"

MANY_HEADERS = "the answer has more than 128 headers"
NOT_HTTP = "the answer is not proper HTTP"
ESCAPES = "\x1b]0;title\x07\x1b[2J\u202eevil\u2028level=error"

Answer = Handler | Callable[[FeedServer], Handler]


@dataclass(frozen=True)
class Row:
    """`message`: a pattern of what the event says."""

    answer: Callable[[FeedServer], Handler]
    event: str = TAKEN
    message: str = "1 entry"


def answered(data: Callable[[], bytes], event: str = TAKEN, message: str = "1 entry") -> Row:
    """These octets are the whole answer, head included."""
    return Row(lambda _: raw(data()), event, message)


def with_body(content: Callable[[], bytes], event: str = TAKEN, message: str = "1 entry", **headers: str) -> Row:
    return Row(lambda _: body(content(), headers), event, message)


def redirected(location: str, event: str = TAKEN, message: str = "1 entry") -> Row:
    """To this place; `%d` is the port of the server."""
    return Row(lambda server: redirect(location.replace("%d", str(server.port)).encode().decode("latin-1")), event, message)


def with_status(code: int, message: str, headers: Mapping[str, str] | None = None) -> Row:
    return Row(lambda _: status(code, headers, WRONG), FAILED, message)


def chunked(*pieces: bytes) -> bytes:
    return head(200, {"Transfer-Encoding": "chunked"}) + b"".join(pieces) + b"0\r\n\r\n"


def with_head(lines: bytes, content: bytes = WRONG) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: %d\r\n\r\n" % len(content) + content


def zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


ROWS: Mapping[str, Row] = {
    "early-hints-without-end": Row(
        lambda _: slow(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 1000, pause=0.0),
        FAILED,
        "one interim answer after another",
    ),
    "large-headers": answered(
        lambda: with_head(b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(2000))), FAILED, MANY_HEADERS
    ),
    "many-headers": answered(lambda: with_head(b"a: b\r\n" * 1_000_000), FAILED, MANY_HEADERS),
    "large-etag": answered(lambda: with_head(b'ETag: "%s"\r\n' % (b"e" * 2**20)), FAILED, "a header of more than 65536 bytes"),
    "long-etag": answered(lambda: with_head(b'ETag: "%s"\r\n' % (b"e" * 8000), LIST)),
    "etag-of-json": answered(lambda: with_head(b'ETag: {"a":1}\r\n', LIST)),
    "etag-with-a-line-break": answered(lambda: with_head(b'ETag: "a\x1b[31m\rX: y"\r\n'), FAILED, NOT_HTTP),
    "chunk-extension": answered(lambda: chunked(b"d;", b"x" * 5_000_000, b"\r\n", LIST, b"\r\n")),
    "tiny-chunks": answered(lambda: chunked(b"1\r\n#\r\n" * 200_000, b"e\r\n\n", LIST, b"\r\n")),
    "chunks-and-a-length": answered(
        lambda: head(200, {"Transfer-Encoding": "chunked", "Content-Length": "5"}) + b"0\r\n\r\n" + WRONG, FAILED, NOT_HTTP
    ),
    "304-first": answered(lambda: head(304, {}), FAILED, "304 Not Modified to a request that had no condition"),
    "203": with_status(203, "203 Non-Authoritative Information"),
    "204": answered(lambda: head(204, {}), FAILED, "204 No Content"),
    "206": with_status(206, "206 Partial Content"),
    "retry-after-years": with_status(429, "429 Too Many Requests", {"Retry-After": "99999999999"}),
    "gzip-in-gzip": with_body(lambda: gzip.compress(gzip.compress(WRONG)), REFUSED, "unparseable"),
    "gzip-in-a-gzip-transfer": with_body(lambda: gzip.compress(gzip.compress(LIST)), **{"Content-Encoding": "gzip"}),
    "three-times-gzip": with_body(
        lambda: gzip.compress(gzip.compress(gzip.compress(WRONG))), REFUSED, "unparseable", **{"Content-Encoding": "gzip"}
    ),
    "zstd-window": with_body(lambda: zstd_frame(0xA8, [(1, 10, b"\n")]), FAILED, "more memory than is allowed"),
    "xz-dictionary": with_body(lambda: xz_with_dictionary(WRONG, 40), FAILED, "more memory than is allowed"),
    "redirect-to-0000": redirected("http://0.0.0.0:%d/list"),
    "redirect-to-a-mapped-address": redirected("http://[::ffff:127.0.0.1]:%d/list"),
    "redirect-through-nat64": redirected("http://[64:ff9b::7f00:1]:%d/list", FAILED, "cannot connect"),
    "redirect-with-a-login": redirected("http://feed@127.0.0.1:%d/list"),
    "redirect-with-line-breaks": redirected("http://127.0.0.1:%d/none%0d%0aX-Evil:%201", FAILED, "404 Not Found"),
    "redirect-with-backslashes": redirected("http:\\\\127.0.0.1:%d\\list", FAILED, "404 Not Found"),
    "redirect-in-hexadecimal": redirected("http://0x7f.1:%d/list", FAILED, "an address in an odd form"),
    "redirect-in-circled-digits": redirected("http://①②⑦.⓪.⓪.①:%d/list", FAILED, "an address in an odd form"),
    "phrase-with-escapes": answered(
        lambda: b"HTTP/1.1 500 %s\r\nContent-Length: 0\r\n\r\n" % b"\x1b]0;own\x07\xe2\x80\xaeevil",
        FAILED,
        "500 Internal|not proper",
    ),
    "location-with-escapes": answered(
        lambda: b"HTTP/1.1 302 F\r\nLocation: ftp://x/\x1b[2J\xe2\x80\xae\r\n\r\n", FAILED, "neither http nor https|not proper"
    ),
    "body-with-escapes": with_body(lambda: f"{ESCAPES} <x>\n".encode() * 3, REFUSED, "unparseable"),
    "addresses-with-nul": with_body(lambda: b"203.0\0.113.7\n" * 30 + WRONG, REFUSED, "unparseable"),
    "many-gzip-members": with_body(lambda: gzip.compress(LIST) * 9999),
    "too-many-gzip-members": with_body(lambda: gzip.compress(WRONG) * 10_001, FAILED, "more than 10000 members"),
    "zip-of-5000": with_body(lambda: zipped({str(n): b"" for n in range(5000)}), FAILED, "more than 1000 members"),
    "zip-that-climbs": with_body(lambda: zipped({f"../../{n}": b"" for n in range(900)}), REFUSED, "the list is empty"),
    "zip-bomb": with_body(lambda: zipped({"list": WRONG * 5_000_000}), FAILED, "unpacks to over [0-9]+ times|larger than"),
}


@dataclass(frozen=True)
class Answered:
    """What came of all answers. `events`: the last one of each source; `growth`: octets; `shown`: what banlistctl printed."""

    events: Mapping[str, Mapping[str, Any]]
    all_events: Sequence[Mapping[str, Any]]
    lines_beside_events: Sequence[str]
    standing: Mapping[int, Sequence[tuple[int, int, str]]]
    growth: int
    shown: Mapping[str, str]
    timers: Mapping[str, Mapping[str, Any]]
    requests: FeedServer


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answered]:
    with ExitStack() as stack:
        namespace = stack.enter_context(NetworkNamespace())
        yield namespace.run(lambda: _ask(stack, tmp_path_factory.mktemp("answers")))


def _ask(stack: ExitStack, folder: Path) -> Answered:
    server = stack.enter_context(FeedServer())
    server.serve("/list", LIST)
    for name, row in ROWS.items():
        server.behave(f"/{name}", row.answer(server))
    installation = Installation(folder)
    installation.configure('id: first, url: "' + server.url("/list") + '"')
    daemon = stack.enter_context(running(installation, "first"))
    idle = _memory(daemon, "VmRSS")
    installation.configure(*(f'id: {name}, url: "{server.url(f"/{name}")}"' for name in ROWS))
    assert installation.ctl("reload").returncode == 0
    events = {}
    for name in ROWS:
        found = daemon.find(TAKEN, FAILED, REFUSED, source_id=name)
        assert found is not None, f"nothing came of {name}"
        events[name] = found
    growth = _memory(daemon, "VmHWM") - idle
    assert installation.ctl("refresh", "long-etag", "etag-of-json").returncode == 0
    commands = (("sources",), ("history", "--limit", "200"), ("quarantine",), ("status",))
    shown = {command[0]: installation.ctl(*command).stdout for command in commands}
    timers = {timer["id"]: timer for timer in installation.ask("timers")}
    return Answered(events, daemon.events, daemon.words, standing(), growth, shown, timers, server)


def _memory(daemon: Daemon, name: str) -> int:
    """A line of /proc/PID/status in octets."""
    text = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.findall(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)[0]) * 1024


@pytest.mark.parametrize("name", ROWS)
def test_an_answer_made_on_purpose_has_its_plain_outcome(answers: Answered, name: str) -> None:
    event, row = answers.events[name], ROWS[name]
    assert event["event"] == row.event, event
    assert re.search(row.message, event["message"]), event


def test_only_what_arrived_whole_is_banned(answers: Answered) -> None:
    first = next(name for name, row in ROWS.items() if row.event == TAKEN)
    assert answers.standing == expected({first: ["198.51.100.9"]})


def test_all_answers_together_cost_little_memory(answers: Answered) -> None:
    assert answers.growth <= MAX_MEMORY


def test_nothing_of_an_answer_reaches_a_terminal_or_a_log_unescaped(answers: Answered) -> None:
    assert answers.lines_beside_events == []
    texts = [value for event in answers.all_events for value in event.values() if isinstance(value, str)]
    texts += [line for output in answers.shown.values() for line in output.split("\n")]
    assert [text for text in texts if not text.isprintable()] == []


def test_a_server_delays_its_list_by_a_day_at_most(answers: Answered) -> None:
    timer = answers.timers["retry-after-years"]
    assert 0 < timer["due_at"] - timer["polled_at"] <= 86_400


def test_a_validator_too_long_to_be_one_is_not_sent_back(answers: Answered) -> None:
    asked = [request.headers for request in answers.requests.requests if request.path == "/long-etag"]
    assert len(asked) == 2
    assert not any("if-none-match" in headers for headers in asked)


def test_no_header_comes_out_of_a_location(answers: Answered) -> None:
    (asked,) = (request for request in answers.requests.requests if request.path.startswith("/none"))
    assert asked.target.lower() == "/none%0d%0ax-evil:%201"
    assert "x-evil" not in asked.headers
