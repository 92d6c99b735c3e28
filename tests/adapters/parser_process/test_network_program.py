"""What a program that speaks to mirrors can still do once it is confined, tried one by one by a real process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, socket, sys, ctypes
from pathlib import Path
from banlistd.adapters.parser_process import confinement
from banlistd.adapters.parser_process.network_program import ProgramBounds, become_unprivileged, confine
folder, outside, attempt = sys.argv[1:]
confinement.give_up_ambient_rights()
become_unprivileged(os.getppid(), is_first=False)
confine(ProgramBounds(Path(folder), 1 << 20, 20))
def status(name):
    return next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
attempts = {
    "write in its folder": lambda: Path(folder, "a").write_text("x"),
    "link in its folder": lambda: os.symlink("a", Path(folder, "b")),
    "read a certificate": lambda: Path("/etc/hosts").read_text(),
    "import a module": lambda: __import__("numpy").arange(3),
    "open TCP": lambda: socket.socket(socket.AF_INET).connect_ex(("127.0.0.1", 9)),
    "resolve a name": lambda: socket.getaddrinfo("localhost", 443),
    "read elsewhere": lambda: Path(outside).read_text(),
    "write elsewhere": lambda: Path(outside).write_text("x"),
    "make a file elsewhere": lambda: Path(outside + ".new").write_text("x"),
    "speak to the control socket": lambda: socket.socket(socket.AF_UNIX),
    "speak to the kernel": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12),
    "send any packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "listen": lambda: socket.socket(socket.AF_INET).bind(("127.0.0.1", 0)),
    "run a program": lambda: os.execv("/bin/true", ["true"]),
    "begin a process": os.fork,
    "signal its parent": lambda: os.kill(os.getppid(), 0),
    "write a large file": lambda: Path(folder, "c").write_bytes(bytes(2 << 20)),
}
attempts[attempt]()
print("done")
"""

POSSIBLE = ["write in its folder", "link in its folder", "read a certificate", "import a module", "open TCP", "resolve a name"]
IMPOSSIBLE = [
    "read elsewhere",
    "write elsewhere",
    "make a file elsewhere",
    "speak to the control socket",
    "speak to the kernel",
    "send any packet",
    "listen",
    "run a program",
    "begin a process",
    "signal its parent",
    "write a large file",
]


def tried(tmp_path: Path, attempt: str, program: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    folder, outside = tmp_path / "folder", tmp_path / "state"
    folder.mkdir()
    outside.write_text("secret")
    command = [sys.executable, "-I", "-c", program, str(folder), str(outside), attempt]
    environment = {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment, check=False)
    assert outside.read_text() == "secret"
    return done


@pytest.mark.parametrize("attempt", POSSIBLE)
def test_what_a_pull_needs_is_possible(tmp_path: Path, attempt: str) -> None:
    done = tried(tmp_path, attempt)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.parametrize("attempt", IMPOSSIBLE)
def test_everything_else_is_refused(tmp_path: Path, attempt: str) -> None:
    if "elsewhere" in attempt and not has_landlock():
        pytest.skip("this kernel has no Landlock")
    done = tried(tmp_path, attempt)
    assert "done" not in done.stdout
    assert done.returncode


@pytest.mark.parametrize("call", ["_CREATE", "_ADD", "_RESTRICT"])
def test_a_call_of_landlock_that_fails_is_a_fault(tmp_path: Path, call: str) -> None:
    if not has_landlock():
        pytest.skip("this kernel has no Landlock")
    # -1 as the number of a system call: ENOSYS.
    breaking = f"""
from banlistd.adapters.parser_process import network_program as confined
class Library:
    real = confined._LIBC
    def syscall(self, number, *rest):
        return self.real.syscall(-1 if number == confined.{call} else number, *rest)
confined._LIBC = Library()
"""
    done = tried(tmp_path, "import a module", PROGRAM.replace("confine(Pro", f"{breaking}confine(Pro"))
    assert "Landlock refuses the rules of files: Function not implemented" in done.stderr


def has_landlock() -> bool:
    modules = Path("/sys/kernel/security/lsm")
    return (modules.exists() and "landlock" in modules.read_text()) or os.uname().release >= "5.13"
