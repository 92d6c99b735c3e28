"""The scenes that the killing tests go between. Lists overlap, in both families, and stay clear of what the host protects."""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.feed_server import FeedServer
from system.kill.calls import machine_is_known
from system.kill.nursery import Nursery
from system.kill.tracer import Watch
from system.kill.world import KillFixture, KillScenario, end_of

PLAIN = KillScenario(
    {
        "feed": ["192.0.2.1", "198.51.100.0/24", "2001:db8::/33", "203.0.113.7"],
        "other": ["198.51.100.128/26", "203.0.113.1", "2001:db8:9000::5"],
    }
)

# Both lists change; 192.0.2.1 leaves because a network comes over it, which takes a transaction of its own.
UPDATED = KillScenario(
    {
        "feed": ["192.0.2.0/28", "198.51.100.0/25", "2001:db8:8000::1", "203.0.113.7"],
        "other": ["198.51.100.0/26", "2001:db8::/34", "203.0.113.1"],
    }
)


_EXTRA = {"extra": ["203.0.113.0/29", "192.0.2.77", "2001:db8::/32"]}

CONFIGURED: Mapping[str, KillScenario] = {
    "a source added": dataclasses.replace(PLAIN, lists={**PLAIN.lists, **_EXTRA}),
    "a source removed": dataclasses.replace(PLAIN, lists={"feed": PLAIN.lists["feed"]}),
    "a source that only counts now": dataclasses.replace(PLAIN, actions={"feed": "count"}),
    "a source that rejects now": dataclasses.replace(PLAIN, actions={"feed": "reject"}),
    "an allow entry added": dataclasses.replace(PLAIN, allow=["198.51.100.64/27", "203.0.113.1"]),
    "the order turned round": dataclasses.replace(PLAIN, lists=dict(reversed([*PLAIN.lists.items()]))),
    "both directions": dataclasses.replace(PLAIN, more=", direction: both"),
    "lists changed as well": dataclasses.replace(UPDATED, actions={"other": "log"}, allow=["198.51.100.0/28"]),
}

SHRUNKEN = KillScenario({"feed": ["11.0.0.1", "11.0.0.3"], "other": PLAIN.lists["other"]})
FULL = KillScenario(
    {"feed": [f"11.0.{number >> 7}.{number % 128 * 2 + 1}" for number in range(1000)], "other": PLAIN.lists["other"]}
)


# A kill is no loss of power, so its folders may lie in memory: a disk that others keep busy made some kills 100 times as long.
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made below it


@contextmanager
def world_in(folder: Path, *, parser_process: bool = False, modules: Sequence[str] = ()) -> Iterator[KillFixture]:
    """A world to kill in; in `folder` where there is no folder in memory. Skips where no process may be traced.

    `parser_process`: lists are parsed in processes of their own; what kills an nft kills these as well.
    `modules`: what the daemon loads beside its usual ones.
    """
    if not machine_is_known():
        pytest.skip("the numbers of this machine's system calls are not in system/kill/calls")
    above = _MEMORY if os.access(_MEMORY, os.W_OK) else folder
    with (
        TemporaryDirectory(prefix="banlistd-", dir=above) as own,
        FeedServer() as server,
        Nursery(parser_process=parser_process, modules=modules) as nursery,
    ):
        world = KillFixture(Path(own), server, nursery)
        probe = end_of(world.place.begin("--version", watch=Watch()))
        if probe.code:
            pytest.skip(f"no process can be traced here: {' '.join(probe.words[-1:]).strip()}")
        yield world
