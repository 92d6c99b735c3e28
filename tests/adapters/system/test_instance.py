"""One daemon for one state directory: real processes, and a death that leaves no time to clean up."""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from banlistd.adapters.system.instance import only_instance, only_writer, refuse_unsafe_state
from banlistd.errors import AS_ROOT, AlreadyRunningError, FirewallError, LedgerError
from support.network_namespace import NetworkNamespace, in_network_namespace
from support.users import need_another_user

HOLD = """
import sys
from pathlib import Path
from banlistd.adapters.system.instance import only_instance
with only_instance(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_holds(state: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_process_on_the_same_state_is_refused(tmp_path: Path) -> None:
    with another_holds(tmp_path):
        with pytest.raises(AlreadyRunningError) as refused, only_instance(tmp_path):
            pytest.fail("two at once")
        assert str(tmp_path) in refused.value.message
        assert refused.value.hint


def test_one_that_was_refused_does_not_break_the_lock_of_the_first(tmp_path: Path) -> None:
    with another_holds(tmp_path):
        for _ in range(2):
            with pytest.raises(AlreadyRunningError), only_instance(tmp_path):
                pytest.fail("two at once")


def test_the_lock_goes_with_its_holder_however_it_dies(tmp_path: Path) -> None:
    with another_holds(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with only_instance(tmp_path):
            pass


def test_the_lock_is_free_again_after_the_work_and_after_a_fault(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError), only_instance(tmp_path):
            raise RuntimeError
    with another_holds(tmp_path):
        pass


def test_two_state_directories_are_two_daemons(tmp_path: Path) -> None:
    with another_holds(tmp_path / "one"), only_instance(tmp_path / "two"):
        pass


def test_started_program_does_not_keep_the_lock(tmp_path: Path) -> None:
    with only_instance(tmp_path):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with only_instance(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()


def test_the_state_directory_is_made_and_is_ours_alone(tmp_path: Path) -> None:
    state = tmp_path / "var" / "banlistd"
    with only_instance(state):
        assert state.stat().st_mode & 0o777 == 0o700
        assert not [*state.iterdir()]


def test_a_state_directory_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError) as refused, only_instance(tmp_path / "file" / "state"):
        pytest.fail("there is no such directory")
    assert os.strerror(20) in refused.value.message


def test_a_firewall_has_one_writer_and_is_free_when_that_is_gone() -> None:
    with NetworkNamespace() as one, NetworkNamespace() as two:

        def nested() -> None:
            with only_writer():
                two.run(alone)
                with pytest.raises(AlreadyRunningError, match="another state directory"), only_writer():
                    pytest.fail("there are two")
            alone()

        def alone() -> None:
            with only_writer():
                pass

        one.run(nested)


@in_network_namespace
def test_foreign_use_of_the_port_keeps_no_daemon_away() -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as squatter:
        squatter.bind((0x424C_4431, 0))
        with only_writer():
            pass


@in_network_namespace
def test_a_second_daemon_is_refused_also_while_a_user_has_the_port() -> None:
    squatter = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    squatter.bind((0x424C_4431, 0))
    with only_writer():
        with pytest.raises(AlreadyRunningError), only_writer():
            pytest.fail("there are two")
        squatter.close()
        with pytest.raises(AlreadyRunningError), only_writer():
            pytest.fail("there are two")
    with only_writer():
        pass


SQUAT = """
import os, socket
os.setgroups([]); os.setgid(65534); os.setuid(65534)
squatter = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
try:
    squatter.bind((0x424C_4431, 1 << 7))
except PermissionError:
    squatter.bind((0x424C_4431, 0))
    print("has the port", flush=True)
    input()
"""


@in_network_namespace
def test_an_unprivileged_process_keeps_no_daemon_away_and_hides_none() -> None:
    need_another_user()
    with subprocess.Popen(
        [sys.executable, "-c", SQUAT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as squatter:
        assert squatter.stdout
        assert squatter.stdout.readline() == "has the port\n"
        with only_writer(), pytest.raises(AlreadyRunningError), only_writer():
            pytest.fail("there are two")


@in_network_namespace
def test_a_second_daemon_never_joins_so_that_the_first_is_not_refused_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[tuple[int, int]]()

    class Noting(socket.socket):
        def bind(self, address: tuple[int, int], /) -> None:  # type: ignore[override]
            asked.append(address)
            super().bind(address)

    with only_writer():
        monkeypatch.setattr(socket, "socket", Noting)
        with pytest.raises(AlreadyRunningError), only_writer():
            pytest.fail("there are two")
    assert asked == [(0x424C_4431, 1 << 7)]


def test_a_user_who_may_not_use_the_state_directory_learns_who_may(tmp_path: Path) -> None:
    need_another_user()
    os.seteuid(65534)
    try:
        with pytest.raises(LedgerError, match="Permission denied") as refused, only_instance(tmp_path):
            pytest.fail("the directory belongs to root alone")
    finally:
        os.seteuid(0)
    assert refused.value.hint == AS_ROOT


def test_a_state_directory_that_every_user_can_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(LedgerError, match="every user can write"):
        refuse_unsafe_state(tmp_path)
    tmp_path.chmod(0o770)
    refuse_unsafe_state(tmp_path)


def test_a_state_directory_of_another_user_is_refused_but_not_to_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("to give a directory away needs root")
    os.chown(tmp_path, 12345, 12345)
    refuse_unsafe_state(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    refuse_unsafe_state(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 12346)
    with pytest.raises(LedgerError, match="belongs to user 12345, not to user 12346"):
        refuse_unsafe_state(tmp_path)


def test_a_state_directory_that_is_a_link_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("to give a link away needs root")
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.mkdir(mode=0o700)
    link.symlink_to(mine)
    refuse_unsafe_state(link)
    os.chown(link, 12345, 12345, follow_symlinks=False)
    with pytest.raises(LedgerError, match="is a symbolic link of user 12345 to a directory of user 0"):
        refuse_unsafe_state(link)
    os.chown(mine, 12345, 12345)
    refuse_unsafe_state(link)


def test_a_kernel_without_netfilter_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: int) -> socket.socket:
        raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")

    monkeypatch.setattr(socket, "socket", refused)
    with pytest.raises(FirewallError, match="cannot speak to the firewall: Protocol not supported") as caught, only_writer():
        pass
    assert "no netfilter" in caught.value.hint
