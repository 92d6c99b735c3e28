"""Several contenders, measured in turn, round after round, so that a noisy neighbour hits them alike."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bench.measuring import Sample
from bench.rows import Row, Target
from bench.setting import Setting

T = TypeVar("T")

# A sample in which the machine stood still longer than this is taken again, at most so often.
_STILL = 0.1
_TRIES = 4


@dataclass(slots=True)
class Contender:
    """Who is measured, and against what. `most`: a slow peer is measured only so often. `program`: left out without it."""

    name: str
    what: str
    measure: Callable[[], Sample]
    target: Target | None = None
    most: int = 1000
    unit: str = "ms"
    program: str = ""
    samples: list[Sample] = field(default_factory=list)
    dropped: int = 0

    @property
    def peak_rss(self) -> int:
        return max(sample.peak_rss for sample in self.samples)

    def row(self, case: str) -> Row:
        values = [sample.value for sample in self.samples]
        return Row(f"{case}/{self.name}", self.what, self.unit, values, self.peak_rss, self.target, self.dropped)


def take_turns(case: str, contenders: Sequence[Contender], setting: Setting, runs: int | None = None) -> Iterator[Row]:
    """Their rows, once all have been measured so many times."""
    absent = {one.program for one in contenders if one.program and not shutil.which(one.program)}
    for program in sorted(absent):
        setting.say(f"{case}: no command {program}: left out")
    contenders = [one for one in contenders if one.program not in absent]
    for number in range(runs or setting.runs):
        for contender in contenders:
            if number < contender.most:
                setting.say(f"{case}: {contender.name}, {number + 1}")
                sample, dropped = undisturbed(contender.measure, setting)
                contender.samples.append(sample)
                contender.dropped += dropped
    for contender in contenders:
        yield contender.row(case)


def undisturbed(measure: Callable[[], T], setting: Setting) -> tuple[T, int]:
    """A measurement during which the machine ran, and how many were dropped before it."""
    for dropped in range(_TRIES):
        began = time.monotonic()
        result = measure()
        if setting.heartbeats.stood_still(began) < _STILL:
            return result, dropped
        setting.say("the machine stood still; once more")
    return result, _TRIES - 1
