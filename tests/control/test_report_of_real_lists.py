"""What the report says of the past of real lists, beside a computation that shares nothing with it."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from banlistd.model import SourceId
from support.data import real_list
from support.sources import ONE, THREE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

# Successive versions of one list, with the times when they were published.
CHURN = (
    "churn/datashield_084_20260815T1606.txt",
    "churn/datashield_012_20260821T2006.txt",
    "churn/datashield_001_20260822T1806.txt",
)
STATIC = "feeds/emergingthreats.txt"

Lines = frozenset[str]
Steps = Sequence[tuple[float, Lines]]


def published(name: str) -> float:
    return dt.datetime.strptime(name.rpartition("_")[2], "%Y%m%dT%H%M.txt").replace(tzinfo=dt.UTC).timestamp()


def lines_of(name: str) -> Lines:
    found = real_list(name).read_text(encoding="ascii").split()
    return frozenset(found) if len({IPv4Address(one) for one in found}) == len(set(found)) else frozenset()


def days(seconds: Sequence[float]) -> float | None:
    return median(seconds) / 86_400 if seconds else None


def computed(lists: Mapping[SourceId, Steps]) -> Mapping[str, Mapping[str, Any]]:
    """By the lines of the files alone."""
    known_before = frozenset[str]().union(*(steps[0][1] for steps in lists.values()))
    arrivals: dict[str, list[tuple[float, SourceId]]] = defaultdict(list)
    stays: dict[SourceId, list[float]] = {name: [] for name in lists}
    for name, steps in lists.items():
        came: dict[str, float] = {}
        seen = set(steps[0][1])
        for (_, before), (time, after) in pairwise(steps):
            for address in after - before:
                came[address] = time
                if address not in seen:
                    arrivals[address].append((time, name))
                    seen.add(address)
            stays[name] += [time - came.pop(address) for address in before - after if address in came]
    ahead: dict[SourceId, list[float]] = {name: [] for name in lists}
    for address, found in arrivals.items():
        (first, name), *others = sorted(found)
        if address not in known_before and others and others[0][0] > first:
            ahead[name].append(others[0][0] - first)
    return {
        name: {
            "first": len(ahead[name]),
            "days_ahead": days(ahead[name]),
            "left": len(stays[name]),
            "days_listed": days(stays[name]),
        }
        for name in lists
    }


def test_the_past_of_real_lists_is_what_their_lines_say(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    early, middle, late = (lines_of(name) for name in CHURN)
    static = lines_of(STATIC)
    times = [published(name) for name in CHURN]
    versions = {ONE: (early, middle, late, early), TWO: (early, early, middle, late), THREE: (static,) * 4}
    moments = [*times, times[-1] + 86_400.0]
    steps = {name: list(zip(moments, found, strict=True)) for name, found in versions.items()}

    async def life(world: DaemonWorld) -> None:
        for at, moment in enumerate(moments):
            world.clock.time = moment
            for name, contents in versions.items():
                environment.fetcher.bodies[name] = "".join(f"{line}\n" for line in sorted(contents[at])).encode()
                await world.poll(name)
        rows = {row["id"]: row for row in (await world.ask("report", past="true"))["lists"]}
        past = {
            name: {key: row["past"][key] for key in ("first", "days_ahead", "left", "days_listed")}
            for name, row in rows.items()
        }
        assert past == computed(steps)
        assert rows["one"]["past"]["first"] > 5_000
        assert rows["one"]["past"]["left"] > 5_000
        assert {name: row["entries"] for name, row in rows.items()} == {
            name: len(found[-1]) for name, found in versions.items()
        }
        shared = len(versions[ONE][-1] & versions[TWO][-1])
        assert rows["one"]["overlap"]["two"] == rows["two"]["overlap"]["one"] == shared
        alone = len(versions[TWO][-1] - versions[ONE][-1] - static)
        assert rows["two"]["unique"] == alone

    run(environment, config_of(source(ONE), source(TWO), source(THREE)), life)
