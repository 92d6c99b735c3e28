"""Shows the main task: the real daemon on the example configuration, its bans, real packets, and a restart.

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
        print("no answer", flush=True)
"""


def main(config: Path, backend: str) -> int:
    with tempfile.TemporaryDirectory(prefix="banlistd-try-") as folder:
        places = _places(Path(folder), config, backend)
        _title(f"banlistd on {config}, backend {backend}")
        with _daemon(places):
            _run(BIN / "banlistctl", "--runtime", str(places["runtime"]), "status")
            _run(BIN / "banlistctl", "--runtime", str(places["runtime"]), "sources")
            _run(BIN / "banlistctl", "--runtime", str(places["runtime"]), "check", BANNED)
            if backend == "nftables":
                _title("Real packets from another network namespace")
                _packets()
            before = _history(places)
            generation = _generation() if backend == "nftables" else None
        _title("A restart applies nothing twice")
        with _daemon(places):
            after = _history(places)
            same = before == after and (generation is None or generation == _generation())
            print(f"import runs before and after: {len(before)} and {len(after)}; unchanged: {same}")
            if generation is not None:
                print(f"generation of the kernel's ruleset before and after: {generation} and {_generation()}")
    _title("To install it")
    print("./packaging/build-deb dist && apt-get install ./dist/banlistd_*.deb")
    print("Then choose your lists in /etc/banlistd/banlistd.yaml and run: banlistd --check (README.md explains both)")
    return 0 if same or backend == "memory" else 1


def _places(folder: Path, config: Path, backend: str) -> dict[str, Path]:
    places = {name: folder / name for name in ("config", "state", "runtime")}
    subprocess.run(["cp", "-r", str(config), str(places["config"])], check=True)
    main_file = places["config"] / "banlistd.yaml"
    text = main_file.read_text(encoding="utf-8")
    main_file.write_text(text.replace("backend: nftables", f"backend: {backend}"), encoding="utf-8")
    return places


@contextmanager
def _daemon(places: dict[str, Path]) -> Iterator[None]:
    """Runs the daemon until every source is imported, shows its log, and stops it at the end."""
    command = [str(BIN / "banlistd")]
    for name, place in places.items():
        command += [f"--{name}", str(place)]
    daemon = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    started = threading.Event()
    log = threading.Thread(target=_show, args=(daemon, started))
    log.start()
    try:
        started.wait(timeout=60)
        while not all(timer["polled_at"] for timer in _ask(places, "timers")):
            time.sleep(0.1)
        yield
    finally:
        daemon.terminate()
        daemon.wait(timeout=10)
        log.join()


def _show(daemon: "subprocess.Popen[str]", started: threading.Event) -> None:
    for line in daemon.stderr or ():
        print(f"  {line.rstrip()[:150]}", flush=True)
        if "event=service_started" in line:
            started.set()
    started.set()


def _ask(places: dict[str, Path], *words: str) -> list[dict[str, object]]:
    command = [str(BIN / "banlistctl"), "--runtime", str(places["runtime"]), "--json", *words]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(json.loads(answer))


def _history(places: dict[str, Path]) -> list[tuple[object, ...]]:
    keys = ("id", "content_hash", "state", "attempts", "completed_at")
    return [tuple(run[key] for key in keys) for run in _ask(places, "history")]


def _generation() -> int:
    with NetlinkSocket() as kernel:
        return kernel.generation()


def _packets() -> None:
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
    for address, expected in ((CLEAN, "answered"), (BANNED, "no answer")):
        print(address, file=client.stdin, flush=True)
        outcome = client.stdout.readline().strip()
        print(f"  a packet from {address}: {outcome}{'' if outcome == expected else '  <- WRONG'}")
    client.stdin.close()
    client.wait()
    _run("nft", "list", "counters", "table", "inet", "banlistd")


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


def _run(*command: object) -> None:
    words = [str(word) for word in command]
    print(f"$ {Path(words[0]).name} {' '.join(words[1:])}", flush=True)
    subprocess.run(words, check=False)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
