"""Whether an operator gets an answer: at rest, and while a million addresses are imported."""

import time
from collections.abc import Callable, Iterator
from functools import partial

from bench.application import Application, application, program
from bench.measuring import Sample, run
from bench.rows import Row, at_most
from bench.setting import Setting
from bench.turns import Contender, take_turns
from system.daemon_process import Daemon

_WHOLE = "banlistctl as a process, Python's start included"
_DONE = "blocklist_import_completed"


def answers(setting: Setting) -> Iterator[Row]:
    listing = setting.inputs.million()
    address = listing.lines()[listing.entries // 2]
    source = f'id: bench, path: "{listing.path}"'
    questions = {"status": ["status"], "check": ["check", address]}
    with application(source) as home, home.start() as daemon:
        daemon.wait_for(_DONE)
        at_rest = [
            Contender(name, f"banlistctl {name}, at rest, 1,000,000 bans; {_WHOLE}", partial(_ask, home, words), at_most(150))
            for name, words in questions.items()
        ]
        yield from take_turns("answers", at_rest, setting)
    during = "the slowest of those that were asked, one after another, while 1,000,000 addresses were imported"
    busy = [
        Contender(f"{name}-busy", f"banlistctl {name}, {during}; {_WHOLE}", partial(_slowest, source, words), at_most(150))
        for name, words in questions.items()
    ]
    socket = "GET /v1/timers on the control socket, no process"
    busy.append(Contender("socket-busy", f"{socket}; {during}", partial(_probed, source)))
    for contender in busy:
        contender.loads = True
    yield from take_turns("answers", busy, setting)
    yield from _loop(source, setting)


def _loop(source: str, setting: Setting) -> Iterator[Row]:
    idle: list[float] = []

    def busy() -> Sample:
        with application(source) as home:
            place = home.place
            told = program(home.namespace, "loop", place.config, place.state, place.runtime, "1.0")
        idle.append(1000 * told["idle"])
        return Sample(1000 * told["import"])

    what = "the longest delay of a task in banlistd's own event loop, which wanted to run each millisecond"
    contender = Contender("loop-busy", f"{what}; while 1,000,000 addresses were imported", busy, at_most(50), loads=True)
    yield from take_turns("answers", [contender], setting)
    yield Row("answers/loop-idle", f"{what}; for a second before, at rest: what the machine itself costs", "ms", idle)


def _ask(home: Application, words: list[str]) -> Sample:
    took = home.namespace.run(partial(_run_ctl, home, words))
    return Sample(1000 * took)


def _run_ctl(home: Application, words: list[str]) -> float:
    # `check` ends with 1 for an address that is not banned, or not yet.
    return run(home.place.ctl_command(*words), codes=(0, 1)).seconds


def _slowest(source: str, words: list[str]) -> Sample:
    return _while_importing(source, lambda home: home.namespace.run(partial(_run_ctl, home, words)))


def _probed(source: str) -> Sample:
    def probe(home: Application) -> float:
        began = time.perf_counter()
        home.ask("GET", "/v1/timers")
        return time.perf_counter() - began

    return _while_importing(source, probe)


def _while_importing(source: str, probe: Callable[[Application], float]) -> Sample:
    """The longest that a probe took, in milliseconds, from the start of a daemon to the end of its first import."""
    with application(source) as home, home.start() as daemon:
        daemon.wait_for("service_started")
        took = [probe(home)]
        while not _is_done(daemon):
            took.append(probe(home))
        return Sample(1000 * max(took))


def _is_done(daemon: Daemon) -> bool:
    return any(event["event"] == _DONE for event in daemon.events)
