"""Network namespaces for a proof, joined to this host by veth pairs.

A namespace belongs to a thread of this process, and a veth pair to both of its ends: when the process ends, by a kill too, the
kernel removes them, and the routes over them.
"""

import ctypes
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, Self, TypeVar

from banlistd.core.printing import printable
from banlistd.errors import BanlistdError

_Result = TypeVar("_Result")

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_PATIENCE = 10.0  # seconds: `ip` asks the kernel only
_PAUSE = 0.01  # seconds between two looks at what a worker of the kernel does at once, unless the host is busy
_HOST_STATION, _FAR_STATION = "02:00:00:00:00:01", "02:00:00:00:00:02"


class GroundError(BanlistdError):
    """The namespaces and links of a proof cannot be made."""

    exit_code = 71  # EX_OSERR


def require_network_of(socket_path: str) -> None:
    """Raises GroundError where the process that listens at a socket is in another network namespace than this one.

    Nothing is known, and nothing raised, where the kernel does not show that process: it is in another PID namespace.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(socket_path)
            process = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
            theirs, ours = (os.stat(f"/proc/{which}/ns/net").st_ino for which in (process, "self"))  # noqa: PTH116 - pathlib: 10 ms
        except OSError:
            return
    if theirs != ours:
        raise GroundError(
            "the daemon is in another network namespace, where its bans are, and packets of this one prove nothing",
            f"nsenter --target {process} --net banlistctl prove",
        )


class Joint(NamedTuple):
    """A veth pair: the name of this host's end, and the addresses of both ends, of IPv4 (in a /30) and IPv6 (in a /64)."""

    name: str
    host4: str
    far4: str
    host6: str
    far6: str

    def host(self, family: int) -> str:
        return self.host6 if family == socket.AF_INET6 else self.host4

    def far(self, family: int) -> str:
        return self.far6 if family == socket.AF_INET6 else self.far4


class Namespace:
    """A network namespace, and the thread that lives in it. Raises GroundError."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)

    def __enter__(self) -> Self:
        try:
            self.path = self.run(_leave)
        except OSError as exc:
            self._thread.shutdown()
            raise GroundError(
                f"no network namespace can be made: {exc.strerror}", "run it as root, outside a container"
            ) from exc
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def run(self, body: Callable[[], _Result]) -> _Result:
        """The result of `body`, or what it raises, from within."""
        return self._thread.submit(body).result()

    def ip(self, *words: str) -> str:
        return self.run(partial(ip, *words))


def ip(*words: str) -> str:
    """Run `ip` in the namespace of this thread; what it prints. Raises GroundError."""
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=_PATIENCE)  # noqa: S603, S607 - constant words
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise GroundError("`ip` cannot be run", "install iproute2") from exc
    if done.returncode:
        reason = printable(done.stderr.strip()[:200])
        raise GroundError(f"`ip {' '.join(words[:3])}` failed: {reason}", "is another proof running?")
    return done.stdout


def join(far: Namespace, joint: Joint) -> None:
    """Make the veth pair. It ends with the namespace, or with `part`. Neighbours are known: no other packet is needed."""
    ip(
        *("link", "add", joint.name, "address", _HOST_STATION, "type", "veth"),
        *("peer", "name", joint.name, "address", _FAR_STATION, "netns", far.path),
    )
    for run, own4, own6, others, station in (
        (ip, joint.host4, joint.host6, (joint.far4, joint.far6), _FAR_STATION),
        (far.ip, joint.far4, joint.far6, (joint.host4, joint.host6), _HOST_STATION),
    ):
        run("address", "add", f"{own4}/30", "dev", joint.name)
        run("address", "add", f"{own6}/64", "dev", joint.name, "nodad")
        run("link", "set", joint.name, "up")
        for other in others:
            run("neighbour", "replace", other, "lladdr", station, "dev", joint.name, "nud", "permanent")
    far.ip("link", "set", "lo", "up")
    far.ip("route", "add", "default", "via", joint.host4)
    far.ip("-6", "route", "add", "default", "via", joint.host6)
    await_ready(ip, joint.name, joint.host6)
    await_ready(far.ip, joint.name, joint.far6)


def await_ready(run: Callable[..., str], link: str, address: str) -> None:
    """Wait until a link sends, and its IPv6 address takes what comes: what is lost before that would be called closed.

    Workers of the kernel do both a moment after the commands: they activate a link whose other end came up, which drops without
    an error until then, and add the local route of an IPv6 address. A proof goes on when its patience is over.
    """
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        shown = run("link", "show", "dev", link)
        if " state UP " in shown and " qdisc noop " not in shown and run("-6", "route", "show", "table", "local", address):
            return
        time.sleep(_PAUSE)


def place(far: Namespace, joint: Joint, address: str) -> None:
    """Give the namespace an address, and this host the route to it, without which it would take packets for forged."""
    is_six = ":" in address
    far.ip("address", "add", address, "dev", "lo", *(["nodad"] if is_six else []))
    ip("route", "add", address, "via", joint.far6 if is_six else joint.far4, "dev", joint.name)


def part(joint: Joint) -> None:
    """Remove the veth pair at once; the kernel would take a moment to remove a namespace."""
    ip("link", "delete", joint.name)


def _leave() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"
