#!/usr/bin/env python3
"""Kills banlistd at random moments, as often as is wanted, and looks at what comes of it: the endless form of test_kill_random.

Run as root, or under `unshare --user --map-root-user`, with the Python that has banlistd: .venv/bin/python tests/kill_sweep.py
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from bench.notices import Notices
from support.network_namespace import NetworkNamespace
from system.kill.moments import COMBINED, LARGE, SCOPED, SMALL, kill_often
from system.kill.scenes import world_in
from system.kill.world import KillScenario

# A world is made anew after so many, because each has dice and a history of its own.
_KILLS_OF_A_WORLD = 500


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Kill banlistd at random moments and look at what comes of it.")
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="how often (1000)")
    parser.add_argument("--large", type=int, default=20, metavar="PERCENT", help="how many of them over large lists (20)")
    parser.add_argument("--combined", type=int, default=20, metavar="PERCENT", help="over combinations (20)")
    parser.add_argument("--scoped", type=int, default=10, metavar="PERCENT", help="over lists with a scope (10)")
    parser.add_argument("--seed", type=int, help="begin with the dice of a run that failed")
    parser.add_argument("--listener", action="store_true", help="another program listens to nf_tables meanwhile")
    arguments = parser.parse_args(argv)
    large = arguments.count * arguments.large // 100
    combined = arguments.count * arguments.combined // 100
    scoped = arguments.count * arguments.scoped // 100
    small = arguments.count - large - combined - scoped
    kills = Counter[str]()
    began = time.monotonic()
    try:
        for scenes, count in ((SMALL, small), (COMBINED, combined), (SCOPED, scoped), (LARGE, large)):
            for first in range(0, count, _KILLS_OF_A_WORLD):
                with _listening() if arguments.listener else nullcontext():
                    kills += _kill(scenes, min(_KILLS_OF_A_WORLD, count - first), arguments.seed)
                arguments.seed = None
                print(f"{kills.total()} kills, all made good, {time.monotonic() - began:.0f} s", flush=True)
    except pytest.skip.Exception as reason:
        print(f"cannot kill here: {reason}", file=sys.stderr)
        return 69
    for what, often in kills.most_common():
        print(f"{often:7} {what}")
    return 0


@contextmanager
def _listening() -> Iterator[None]:
    """Listen to nf_tables in a namespace of its own, and read nothing: the kernel makes its notices in all namespaces."""
    with NetworkNamespace() as namespace, namespace.run(Notices):
        yield


def _kill(scenes: Sequence[KillScenario], count: int, seed: int | None) -> Counter[str]:
    with tempfile.TemporaryDirectory() as folder, NetworkNamespace() as namespace:

        def within() -> Counter[str]:
            with world_in(Path(folder)) as world:
                return kill_often(world, scenes, count, seed)

        found: Counter[str] = namespace.run(within)
        return found


if __name__ == "__main__":
    sys.exit(main())
