"""What root writes on a hub is for the account of the daemon, which goes on with it."""

import os
from pathlib import Path

import pytest

from support.fleet import Hub, Owners
from support.users import need_another_user

DAEMON = 65534


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a daemon with an account of its own."""
    need_another_user()
    state = tmp_path / "state"
    state.mkdir(0o711)
    os.chown(state, DAEMON, DAEMON)
    return state


def owners_below(folder: Path) -> set[tuple[int, int]]:
    return {(path.stat().st_uid, path.stat().st_gid) for path in (folder, *folder.rglob("*"))}


def test_all_that_root_installs_and_promotes_belongs_to_the_daemon(tmp_path: Path, state: Path) -> None:
    hub = Hub(state / "fleet", Owners(tmp_path / "owners", "hub-a"), "hub-a", is_there=False)
    hub.install()
    hub.promote()
    assert owners_below(state / "fleet") == {(DAEMON, DAEMON)}
    assert (state / "fleet" / "lock").exists()


def test_folder_that_the_lock_makes_is_readable_for_a_web_server_whatever_the_umask_is(tmp_path: Path, state: Path) -> None:
    hub = Hub(state / "fleet", Owners(tmp_path / "owners", "hub-a"), "hub-a", is_there=False)
    before = os.umask(0o077)
    try:
        with hub.folder.alone():
            pass
    finally:
        os.umask(before)
    assert (state / "fleet").stat().st_mode & 0o777 == 0o755
    assert owners_below(state / "fleet") == {(DAEMON, DAEMON)}
