"""Shows the main task on one screen: the real daemon on the example configuration, real packets, and a restart.

packaging/try calls it with the configuration folder and the backend; for nftables it already runs in a network namespace of
its own.
"""

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from banlistd.adapters.netlink.socket import NetlinkSocket

BIN = Path(sys.executable).parent

# The example's list "scanners" contains 198.51.100.7; no list contains 198.51.100.200.
BANNED, CLEAN, HERE = "198.51.100.7", "198.51.100.200", "198.51.100.250"
PORT = 7777

_CLIENT = f"""
import socket, sys
for line in sys.stdin:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(1)
    client.bind((line.strip(), 0))
    client.sendto(b"ping", ("{HERE}", {PORT}))
    try:
        client.recv(100)
        print("answered", flush=True)
    except TimeoutError:
        print("dropped", flush=True)
"""


_INSTALL = """\
  apt-get install git python3-venv binutils
  ./packaging/build-deb dist
  apt-get install ./dist/banlistd_*.deb
Then choose your lists in /etc/banlistd/banlistd.yaml
(README.md, Your first list). All tests: ./tests/run"""


def main(config: Path, backend: str) -> int:
    with tempfile.TemporaryDirectory(prefix="banlistd-try-") as folder:
        places = _places(Path(folder), config, backend)
        with _daemon(places):
            _show(places, "sources")
            _show(places, "check", BANNED)
            passed = backend != "nftables" or _packets()
            before = _history(places)
            generation = _generation() if backend == "nftables" else None
        with _daemon(places):
            unchanged = before == _history(places) and (generation is None or generation == _generation())
        _title("Proof 2: a restart writes nothing")
        print(f"  the {len(before)} imports are {'the same as before' if unchanged else 'NOT the same as before'}")
        if generation is not None:
            print(f"  the kernel numbers each change of its rules: {generation} before, {_generation()} after")
    _title("To install it, as root (README.md, Install)")
    print(_INSTALL)
    return 0 if passed and unchanged else 1


def _places(folder: Path, config: Path, backend: str) -> dict[str, Path]:
    places = {name: folder / name for name in ("config", "state", "runtime", "log")}
    subprocess.run(["cp", "-r", str(config), str(places["config"])], check=True)
    main_file = places["config"] / "banlistd.yaml"
    text = main_file.read_text(encoding="utf-8")
    main_file.write_text(text.replace("backend: nftables", f"backend: {backend}"), encoding="utf-8")
    return places


@contextmanager
def _daemon(places: dict[str, Path]) -> Iterator[None]:
    """Runs the daemon until every source is imported, and stops it at the end. Shows its log only if it does not start."""
    command = [str(BIN / "banlistd")]
    for name in ("config", "state", "runtime"):
        command += [f"--{name}", str(places[name])]
    with places["log"].open("w") as log, subprocess.Popen(command, stderr=log) as daemon:
        try:
            end = time.monotonic() + 60
            while not _is_ready(places):
                if daemon.poll() is not None or time.monotonic() > end:
                    sys.exit(f"banlistd has not started:\n{places['log'].read_text()}")
                time.sleep(0.1)
            yield
        finally:
            daemon.terminate()


def _is_ready(places: dict[str, Path]) -> bool:
    """Whether the daemon runs and has imported every source. A poll counts as failed until it has ended."""
    if "event=service_started" not in places["log"].read_text():
        return False
    return all(timer["polled_at"] and not timer["failures"] for timer in _ask(places, "timers"))


def _ctl(places: dict[str, Path], *words: str) -> list[str]:
    return [str(BIN / "banlistctl"), "--runtime", str(places["runtime"]), *words]


def _ask(places: dict[str, Path], *words: str) -> list[dict[str, object]]:
    answer = subprocess.run(_ctl(places, "--json", *words), check=True, capture_output=True, text=True).stdout
    return list(json.loads(answer))


def _history(places: dict[str, Path]) -> list[tuple[object, ...]]:
    keys = ("id", "content_hash", "state", "attempts", "completed_at")
    return [tuple(run[key] for key in keys) for run in _ask(places, "history")]


def _generation() -> int:
    with NetlinkSocket() as kernel:
        return kernel.generation()


def _packets() -> bool:
    """A client at the other end of a veth pair sends from a clean and from a banned address to a server that answers all."""
    client = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", _CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert client.stdin is not None  # noqa: S101 - asked for above
    assert client.stdout is not None  # noqa: S101 - asked for above
    _connect(client.pid)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((HERE, PORT))
    threading.Thread(target=_answer_all, args=(server,), daemon=True).start()
    _title("Proof 1: real packets from another network namespace")
    passed = True
    for address, expected in ((CLEAN, "answered"), (BANNED, "dropped")):
        print(address, file=client.stdin, flush=True)
        outcome = client.stdout.readline().strip()
        passed = passed and outcome == expected
        what = "on a list" if address == BANNED else "on no list"
        print(f"  a packet from {address}, {what}: {outcome}{'' if outcome == expected else '  <- WRONG'}")
    client.stdin.close()
    client.wait()
    return passed


def _answer_all(server: socket.socket) -> None:
    while True:
        question, client = server.recvfrom(100)
        server.sendto(question, client)


def _connect(pid: int) -> None:
    inside = ["nsenter", "--target", str(pid), "--net"]
    for command in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(pid)],
        ["ip", "addr", "add", f"{HERE}/24", "dev", "here"],
        ["ip", "link", "set", "here", "up"],
        [*inside, "ip", "link", "set", "lo", "up"],
        [*inside, "ip", "addr", "add", f"{CLEAN}/24", "dev", "there"],
        [*inside, "ip", "addr", "add", f"{BANNED}/24", "dev", "there"],
        [*inside, "ip", "link", "set", "there", "up"],
    ):
        subprocess.run(command, check=True)


def _title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _show(places: dict[str, Path], *words: str) -> None:
    print(f"\n$ banlistctl {' '.join(words)}", flush=True)
    subprocess.run(_ctl(places, *words), check=False)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
