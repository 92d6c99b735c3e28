"""The real banlistd on folders of its own: run to its end, or as a daemon whose events are read as they come.

Everything is started where the caller is, so a test runs in a network namespace of its own (network_namespace).
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

BIN = Path(sys.executable).parent

# No test measures it: it ends one that would wait for ever.
# An emulated machine that shares two cores with other tests takes more than a minute for a start (seen).
PATIENCE = 60.0 * float(os.environ.get("BANLISTD_TEST_PATIENCE", "1"))


class Installation:
    """One machine's folders: `config` with its file, `state` and `runtime`, which banlistd makes itself."""

    def __init__(self, folder: Path) -> None:
        self.config, self.state, self.runtime = (folder / name for name in ("config", "state", "runtime"))
        self.config.mkdir()
        self.file = self.config / "banlistd.yaml"

    def configure(
        self, *sources: str, allow: Sequence[str] = (), every: str = "1h", owner: str = "no", geo: str = "databases: []"
    ) -> None:
        """Write the configuration; a source is the inside of a YAML mapping, `id: a, url: "http://..."`, and so is `geo`.

        Whatever databases this machine has are not asked.
        """
        lines = ["log: {format: json}", f"owner: {owner}", f"geo: {{{geo}}}", f"defaults: {{every: {every}}}", "allow:"]
        lines += [f"  - {entry}" for entry in allow]
        lines += ["sources:" if sources else "sources: []", *(f"  - {{{source}}}" for source in sources)]
        self.file.write_text("\n".join([*lines, ""]))

    @property
    def places(self) -> list[str]:
        return ["--config", str(self.config), "--state", str(self.state), "--runtime", str(self.runtime)]

    def run(self, *options: str, through: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """The program to its end, `through` another program if one is named."""
        return _run([*through, str(BIN / "banlistd"), *self.places, *options])

    def once(self) -> int:
        """The exit code of `banlistd --once`."""
        return self.run("--once").returncode

    def start(self, through: Sequence[str] = ()) -> "Daemon":
        """The daemon, `through` a program that becomes it, if one is named."""
        command = [*through, str(BIN / "banlistd"), *self.places]
        return Daemon(subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True))

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _run(self.ctl_command(*words))

    def ctl_command(self, *words: str) -> list[str]:
        return [str(BIN / "banlistctl"), "--runtime", str(self.runtime), *words]

    def ask(self, *words: str) -> Any:
        """The JSON answer of a banlistctl that succeeds."""
        done = self.ctl("--json", *words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def rows(self, question: str) -> list[dict[str, Any]]:
        """What the database answers; the daemon may be at work."""
        return answer_of(self.state / "banlistd.db", question)

    def runs(self, state: str = "") -> list[dict[str, Any]]:
        """Rows of import_runs, the newest last."""
        rows = self.rows("SELECT * FROM import_runs ORDER BY generation")
        return [row for row in rows if not state or row["state"] == state]

    def make_everything_due(self) -> None:
        """As if the time had passed while nothing ran."""
        with closing(sqlite3.connect(self.state / "banlistd.db", timeout=PATIENCE)) as database, database:
            database.execute("UPDATE polls SET due_at = polled_at")

    def change(self, statement: str) -> None:
        """Change the database behind the daemon's back."""
        with closing(sqlite3.connect(self.state / "banlistd.db", timeout=PATIENCE)) as database, database:
            database.execute(statement)

    def lose_database(self) -> None:
        for file in self.state.glob("banlistd.db*"):
            file.unlink()

    def accepted(self) -> dict[str, str]:
        """The content hash of each source's newest run that has reached the ledger and did not fail."""
        return {run["source_id"]: run["content_hash"] for run in self.runs() if run["state"] != "failed"}


class Process(Protocol):
    """Of subprocess.Popen what a test needs; `stderr` is a pipe."""

    @property
    def pid(self) -> int: ...

    @property
    def stderr(self) -> IO[str] | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def kill(self) -> None: ...

    def terminate(self) -> None: ...

    def send_signal(self, sig: int) -> None: ...


class Daemon:
    """A running banlistd. `events`: all so far, as they were written; `words`: lines that are no event."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self.words: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="events")
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def published(self, source_id: str, *, since: int = 0) -> dict[str, Any]:
        """Wait until a hub has published a content of a list; the first publication of a hub may have none of it yet."""
        while f" {source_id} (" not in (found := self.wait_for("fleet_published", since=since))["message"]:
            since = self.events.index(found) + 1
        return found

    def wait_for(self, event: str, source_id: str = "", *, since: int = 0) -> dict[str, Any]:
        """The first such event from number `since` on; it fails when the daemon ends without it."""
        found = self.find(event, source_id=source_id, since=since)
        assert found is not None, f"no {event} {source_id} in: {[*self.events[since:], *self.words]}"
        return found

    def find(self, *events: str, source_id: str = "", since: int = 0) -> dict[str, Any] | None:
        """The first of any of these events; None where the daemon ends without one."""
        with self._news:
            self._news.wait_for(lambda: self._find(events, source_id, since) or self._ended, PATIENCE)
            return self._find(events, source_id, since)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self._close()
        return code

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(PATIENCE)
        self._close()

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def _close(self) -> None:
        self._reader.join(PATIENCE)
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _find(self, events: Collection[str], source_id: str, since: int) -> dict[str, Any] | None:
        matching = (seen for seen in self.events[since:] if seen["event"] in events)
        return next((seen for seen in matching if source_id in ("", seen.get("source_id"))), None)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                if line.startswith("{"):
                    self.events.append(json.loads(line))
                else:
                    self.words.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


@contextmanager
def running(place: Installation, *settled: str, through: Sequence[str] = ()) -> Iterator[Daemon]:
    """A daemon that has started, and has imported the sources named."""
    with place.start(through) as daemon:
        daemon.wait_for("service_started")
        for source_id in settled:
            daemon.wait_for("blocklist_import_completed", source_id)
        yield daemon


def answer_of(database: Path, question: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(database, timeout=PATIENCE)) as opened:
        opened.row_factory = sqlite3.Row
        return [dict(row) for row in opened.execute(question)]


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE * 2)
