"""SIGKILL at every call of the first start with a database of an older schema.

The database is made by the SQL of that time and has rows in every table. Whatever happens, they are all there; the schema is
the old one or the newest; and the copy of the old file is whole wherever it is needed.
"""

import dataclasses
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.storage.database_schema import APPLICATION_ID, migrations
from support.network_namespace import in_network_namespace
from system.kill.attempts import run_once
from system.kill.points import Crossing, sweep
from system.kill.scenes import PLAIN, UPDATED, world_in
from system.kill.tracer import Victim
from system.kill.world import Ended, KillFixture, Saved

pytestmark = pytest.mark.sweep

NEWEST = migrations()[-1][0]
RUNS = 6

Rows = dict[str, list[dict[str, Any]]]

# What a poll writes anew; the rest of a row is its history.
MOVING = {
    "due_at",
    "polled_at",
    "attempts",
    "generation",
    "started_at",
    "completed_at",
    "added",
    "removed",
    "good_at",
    "policy_hash",
}

# The ban is a part of what stands from the upgrade on.
BANNED_BY_HAND = ["198.51.100.1-198.51.100.4"]
BY_HAND = (
    "INSERT INTO manual_bans (first, last, origin, comment, created_at) VALUES (x'c6336401', x'c6336404', 'operator', '', 1.5)",
    "INSERT INTO allow_entries (first, last, comment, created_at, expires_at) VALUES (x'cb007180', x'cb0071ff', '', 2.5, 4e9)",
    "INSERT INTO geo_cache VALUES (x'c0000200', x'c00002ff', 0, 'ZZ', 'Nowhere', 64496, 'Example', 4e9)",
)


def as_it_was_at(version: int, saved: Saved, folder: Path) -> Saved:
    """The same machine, whose database an older banlistd made and wrote."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / "banlistd.db", isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        for number, script in migrations():
            if number <= version:
                old.executescript(script)
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.execute(f"PRAGMA user_version = {version}")
        old.execute("ATTACH ? AS new", (str(saved.state / "banlistd.db"),))
        for table in tables_of(old):
            columns = ", ".join(row[1] for row in old.execute(f"PRAGMA main.table_info({table})"))
            old.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")  # noqa: S608 - our own names
        for statement in BY_HAND:
            old.execute(statement)
    return Saved(folder, saved.ruleset)


def tables_of(database: sqlite3.Connection) -> list[str]:
    return [row[0] for row in database.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")]


def read(file: Path) -> tuple[int, Rows]:
    """Schema and rows of a database that must be sound."""
    with closing(sqlite3.connect(file)) as database:
        database.row_factory = sqlite3.Row
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        queries = {table: f"SELECT * FROM {table}" for table in tables_of(database)}  # noqa: S608 - our own names
        rows = {table: sorted(map(dict, database.execute(query)), key=repr) for table, query in queries.items()}
        return database.execute("PRAGMA user_version").fetchone()[0], rows


def kept(rows: Rows, old: Rows) -> Rows:
    """Of these rows what the old ones said: their tables and columns, in as far as no poll moves them."""
    return {
        table: [{name: row[name] for name in was[0] if name not in MOVING} for row in rows[table]] for table, was in old.items()
    }


@pytest.mark.parametrize("version", [NEWEST - 1, NEWEST - 2])
@in_network_namespace
def test_a_migration_killed_at_any_call_loses_no_row_and_is_made_good_by_the_next_run(
    tmp_path: Path, day: int | None, version: int
) -> None:
    with world_in(tmp_path) as world:
        # History, where there was any: what no run names is forgotten by the next one that is completed.
        for scene in (UPDATED, PLAIN) if version >= RUNS else (PLAIN,):
            world.learn(scene)
        old = as_it_was_at(version, world.save("new"), tmp_path / "old")
        _, rows = read(old.state / "banlistd.db")
        new = dataclasses.replace(PLAIN, by_hand=BANNED_BY_HAND)
        begin, again = partial(world.put_back, old), partial(run_once, world, new)
        begin()
        world.learn(new)
        check = partial(check_the_database, world, version, rows)
        kills = sweep(Crossing(world, PLAIN, new, begin, again, again, (Victim.DAEMON,), check=check), day)
    assert kills[Victim.DAEMON]


def check_the_database(world: KillFixture, version: int, rows: Rows, ended: Ended) -> None:
    with world.untouched_database() as file:
        schema, found = read(file)
        assert schema == NEWEST or (schema == version and ended.code != 0)
        for table, was in kept(rows, rows).items():
            there = kept({table: found[table]}, {table: rows[table]})[table]
            assert all(row in there for row in was), f"rows are gone from {table}"
        if schema > version:
            assert read(file.with_name(f"banlistd.db.v{version}")) == (version, rows)
        if not ended.code:
            assert set(file.parent.iterdir()) == {file, file.with_name(f"banlistd.db.v{version}")}
