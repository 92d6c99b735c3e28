"""What it costs to keep the versions of a list: the import with it and without, and what a version takes on the disk."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.case_updating import Changing
from bench.inputs import Listing
from bench.measuring import Sample
from bench.rows import Row, at_most, at_most_times
from bench.setting import Setting
from bench.turns import Contender, take_turns

_CHANGED = 0.01
_WHAT = "1 % of 1,000,000 addresses changed: file on disk -> kernel, marker and ledger; duration_ms of a running daemon's event"


def history(setting: Setting) -> Iterator[Row]:
    old = setting.inputs.million()
    new = _changed(old, setting.folder / "million-changed.txt")
    with ExitStack() as stack:
        # One daemon, for a second one would listen while the first writes, and the kernel would take three times as long.
        changing = Changing(stack, setting.folder, old, new, keys="history: 30d")
        contenders = [
            Contender(name, f"{keys}: {_WHAT}", partial(_there_and_back, changing, keys), target, loads=True, fills=True)
            for name, keys, target in (
                ("off", "history: off", None),
                ("on", "history: 30d", at_most_times(1.05, "history/off", 10)),
            )
        ]
        for contender in contenders:
            contender.measure()
        yield from take_turns("history", contenders, setting)
        kept = _octets(changing.home.place.state / "banlistd.db")
    entries = 2 * round(_CHANGED * old.entries)
    yield Row(
        "history/version",
        f"one version of it on the disk: {entries:,} entries that came or went, compressed",
        "kB",
        [size / 1000 for size in kept],
        target=at_most(100),
    )


def _there_and_back(changing: Changing, keys: str) -> Sample:
    changing.declare(keys)
    sample = changing.forth()
    changing.back()
    return sample


def _changed(old: Listing, path: Path) -> Listing:
    """The same list with 1 % of its lines replaced, spread over it."""
    lines = old.lines()
    known, chance = set(lines), random.Random(7)
    for place in chance.sample(range(len(lines)), round(_CHANGED * len(lines))):
        fresh = lines[place]
        while fresh in known:
            fresh = ".".join(str(chance.randint(1, 223 if part == 0 else 254)) for part in range(4))
        known.add(fresh)
        lines[place] = fresh
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return replace(old, path=path, entries=len(lines))


def _octets(database: Path) -> list[int]:
    with closing(sqlite3.connect(database)) as opened:
        return [row[0] for row in opened.execute("SELECT octets FROM versions WHERE octets > 0")]
