"""What a program may do that the launcher has become."""

import os
import subprocess
import sys
from pathlib import Path

from banlistd.adapters.signatures import launcher


def launched(*command: str, parent: int | None = None) -> subprocess.CompletedProcess[str]:
    search_path = os.pathsep.join(filter(None, sys.path))
    arguments = [str(parent or os.getpid()), search_path, *command]
    return subprocess.run(
        [sys.executable, "-I", "-S", str(launcher.__file__), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_no_right_is_left() -> None:
    status = dict(line.split(":", 1) for line in launched("/bin/cat", "/proc/self/status").stdout.splitlines())
    assert {status[name].strip() for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {"0000000000000000"}
    assert status["NoNewPrivs"].strip() == "1"


def test_no_file_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("a")
    for name in ("there", "new"):
        assert launched("/bin/cp", "/etc/passwd", str(tmp_path / name)).returncode
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_text() == "a"


def test_no_other_program_can_be_started_beside_it() -> None:
    status = launched("/bin/cat", "/proc/self/limits").stdout
    limits = {line[:26].strip(): line[26:].split()[0] for line in status.splitlines()[1:]}
    assert limits["Max processes"] == limits["Max file size"] == limits["Max core file size"] == "0"


def test_it_does_not_outlive_its_daemon() -> None:
    assert launched("/bin/cat", "/proc/self/status", parent=1).returncode == launcher.NOT_CONFINED
