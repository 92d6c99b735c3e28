"""A machine with a real systemd, booted by systemd-nspawn: its own disk (a layer in memory over an image), network, firewall.

It reboots, and its power can be cut: every process is gone at once, the ruleset with it, and the disk is as it was left to the
kernel. (What a disk loses in a real power cut is the matter of test_disk.)
"""

import ctypes
import functools
import itertools
import json
import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.network_namespace import NetworkNamespace

# No test measures it: it ends one that would wait for ever.
PATIENCE = 60.0

_REBOOTS = 133  # what systemd-nspawn --keep-unit ends with when the machine wants to be started again
_LIBC = ctypes.CDLL(None, use_errno=True)
_NUMBERS = itertools.count()  # of the machines of this process

# Holds the mounts, and is the first of its process numbers: with it goes everything. cgroup2 is for hosts of the first version.
_KEEPER = """
set -e
mount -t tmpfs machine "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay machine -o lowerdir="$1",upperdir="$2/upper",workdir="$2/work" "$2/root"
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$3"
echo mounted
read _ || true
find "/sys/fs/cgroup/$3" -depth -type d -exec rmdir {} + || true
"""
_BOOT = """
echo $$ > "/sys/fs/cgroup/$1/cgroup.procs"
exec systemd-nspawn --quiet --directory "$2" --boot --machine "$1" --register=no --keep-unit --private-network \
    --link-journal=no --resolv-conf=off --console=read-only --notify-ready=yes
"""


class Inside(NetworkNamespace):
    """The network of a machine, for sockets and commands of a test; it is there as long as the machine runs."""

    def __init__(self, leader: int) -> None:
        super().__init__()
        self.path = f"/proc/{leader}/ns/net"

    def __enter__(self) -> Self:
        self.run(functools.partial(_join, self.path))
        return self


class Machine:
    """`root`: where its files are seen from here, as long as it is entered. It is off at first."""

    def __init__(self, image: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="banlistd-machine-")
        self._name = f"banlistd-{os.getpid()}-{next(_NUMBERS)}"
        spaces = ("--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc")
        keep = ("bash", "-c", _KEEPER, "keeper", str(image), self._folder.name, self._name)
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", *spaces, *keep]
        self._keeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._keeper.stdout is not None
        assert self._keeper.stdout.readline(), "the machine's disk could not be mounted"
        self._within = _only_child_of(self._keeper.pid)
        self.root = Path(f"/proc/{self._within}/root{self._folder.name}/root")
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self.network: Inside

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._leader:
            self.cut_power()
        self._keeper.communicate("", timeout=PATIENCE)
        self._folder.cleanup()

    def boot(self) -> None:
        """Turn it on; returns when everything that shall start at boot has started."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind("")  # an abstract name that the kernel chooses
            told.settimeout(PATIENCE)
            environment = os.environ | {"NOTIFY_SOCKET": "@" + told.getsockname()[1:].decode()}
            into = ["nsenter", "--target", str(self._within), "--mount", "--pid"]
            self._nspawn = subprocess.Popen(
                [*into, "bash", "-c", _BOOT, "boot", self._name, f"{self._folder.name}/root"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            while "READY=1" not in told.recv(4096).decode().splitlines():
                pass
        self._leader = _only_child_of(_only_child_of(self._nspawn.pid))
        self.network = Inside(self._leader).__enter__()

    def reboot(self) -> None:
        self._end("systemctl", "reboot")
        self.boot()

    def power_off(self) -> None:
        self._end("systemctl", "poweroff")

    def cut_power(self) -> None:
        """As if somebody had pulled the plug."""
        if self._leader:  # number 0 would be our own process group
            os.kill(self._leader, 9)
        self._is_off()

    def run(
        self, *words: str, check: bool = True, given: str | None = None, patience: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """A command within, as root; it must succeed, unless `check` is False. `patience`: seconds."""
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
        into = ["nsenter", "--target", str(self._leader), *spaces, "--"]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            [*into, *words], input=given, capture_output=True, text=True, check=False, timeout=patience, env=environment
        )
        assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done

    def command_in(self, network: NetworkNamespace, *words: str) -> list[str]:
        """A command with the machine's files, and with another network than the machine's."""
        return ["nsenter", "--target", str(self._leader), "--mount", "--root", "--wd", f"--net={network.path}", "--", *words]

    def command_outside(self, *words: str) -> list[str]:
        """A command with the machine's files, and with the network of this computer."""
        return ["nsenter", "--target", str(self._leader), "--mount", "--root", "--wd", "--", *words]

    def lend_resolvers(self) -> None:
        """Give the machine the name servers of this computer."""
        self.write("/etc/resolv.conf", Path("/etc/resolv.conf").read_text())

    def say(self, *words: str) -> str:
        """What a command prints."""
        return self.run(*words).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def install(self, package: Path) -> str:
        """Install a .deb; returns what dpkg says."""
        (self.root / package.name).write_bytes(package.read_bytes())
        return self.say("dpkg", "--install", f"/{package.name}")

    def journal(self, *filters: str) -> list[dict[str, Any]]:
        """Entries of this boot, unless a filter says otherwise."""
        boot = [] if "--boot" in filters else ["--boot"]
        return [json.loads(line) for line in self.say("journalctl", "--output=json", *boot, *filters).splitlines()]

    def now(self) -> str:
        """A place in the journal, for `wait_for`."""
        self.run("journalctl", "--sync")
        return str(self.journal("--lines=1")[-1]["__CURSOR"])

    def wait_for(self, *fields: str, since: str) -> dict[str, Any]:
        """The first entry after a place in the journal that has these fields (`NAME=value`), as soon as it is there."""
        wanted = dict(field.split("=", 1) for field in fields)
        # Not journalctl's own filters: it finds nothing after an entry that they do not let pass (measured, 252).
        words = ["journalctl", "--output=json", "--follow", "--no-tail", f"--after-cursor={since}"]
        # It hears of new entries through its own /proc, so it has to be among the machine's processes.
        into = ["nsenter", "--target", str(self._leader), "--mount", "--pid", "--root", "--wd", "--", "timeout", str(PATIENCE)]
        with subprocess.Popen([*into, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as follower:
            assert follower.stdout is not None
            entries = (json.loads(line) for line in follower.stdout)
            found = next((entry for entry in entries if wanted.items() <= entry.items()), None)
            if found is not None:
                # And not its parent, nsenter: who is not waited for holds up the machine's shutdown.
                os.kill(_only_child_of(follower.pid), signal.SIGTERM)
        said = self.say("journalctl", "--lines=30", "--no-pager") if found is None else ""
        assert found is not None, f"nothing in the journal has {fields}: {said}"
        return dict(found)

    def _end(self, *words: str) -> None:
        self.run(*words, check=False)  # the connection may break off
        self._is_off()

    def _is_off(self) -> None:
        assert self._nspawn is not None
        self._nspawn.wait(PATIENCE)
        self._nspawn, self._leader = None, 0
        self.network.__exit__()


def _only_child_of(process: int) -> int:
    (child,) = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return int(child)


def _join(path: str) -> None:
    with Path(path).open() as namespace:
        if _LIBC.setns(namespace.fileno(), 0):
            raise OSError(ctypes.get_errno(), path)
