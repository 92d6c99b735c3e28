"""A member of the daemon's group who opens connections without end: nothing else of the daemon suffers."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.network_namespace import in_network_namespace, nft
from support.users import need_another_user
from system.daemon_process import Installation, running
from system.kernel_view import expected, standing

# More than the daemon has descriptors.
ATTEMPTS, DESCRIPTORS = 900, 512

# The folder of the socket is the working directory, so that the way there may be closed to others.
MEMBER = """
import os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
os.chdir(sys.argv[1])
os.setgroups([os.stat("control.sock").st_gid]); os.setgid(65534); os.setuid(65534)
opened = []
for _ in range(int(sys.argv[2])):
    one = socket.socket(socket.AF_UNIX)
    one.connect("control.sock")
    opened.append(one)
    try:
        one.sendall(b"GET /v1/status HTTP/1.1\\r\\nX: ")
    except BrokenPipeError:
        pass
opened[-1].settimeout(60)
refused = opened[-1].recv(4096)
print(refused.partition(b"\\r\\n")[0].decode(), flush=True)
input()
"""


@contextmanager
def half_requests(place: Installation) -> Iterator[str]:
    """What the last one of them is answered."""
    command = [sys.executable, "-c", MEMBER, str(place.runtime), str(ATTEMPTS)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, text=True) as member:
        assert member.stdout
        yield member.stdout.readline().strip()


@in_network_namespace
def test_half_requests_of_a_member_stop_no_repair_no_import_and_no_root(tmp_path: Path) -> None:
    need_another_user()
    place = Installation(tmp_path)
    feed = tmp_path / "feed.txt"
    feed.write_text("198.51.100.1\n")
    place.configure(f'id: feed, path: "{feed}"', every="365d")
    with running(place, "feed", through=["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}"]) as daemon:
        with half_requests(place) as answer:
            assert answer == "HTTP/1.1 503 Service Unavailable"
            assert place.ask("status")["state"] == "running"
            nft("delete table inet banlistd")
            daemon.wait_for("firewall_drift_repaired")
            feed.write_text("198.51.100.1\n198.51.100.2\n")
            assert place.ctl("refresh", "feed").returncode == 0
            assert standing() == expected({"feed": ["198.51.100.1", "198.51.100.2"]})
        assert daemon.terminate() == 0
    assert daemon.words == []
