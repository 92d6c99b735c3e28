"""200 KB on the wire that unpack to the largest body a source may have, against the real daemon.

`tests/parser_bounds.py` measures every other shape in the process that parses; here is the daemon around it.
"""

import functools
import gzip
import random
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from banlistd.ctl.client import Question, ask
from support.feed_server import FeedServer, head, slow
from support.network_namespace import in_network_namespace
from system.daemon_process import PATIENCE, Daemon, Installation, running
from system.kernel_view import expected, standing

SIZE = 48 * 2**20 - 64
"""Octets, just below `max_bytes`."""

MAX_MEMORY = 64_000_000
"""Octets above the size of the idle daemon."""

FAILED = "blocklist_import_failed"
ENDED = {FAILED, "blocklist_import_refused", "blocklist_import_completed"}

# Digits do not pack well: with so many a bomb stays below the ratio at which it would be refused unread.
_NOISE = random.Random(1).randbytes(230_000).hex().encode()


def in_one_line(piece: bytes) -> bytes:
    begin = b'["' + _NOISE + b'",'
    return begin + piece * ((SIZE - len(begin) - 4) // len(piece)) + b"{}]"


def in_lines(piece: bytes, of: int) -> bytes:
    noise = b"".join(b'"%s",\n' % _NOISE[at : at + 5000] for at in range(0, len(_NOISE), 5000))
    line = piece * of + b"\n"
    return b"[\n" + noise + line * ((SIZE - len(noise) - 8) // len(line)) + b"{}]\n"


BOMBS: Mapping[str, Callable[[], bytes]] = {
    "one line of empty objects": lambda: in_one_line(b"{},"),
    "a line for each empty object": lambda: in_lines(b"{},", 1),
    "lines of empty arrays": lambda: in_lines(b"[],", 3000),
}


@functools.cache
def packed(bomb: str) -> bytes:
    return gzip.compress(BOMBS[bomb](), 6)


def memory(daemon: Daemon, name: str) -> int:
    """A line of /proc/PID/status in octets."""
    text = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.findall(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)[0]) * 1024


@pytest.mark.parametrize("bomb", BOMBS)
@in_network_namespace
def test_two_bombs_at_once_cost_the_daemon_little_and_nothing_else_anything(tmp_path: Path, bomb: str) -> None:
    body = packed(bomb)
    assert len(body) < 400_000
    place = Installation(tmp_path)
    with FeedServer() as server:
        for name in ("one", "two"):
            server.serve(f"/{name}", body)
        server.serve("/good", b"198.51.100.1\n")
        place.configure('id: good, url: "' + server.url("/good") + '"')
        with running(place, "good") as daemon:
            idle = memory(daemon, "VmRSS")
            place.configure(*(f'id: {name}, url: "{server.url(f"/{name}")}"' for name in ("one", "two", "good")))
            since = len(daemon.events)
            assert place.ctl("reload").returncode == 0
            answers = 0
            while len({event["source_id"] for event in daemon.events[since:] if event["event"] in ENDED} & {"one", "two"}) < 2:
                assert ask(str(place.runtime / "control.sock"), Question("GET", "/v1/status"))["state"] == "running"
                answers += 1
            assert answers >= 3
            assert memory(daemon, "VmHWM") - idle <= MAX_MEMORY
            for name in ("one", "two"):
                event = daemon.wait_for(FAILED, name, since=since)
                assert re.search("takes more memory than is allowed|JSON", event["message"]), event
            assert place.ctl("refresh", "good").returncode == 0
            assert daemon.process.poll() is None
    assert standing() == expected({"good": ["198.51.100.1"]})


@in_network_namespace
def test_a_body_that_was_being_read_when_the_daemon_was_killed_is_not_asked_for_again_at_once(tmp_path: Path) -> None:
    place = Installation(tmp_path)

    with FeedServer() as server:
        # It never ends.
        server.behave("/evil", slow(head(200, {"Content-Length": "1000"}) + b"198.51.100.1\n", b""))
        server.serve("/good", b"198.51.100.2\n")
        place.configure(*(f'id: {name}, url: "{server.url(f"/{name}")}"' for name in ("evil", "good")))
        with running(place, "good") as daemon:
            daemon.wait_for("blocklist_import_started", "evil")
            until = time.monotonic() + PATIENCE
            while not any(poll["error"] for poll in place.rows("SELECT error FROM polls WHERE source_id = 'evil'")):
                assert time.monotonic() < until
                time.sleep(0.01)
            daemon.kill()
        with running(place) as daemon:
            (timer,) = (timer for timer in place.ask("timers") if timer["id"] == "evil")
            assert timer["due_at"] > timer["polled_at"]
            (source,) = (source for source in place.ask("sources") if source["id"] == "evil")
            assert source["failures"] == 1
            assert daemon.terminate() == 0
        assert server.hits("/evil") == 1
