"""Planted files, and root at work in the directory of the service account: real files, a real SQLite."""

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import open_copy, open_database
from banlistd.adapters.storage.database_schema import APPLICATION_ID
from banlistd.errors import AS_ROOT, LedgerError

ACCOUNT = 12345


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory that other accounts can reach, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        state = Path(folder) / "state"
        state.mkdir(mode=0o700)
        yield state


@pytest.fixture
def foreign(state: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("to work in the directory of another account needs root")
    os.chown(state, ACCOUNT, ACCOUNT)
    return state


def use(path: Path) -> str:
    """Open and close it; why the state is in memory."""

    async def opened() -> str:
        async with open_database(path) as database:
            await database.run("INSERT INTO known_names VALUES ('host', '192.0.2.1')")
            return database.fault

    return asyncio.run(opened())


def copy(path: Path) -> None:
    async def opened() -> None:
        async with open_copy(path):
            pass

    asyncio.run(opened())


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("PRAGMA application_id").fetchone()[0])


@pytest.mark.parametrize("name", ["banlistd.db", "banlistd.db-wal", "banlistd.db-shm", "banlistd.db-journal"])
@pytest.mark.parametrize("kind", ["dangling link", "link", "fifo", "directory"])
def test_what_is_no_plain_file_is_refused_at_once_and_stays(state: Path, name: str, kind: str) -> None:
    planted, victim = state / name, state.parent / "victim"
    if kind == "fifo":
        os.mkfifo(planted)
    elif kind == "directory":
        planted.mkdir()
    else:
        planted.symlink_to(victim)
    if kind == "link":
        victim.write_text("precious")
    for attempt in (use, copy):
        if attempt is copy and name != "banlistd.db":
            (state / "banlistd.db").touch()
        with pytest.raises(LedgerError, match=f"{name} is a "):
            attempt(state / "banlistd.db")
    assert victim.exists() is (kind == "link")
    assert not victim.exists() or victim.read_text() == "precious"


@pytest.mark.parametrize("name", ["banlistd.db", "banlistd.db-wal"])
def test_a_file_that_others_can_write_is_refused(state: Path, name: str) -> None:
    use(state / "banlistd.db")
    planted = state / name
    planted.touch()
    planted.chmod(0o666)
    for attempt in (use, copy):
        with pytest.raises(LedgerError, match=f"every user can write to .*{name}"):
            attempt(state / "banlistd.db")
    planted.chmod(0o660)
    copy(state / "banlistd.db")


def test_a_file_of_a_third_account_is_refused(foreign: Path) -> None:
    path = foreign / "banlistd.db"
    use(path)
    os.chown(path, ACCOUNT + 1, ACCOUNT)
    for attempt in (use, copy):
        with pytest.raises(LedgerError, match=f"banlistd.db belongs to user {ACCOUNT + 1}"):
            attempt(path)


def test_what_root_makes_in_the_directory_of_an_account_belongs_to_the_account(foreign: Path) -> None:
    path = foreign / "banlistd.db"

    def found() -> set[tuple[str, int, int]]:
        return {(file.name, file.stat().st_uid, file.stat().st_gid) for file in foreign.iterdir()}

    async def owners() -> set[tuple[str, int, int]]:
        async with open_database(path):
            return found()

    names = ("banlistd.db", "banlistd.db-wal", "banlistd.db-shm")
    assert asyncio.run(owners()) == {(name, ACCOUNT, ACCOUNT) for name in names}
    assert version_of(path) == APPLICATION_ID


def test_a_database_that_root_has_left_in_the_directory_of_an_account_goes_to_the_account(foreign: Path) -> None:
    path = foreign / "banlistd.db"
    with closing(sqlite3.connect(path)):
        path.touch()
    assert path.stat().st_uid == 0
    assert use(path) == ""
    assert path.stat().st_uid == ACCOUNT


def test_a_file_with_a_second_name_is_not_given_away(foreign: Path) -> None:
    elsewhere = foreign.parent / "of root"
    elsewhere.touch(mode=0o600)
    os.link(elsewhere, foreign / "banlistd.db")
    assert use(foreign / "banlistd.db") != ""
    assert elsewhere.stat().st_uid == 0


def test_root_keeps_its_own_rights_to_files(foreign: Path) -> None:
    use(foreign / "banlistd.db")
    mine = foreign.parent / "mine"
    mine.touch()
    assert mine.stat().st_uid == 0


def test_a_copy_of_a_database_that_is_closed_to_this_user_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(LedgerError, match=r"banlistd\.db cannot be read: permission denied") as refused:
        copy(tmp_path / "banlistd.db")
    assert refused.value.hint == AS_ROOT
