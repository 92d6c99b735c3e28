"""How long the event loop keeps others waiting while a list is imported: a task in the very loop of a whole banlistd.

A program of its own: arguments are the folders of an installation, and how long to watch an idle loop before; JSON out.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from banlistd.compose import load_files, open_application
from banlistd.control.server import serve
from banlistd.paths import Paths

_PERIOD = 0.001


class _Beat:
    """A task that wants to run every millisecond; `worst` is the longest that it was late, in seconds."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def run(self) -> None:
        while True:
            due = time.perf_counter() + _PERIOD
            await asyncio.sleep(_PERIOD)
            self.worst = max(self.worst, time.perf_counter() - due)


async def watch(places: Paths, idle: float) -> dict[str, float]:
    async with open_application(places, load_files(places)) as application:
        await application.service.restore()
        places.runtime.mkdir(parents=True, exist_ok=True)
        async with serve(application.answers, places.socket):
            beat = _Beat()
            task = asyncio.ensure_future(beat.run())
            await asyncio.sleep(idle)
            quiet, beat.worst = beat.worst, 0.0
            began = time.perf_counter()
            outcomes = await application.service.refresh()
            took = time.perf_counter() - began
            task.cancel()
            assert not any(outcome.error for outcome in outcomes), outcomes
            return {"idle": quiet, "import": beat.worst, "seconds": took}


def main(arguments: Sequence[str]) -> None:
    config, state, runtime = map(Path, arguments[:3])
    print(json.dumps(asyncio.run(watch(Paths(config, state, runtime), float(arguments[3])))))


if __name__ == "__main__":
    main(sys.argv[1:])
