"""What costs nothing, or should: lists of which nothing has changed, restarts, waiting."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.application import Application, application, measure_limit, path_sources, rss
from bench.case_updating import SETTLED, write
from bench.measuring import MIB, Sample, apart, cpu_seconds
from bench.rows import Row, at_most, at_most_times
from bench.setting import Setting
from bench.turns import Contender, take_turns
from support.feed_server import FeedServer
from system.daemon_process import Daemon

SOURCES = 60
_POLLS = 20


def unchanged(setting: Setting) -> Iterator[Row]:
    million, (*_, small) = setting.inputs.million(), setting.inputs.versions()
    copy = setting.folder / "unchanged.txt"
    write(copy, million.body())
    headed = setting.folder / "headed.txt"
    write(headed, _headed(small.body(), 0))
    with ExitStack() as stack:
        home = stack.enter_context(application('id: none, path: "/dev/null", enabled: false'))
        server = stack.enter_context(_serving(home))
        server.serve("/conditional", million.body(), etag='"1"')
        server.serve("/always", million.body())
        home.place.configure(
            f'id: conditional, url: "{server.url("/conditional")}"',
            f'id: always, url: "{server.url("/always")}"',
            f'id: same, path: "{copy}"',
            f'id: headed, path: "{headed}"',
        )
        daemon = stack.enter_context(home.start())
        for source_id in ("conditional", "always", "same", "headed"):
            daemon.wait_for("blocklist_import_completed", source_id)
        before = home.generation()
        megabytes = len(million.body()) / 1e6
        answer = "order on the control socket -> answer"
        contenders = [
            Contender(
                "304",
                f"CPU of the daemon for one poll, mean of {_POLLS}; {answer} included",
                lambda: _polls(home, daemon),
                at_most(3),
            ),
            Contender(
                "same-file",
                f"a touched file of {megabytes:.0f} MB, read and hashed; {answer}",
                lambda: _touched(home, daemon, copy),
                at_most(10),
            ),
            Contender(
                "same-download",
                f"{megabytes:.0f} MB from a server on loopback, hashed; {answer}, the server's work too",
                lambda: Sample(_skipped(home, "always")),
            ),
            Contender(
                "header",
                f"a list of {small.entries:,} of which only the header changed; {answer}",
                _Heading(home, headed, small.body()),
            ),
        ]
        for contender in contenders:
            contender.measure()
        yield from take_turns("unchanged", contenders, setting)
        writes = home.generation() - before
    yield Row("unchanged/writes", "transactions in the kernel in all of the above", "commits", [writes], target=at_most(0))


def _polls(home: Application, daemon: Daemon) -> Sample:
    before = cpu_seconds(daemon.process.pid)
    for _ in range(_POLLS):
        _skipped(home, "conditional")
    return Sample(1000 * (cpu_seconds(daemon.process.pid) - before) / _POLLS)


def _touched(home: Application, daemon: Daemon, file: Path) -> Sample:
    """Once more where the daemon noticed by itself, before we told it."""
    while True:
        seen = len(daemon.events)
        os.utime(file)
        time.sleep(SETTLED)
        took = _skipped(home, "same")
        started = [e for e in daemon.events[seen:] if (e["event"], e.get("source_id")) == ("blocklist_import_started", "same")]
        if len(started) == 1:
            return Sample(took)


class _Heading:
    def __init__(self, home: Application, file: Path, body: bytes) -> None:
        self._home, self._file, self._body = home, file, body
        self._number = 0

    def __call__(self) -> Sample:
        self._number += 1
        write(self._file, _headed(self._body, self._number))
        time.sleep(SETTLED)
        return Sample(_skipped(self._home, "headed"))


def _headed(body: bytes, number: int) -> bytes:
    return b"# generated %d\n" % number + body


def _skipped(home: Application, source_id: str) -> float:
    """Milliseconds for an order to poll, which must find nothing new."""
    began = time.perf_counter()
    (outcome,) = home.refresh(source_id)
    took = time.perf_counter() - began
    assert outcome["outcome"] == "skipped", outcome
    return 1000 * took


@contextmanager
def _serving(home: Application) -> Iterator[FeedServer]:
    server = FeedServer()
    home.namespace.run(server.__enter__)
    try:
        yield server
    finally:
        server.__exit__(None, None, None)


def restart(setting: Setting) -> Iterator[Row]:
    parts = setting.inputs.parts(setting.inputs.million(), SOURCES)
    writes: list[float] = []
    with application(*path_sources(parts)) as home:
        _first(home)

        def unchanged() -> Sample:
            before = home.generation()
            took = _until_ready(home)
            writes.append(float(home.generation() - before))
            return took

        def reboot() -> Sample:
            with apart() as rebooted:
                return _until_ready(Application(home.place, rebooted))

        def first() -> Sample:
            with application(*path_sources(parts)) as fresh:
                return _first(fresh)

        what = f"start of the process -> READY; {SOURCES} sources, 1,000,000 bans"
        target = at_most_times(1.3, "restart/limit", plus=500)
        contenders = [
            Contender(
                "first", f"start of the process -> {SOURCES} files imported for the first time", first, loads=True, fills=True
            ),
            Contender("unchanged", f"{what}; nothing has changed", unchanged, at_most(1000)),
            Contender(
                "limit",
                f"one sendmsg of the batch of {SOURCES} sources",
                partial(measure_limit, *parts),
                loads=True,
                fills=True,
            ),
            Contender(
                "reboot", f"{what}; the kernel is empty, all comes from the database", reboot, target, loads=True, fills=True
            ),
        ]
        yield from take_turns("restart", contenders, setting)
    yield Row("restart/writes", "transactions in the kernel while nothing had changed", "commits", writes, target=at_most(0))


def _first(home: Application) -> Sample:
    began = time.perf_counter()
    with home.start() as daemon:
        for number in range(1, SOURCES + 1):
            daemon.wait_for("blocklist_import_completed", f"part-{number}")
        took = time.perf_counter() - began
        daemon.terminate()
    return Sample(1000 * took)


def _until_ready(home: Application) -> Sample:
    began = time.perf_counter()
    with home.start() as daemon:
        daemon.wait_for("service_started")
        took = time.perf_counter() - began
        daemon.terminate()
    return Sample(1000 * took)


def idle(setting: Setting) -> Iterator[Row]:
    parts = setting.inputs.parts(setting.inputs.million(), SOURCES)
    with application(*path_sources(parts)) as home, home.start() as daemon:
        for number in range(1, SOURCES + 1):
            daemon.wait_for("blocklist_import_completed", f"part-{number}")
        yield from _watched(daemon, "imported", setting)
        daemon.terminate()
        with home.start() as again:
            again.wait_for("service_started")
            yield from _watched(again, "restarted", setting)


def _watched(daemon: Daemon, name: str, setting: Setting) -> Iterator[Row]:
    seconds = min(setting.idle, 3.0) if setting.quick else setting.idle
    setting.say(f"idle: watching for {seconds:.0f} s ({name})")
    time.sleep(min(seconds, 5.0))
    began, before = time.perf_counter(), cpu_seconds(daemon.process.pid)
    time.sleep(seconds)
    share = 100 * (cpu_seconds(daemon.process.pid) - before) / (time.perf_counter() - began)
    resident = rss(daemon)
    what = f"{SOURCES} sources, 1,000,000 bans, {name} before"
    yield Row(f"idle/{name}-memory", f"RSS of the daemon; {what}", "MB", [resident / MIB], resident, at_most(90))
    yield Row(f"idle/{name}-cpu", f"share of a core over {seconds:.0f} s; {what}", "%", [share], target=at_most(0.1))
