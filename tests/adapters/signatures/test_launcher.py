"""What a program may do that the launcher has become."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from banlistd.adapters.signatures import launcher

AS_THE_UNIT = ("--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+net_admin", "--ambient-caps=+net_admin")
"""Of setpriv: an account with one capability that it keeps through execve."""


def launched(*command: str, parent: int | None = None, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """`before`: a program, and its arguments, that becomes the launcher."""
    search_path = os.pathsep.join(filter(None, sys.path))
    arguments = [str(parent or os.getpid()), search_path, *command]
    return subprocess.run(
        [sys.executable, "-I", "-S", str(launcher.__file__), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("account", ["this", "that of the unit"])
def test_no_right_is_left(account: str) -> None:
    before = ("setpriv", *AS_THE_UNIT) if account != "this" else ()
    if before and os.geteuid():
        pytest.skip("only root becomes another account")
    done = launched("/bin/cat", "/proc/self/status", before=before)
    if before and done.returncode == 126:  # as env(1) has it: found, and not executable for the other account
        pytest.skip("another account cannot reach this interpreter")
    status = dict(line.split(":", 1) for line in done.stdout.splitlines())
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
