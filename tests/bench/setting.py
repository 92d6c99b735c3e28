"""What every case is given."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.inputs import Inputs
from bench.peace import Peace


@dataclass(frozen=True, slots=True)
class Setting:
    """`runs`: samples of each figure. `folder`: for scripts and lists. `idle`: seconds to watch an idle daemon."""

    runs: int
    quick: bool
    folder: Path
    inputs: Inputs
    idle: float
    peace: Peace
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Progress, for whoever waits."""
        print(f"[{time.monotonic() - self.began:6.0f} s] {text}", file=sys.stderr, flush=True)
