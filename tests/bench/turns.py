"""Several contenders, measured in turn, round after round, so that a noisy neighbour hits them alike."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from bench import memory
from bench.measuring import Sample
from bench.rows import Row, Target
from bench.setting import Setting

# A sample that was disturbed is taken again, at most so often.
_TRIES = 4


@dataclass(slots=True)
class Contender:
    """Who is measured, and against what. `most`: a slow peer is measured only so often. `program`: left out without it.

    `loads`: it loads so much into the kernel that listeners elsewhere disturb it (bench.listeners). `fills`: it takes so much
    memory that it must be there first; for a short sample that would be the greater disturbance (bench.memory).
    """

    name: str
    what: str
    measure: Callable[[], Sample]
    target: Target | None = None
    most: int = 1000
    unit: str = "ms"
    program: str = ""
    loads: bool = False
    fills: bool = False
    samples: list[Sample] = field(default_factory=list)
    dropped: int = 0
    wait_for_external_change: int = 0

    @property
    def peak_rss(self) -> int:
        return max(sample.peak_rss for sample in self.samples)

    def take(self, setting: Setting) -> None:
        """One more sample, in peace if there is any, and in memory that is there."""
        heed = self.loads and not setting.quick
        for attempt in range(1, _TRIES + 1):
            if heed:
                setting.peace.await_silence()
            if self.fills and not setting.quick:
                memory.fetch()
            began = time.monotonic()
            sample = self.measure()
            broken = setting.peace.broken(began, by_listeners=heed)
            if not broken:
                break
            setting.say(f"{self.name}: {broken}")
            if attempt == _TRIES or not setting.peace.is_worth_waiting_for:
                self.wait_for_external_change += 1
                break
            self.dropped += 1
        self.samples.append(sample)

    def row(self, case: str) -> Row:
        values = [sample.value for sample in self.samples]
        return Row(
            f"{case}/{self.name}",
            self.what,
            self.unit,
            values,
            self.peak_rss,
            self.target,
            self.dropped,
            self.wait_for_external_change,
        )


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
                contender.take(setting)
    for contender in contenders:
        yield contender.row(case)
