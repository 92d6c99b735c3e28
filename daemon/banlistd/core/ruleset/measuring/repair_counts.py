"""How many repairs each program caused. The number of names is bounded: a program may take a new name for each change."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from banlistd.core.printing import printable

MOST_PROGRAMS = 16
OTHER, UNKNOWN = "other", "unknown"


@dataclass(frozen=True, slots=True)
class RepairCounts:
    """`by_program`: at most MOST_PROGRAMS names as the kernel reports them, `other` and `unknown`."""

    by_program: Mapping[str, int] = field(default_factory=dict)

    def note(self, culprit: str) -> "RepairCounts":
        """A repair. `culprit`: as in ExternalChange; of several processes the first counts."""
        first = culprit.split(", ", maxsplit=1)[0]
        program = printable(first.rpartition("[")[0] or first) or UNKNOWN
        known = self.by_program.keys() - {OTHER, UNKNOWN}
        if program not in self.by_program and program != UNKNOWN and len(known) >= MOST_PROGRAMS:
            program = OTHER
        return RepairCounts({**self.by_program, program: self.by_program.get(program, 0) + 1})
