"""A real fail2ban-server in folders and a namespace of its own, with its own nftables action, fed through its client."""

import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.measuring import apart
from bench.notices import Notices
from support.network_namespace import NetworkNamespace

_ACTIONS = Path("/etc/fail2ban/action.d")
_JAIL = "bench"
_PATIENCE = 300.0

_SERVER = """\
[Definition]
loglevel = ERROR
logtarget = {0}/log
syslogsocket = auto
socket = {0}/socket
pidfile = {0}/pid
dbfile = {0}/fail2ban.sqlite3
dbpurgeage = 1d
dbmaxmatches = 10
allowipv6 = auto
"""

_JAILS = """\
[bench]
enabled = true
filter =
logpath = {0}/nothing.log
backend = polling
bantime = 1d
action = nftables[type=allports, name=bench]
"""


class PeerFail2ban:
    """A running server with one jail."""

    def __init__(self, folder: Path, namespace: NetworkNamespace) -> None:
        self._folder = folder
        self._namespace = namespace

    def ban(self, addresses: Sequence[str]) -> float:
        """Seconds from one `set JAIL banip` with all of them until the kernel holds the last; at most some minutes."""
        with self._namespace.run(Notices) as notices:
            began = time.perf_counter()
            self.client("set", _JAIL, "banip", *addresses)
            banned = notices.elements()
            while banned < len(addresses):
                if time.perf_counter() - began > _PATIENCE:
                    raise TimeoutError(f"fail2ban has banned {banned} of {len(addresses)} in {_PATIENCE:.0f} s")
                time.sleep(0.01)
                banned += notices.elements()
            return time.perf_counter() - began

    def client(self, *words: str) -> None:
        command = ["fail2ban-client", "-c", self._folder / "config", "-s", self._folder / "socket", *words]
        run = partial(subprocess.run, command, capture_output=True, text=True, check=True, timeout=_PATIENCE)
        self._namespace.run(run)

    def is_ready(self) -> bool:
        try:
            self.client("status", _JAIL)
        except subprocess.CalledProcessError:
            return False
        return True


@contextmanager
def fail2ban(folder: Path) -> Iterator[PeerFail2ban]:
    """Start a server; it is stopped afterwards."""
    config = folder / "config"
    (config / "filter.d").mkdir(parents=True)
    (config / "action.d").mkdir()
    for action in _ACTIONS.glob("nftables*"):
        shutil.copy(action, config / "action.d")
    (folder / "nothing.log").touch()
    (config / "fail2ban.conf").write_text(_SERVER.format(folder))
    (config / "jail.conf").write_text(_JAILS.format(folder))
    with apart() as namespace:
        command = ["fail2ban-server", "-c", config, "-s", folder / "socket", "-p", folder / "pid", "-f", "start"]
        start = partial(subprocess.Popen, command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server = namespace.run(start)
        try:
            running = PeerFail2ban(folder, namespace)
            end = time.monotonic() + _PATIENCE
            while not running.is_ready():
                if server.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"fail2ban-server did not start: {(folder / 'log').read_text()[-500:]}")
                time.sleep(0.1)
            yield running
        finally:
            server.terminate()
            server.wait(_PATIENCE)
