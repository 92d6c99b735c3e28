"""A real fail2ban for a test: configuration, socket, database and log in folders of its own, started where the caller is."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.firewalls.fail2ban.socket import Fail2banSocket
from banlistd.errors import FirewallError

SHIPPED = Path(__file__).resolve().parents[2] / "packaging" / "fail2ban"
STOCK = Path("/etc/fail2ban")

# No test measures it: it ends one that would wait for ever.
PATIENCE = 60.0

_MAIN = """\
[Definition]
loglevel = {level}
logtarget = {run}/log
syslogsocket = auto
socket = {run}/socket
pidfile = {run}/pid
dbfile = {database}
dbpurgeage = 1d
dbmaxmatches = 10
allowipv6 = yes
[Thread]
"""

_DEFAULTS = """\
[DEFAULT]
bantime = 600
findtime = 600
maxretry = 3
backend = polling
usedns = no
logencoding = utf-8
enabled = false
filter = %(__name__)s
ignorecommand =
banaction_allports = iptables-allports
"""


class Fail2ban:
    """A fail2ban-server and its folder; `stop` and `kill` may be followed by `start`."""

    def __init__(self, folder: Path, *, database: bool = True, level: str = "NOTICE") -> None:
        for tool in ("fail2ban-server", "fail2ban-client"):
            if shutil.which(tool) is None:
                pytest.skip(f"no command {tool} (on Debian: apt-get install fail2ban; its service need not run)")
        self.run = folder / "run"
        self.config = folder / "config"
        self.run.mkdir(parents=True)
        for name in ("action.d", "filter.d", "jail.d"):
            (self.config / name).mkdir(parents=True)
        for action in ("iptables", "iptables-allports", "nftables", "nftables-allports"):
            with suppress(FileNotFoundError):
                shutil.copy(STOCK / "action.d" / f"{action}.conf", self.config / "action.d")
        place = str(self.run / "database") if database else "None"
        (self.config / "fail2ban.conf").write_text(_MAIN.format(run=self.run, database=place, level=level))
        (self.config / "jail.conf").write_text(_DEFAULTS)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.run / "socket"

    @property
    def output(self) -> Path:
        return self.run / "output"

    @property
    def log(self) -> str:
        return (self.run / "log").read_text(encoding="utf-8")

    def configure(self, **jails: Mapping[str, str]) -> None:
        """Jails by name, each with its settings."""
        for name, settings in jails.items():
            lines = [f"[{name}]", *(f"{key} = {value}" for key, value in settings.items()), ""]
            (self.config / "jail.d" / f"{name}.conf").write_text("\n".join(lines))

    def install_shipped(self) -> None:
        """The actions and the filter of packaging/fail2ban."""
        for kind in ("action.d", "filter.d"):
            for file in (SHIPPED / kind).iterdir():
                shutil.copy(file, self.config / kind)

    def start(self) -> None:
        places = ["-c", str(self.config), "-s", str(self.socket), "-p", str(self.run / "pid")]
        # The system's own Python, not the one of the tests, has fail2ban.
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                ["fail2ban-server", *places, "-f", "start"], stdout=output, stderr=output, env=environment
            )
        # It answers before that, but its jails are not there yet.
        self.until(lambda: b"Server ready" in self.output.read_bytes())

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)
        # It is left behind, and fail2ban refuses to start beside it.
        self.socket.unlink(missing_ok=True)

    def ask(self, *words: str) -> Any:
        with Fail2banSocket(self.socket) as wire:
            return wire.ask(*words)

    def banned(self, jail: str) -> set[str]:
        return set(self.ask("get", jail, "banip"))

    def bans_in_database(self, jail: str) -> Counter[str]:
        """How often each entry was banned, as fail2ban remembers it. It writes late: wait for what should be there."""
        with closing(sqlite3.connect(self.run / "database", timeout=PATIENCE)) as database:
            return Counter(entry for (entry,) in database.execute("SELECT ip FROM bans WHERE jail = ?", (jail,)))

    def new_jail(self, name: str) -> str:
        """A jail without log and without action, for as long as the server runs."""
        self.ask("add", name, "polling")
        self.ask("set", name, "bantime", "-1")
        self.ask("start", name)
        return name

    def client(self, *words: str) -> str:
        command = ["fail2ban-client", "-c", str(self.config), "-s", str(self.socket), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        return done.stdout

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for what fail2ban tells nobody of. It fails when the server ends, or never gets there."""
        deadline = time.monotonic() + PATIENCE
        while not self._is(is_so):
            assert self._process is not None
            assert self._process.poll() is None, self.output.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)

    @staticmethod
    def _is(is_so: Callable[[], bool]) -> bool:
        try:
            return is_so()
        except FirewallError:
            return False

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(PATIENCE)
            finally:
                self._process.kill()
                self._process.wait(PATIENCE)
                self._process = None


@contextmanager
def serving(fail2ban: Fail2ban) -> Iterator[Fail2ban]:
    """The server runs while the context is entered."""
    fail2ban.start()
    try:
        yield fail2ban
    finally:
        fail2ban.stop()
