"""A network of its own for a test: its own nftables, interfaces and sockets, gone when the test is over.

A namespace belongs to a thread, and what a thread starts (threads, processes) inherits it. So the body of a test runs in a
thread that has left the common namespace; nothing is forked, and tests may run beside each other.
"""

import ctypes
import functools
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from asyncio import run
from collections.abc import Callable, Collection, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest

CLONE_NEWNET = 0x40000000
SO_SNDBUFFORCE = 32
PATIENCE = 60.0
RTF_LOCAL = 0x80000000
_LIBC = ctypes.CDLL(None, use_errno=True)
_TOOLS = ("nft", "ip")
_NET = Path("/proc/thread-self/net")


class NetworkNamespace:
    """A namespace with `lo` up, and the thread that lives in it. Skips the test where there can be none."""

    def __init__(self) -> None:
        missing = [tool for tool in _TOOLS if not shutil.which(tool)]
        if missing:
            pytest.skip(f"no command {' and no '.join(missing)}")
        self._thread = ThreadPoolExecutor(max_workers=1)
        self.path = ""

    def __enter__(self) -> Self:
        try:
            self.path = self.run(_leave)
            self.run(_use_addresses_at_once)
            self.command("ip", "link", "set", "lo", "up")
        except OSError as exc:
            self._thread.shutdown()
            pytest.skip(f"no network namespace: {exc.strerror} (run as root, or under: unshare --user --map-root-user)")
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def run(self, body: Callable[[], Any]) -> Any:
        """The result of `body`, or whatever it raises, from within; a coroutine is run to its end."""
        return self._thread.submit(_call, body).result()

    def command(self, *words: str, given: str | None = None) -> str:
        """What a command prints when it is run within; it must succeed."""
        done = self.run(functools.partial(_command, words, given))
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return str(done.stdout)


@contextmanager
def packets_in_order() -> Iterator[None]:
    """What this thread sends meanwhile arrives in that order, whatever its sockets: it stays on one processor.

    Packets that arrive wait in a queue of the processor that sent them (`netif_rx`), and a busy one empties its queue late.
    """
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(processors)[os.getpid() % len(processors)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, processors)


def in_network_namespace(test: Callable[..., Any]) -> Callable[..., None]:
    """Run a test, plain or a coroutine, in a network namespace of its own."""

    @functools.wraps(test)
    def isolated(*arguments: Any, **named: Any) -> None:
        with NetworkNamespace() as namespace:
            namespace.run(functools.partial(test, *arguments, **named))

    return isolated


def nft(*words: str, given: str | None = None) -> str:
    """What nft prints, run where the caller is."""
    done = _command(("nft", *words), given)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_nft(*words: str) -> subprocess.CompletedProcess[str]:
    """nft, run where the caller is; it may fail."""
    return _command(("nft", *words), None)


def settle() -> None:
    """Wait, where the caller is, until each link sends what it is given and each IPv6 address takes what comes to it.

    A worker of the kernel activates a link some time after its other end came up: until then it drops what is sent, without an
    error. Another adds the local route of an IPv6 address, even of one without duplicate detection: until then the address can
    be bound, and what is sent to it is lost.
    """
    _wait(_unsettled)


def settle_address(address: str) -> None:
    """Wait, where the caller is, until an address of an interface takes what comes to it."""
    if ":" in address:
        _wait(lambda: {socket.inet_pton(socket.AF_INET6, address).hex()} - _local_routes())


def _wait(unsettled: Callable[[], Collection[str]]) -> None:
    end = time.monotonic() + PATIENCE
    while left := unsettled():
        assert time.monotonic() < end, f"not ready: {sorted(left)}"
        time.sleep(0.002)


def _unsettled() -> set[str]:
    links = json.loads(_command(("ip", "-json", "link", "show"), None).stdout)
    live = {link["ifname"]: link for link in links if {"UP", "LOWER_UP"} <= {*link["flags"]}}
    idle = {name for name, link in live.items() if link["qdisc"] == "noop" or link["operstate"] not in {"UP", "UNKNOWN"}}
    rows = [line.split() for line in (_NET / "if_inet6").read_text(encoding="ascii").splitlines()]
    return idle | ({address for address, *_, name in rows if name in live} - _local_routes())


def _local_routes() -> set[str]:
    """In hexadecimal, of every table."""
    rows = [line.split() for line in (_NET / "ipv6_route").read_text(encoding="ascii").splitlines()]
    return {row[0] for row in rows if int(row[8], 16) & RTF_LOCAL}


def skip_without_large_buffers() -> None:
    """Skip where a batch of many megabytes cannot be sent: in a user namespace, unless net.core.wmem_max allows it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 1 << 26)
        except PermissionError:
            pytest.skip("large socket buffers need CAP_NET_ADMIN outside of any user namespace")


def _leave() -> str:
    if _LIBC.unshare(CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"


def _use_addresses_at_once() -> None:
    """No IPv6 address of a later link is tentative for a second or two: no other host is there."""
    with suppress(OSError):  # where /proc/sys is read-only, the tests only take longer
        Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0", encoding="ascii")


def _call(body: Callable[[], Any]) -> Any:
    result = body()
    return run(result) if isinstance(result, Coroutine) else result


def _command(words: tuple[str, ...], given: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, input=given, capture_output=True, text=True, check=False, timeout=120)
