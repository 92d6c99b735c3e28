"""What one backend can promise and another cannot, as a table. A test that asks for one has the answer in its name."""

from dataclasses import dataclass
from enum import StrEnum


class AfterKill(StrEnum):
    """The state that remains when the process that was changing it has been killed."""

    OLD_OR_NEW = "old-or-new"
    MAYBE_UNKNOWN = "old-or-new-or-said-to-be-unknown"
    NOTHING = "nothing"
    NOT_SAID = "not-said"


class Counting(StrEnum):
    """Whether packets are counted for each source."""

    BY_SOURCE = "by-source"
    NOTHING = "nothing"
    NOT_SAID = "not-said"


class RangeForm(StrEnum):
    """What a range becomes that is no network."""

    RANGES = "kept-as-ranges"
    NETWORKS = "split-into-networks"
    NOT_SAID = "not-said"


@dataclass(frozen=True)
class Promises:
    killed: AfterKill = AfterKill.NOT_SAID
    counters: Counting = Counting.NOT_SAID
    spans: RangeForm = RangeForm.NOT_SAID
