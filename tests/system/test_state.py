"""State and runtime directories in bad hands or full: the program says so at once, with an exit code that systemd restarts."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.network_namespace import in_network_namespace
from system.daemon_process import Installation, running

RESTARTED = (71, 74, 75)
"""The unit has RestartPreventExitStatus=64 78."""


@contextmanager
def tiny(place: Path) -> Iterator[None]:
    """A file system in memory without a free inode."""
    if os.geteuid() != 0:
        pytest.skip("to mount a file system needs root")
    place.mkdir()
    options = "size=64k,nr_inodes=2"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def configured(folder: Path) -> Installation:
    place = Installation(folder)
    (folder / "list").write_text("198.51.100.1\n")
    place.configure(f'id: list, path: "{folder / "list"}"')
    return place


def fails(place: Installation, words: str) -> None:
    done = place.run()
    assert done.returncode in RESTARTED, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@in_network_namespace
def test_a_runtime_directory_without_inodes_ends_in_a_restart(tmp_path: Path) -> None:
    place = configured(tmp_path)
    with tiny(tmp_path / "full"):
        place.runtime = tmp_path / "full" / "runtime"
        place.runtime.mkdir()
        fails(place, "cannot create the control socket")
    with tiny(tmp_path / "fuller"):
        (tmp_path / "fuller" / "only").touch()
        place.runtime = tmp_path / "fuller" / "runtime"
        fails(place, "cannot create the runtime directory")


@in_network_namespace
def test_a_state_directory_that_cannot_be_made_ends_in_a_restart(tmp_path: Path) -> None:
    place = configured(tmp_path)
    with tiny(tmp_path / "full"):
        (tmp_path / "full" / "only").touch()
        place.state = tmp_path / "full" / "state"
        fails(place, "No space left on device")


@in_network_namespace
def test_a_file_in_place_of_the_socket_ends_in_a_restart_and_stays(tmp_path: Path) -> None:
    place = configured(tmp_path)
    place.runtime.mkdir()
    (place.runtime / "control.sock").write_text("hi")
    fails(place, "is not a socket")
    assert (place.runtime / "control.sock").read_text() == "hi"


@in_network_namespace
def test_a_fifo_in_place_of_the_database_is_refused(tmp_path: Path) -> None:
    place = configured(tmp_path)
    place.state.mkdir()
    os.mkfifo(place.state / "banlistd.db")
    fails(place, "is a FIFO, not a file")
    assert place.run("--teardown").returncode == 0


@in_network_namespace
def test_a_state_directory_that_every_user_can_write_is_refused(tmp_path: Path) -> None:
    place = configured(tmp_path)
    place.state.mkdir()
    place.state.chmod(0o777)
    fails(place, "every user can write")
    assert [*place.state.iterdir()] == []
    assert place.run("--restore").returncode in RESTARTED


@in_network_namespace
def test_after_a_run_of_root_the_state_is_the_accounts(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("to give a directory away needs root")
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o711)
    place = configured(tmp_path)
    place.state.mkdir(mode=0o700)
    os.chown(place.state, 12345, 12345)
    assert place.once() == 0
    assert {file.stat().st_uid for file in place.state.iterdir()} == {12345}
    with running(place) as daemon:
        assert {file.stat().st_uid for file in place.state.iterdir()} == {12345}
        assert daemon.terminate() == 0
