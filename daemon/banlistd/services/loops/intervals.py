"""How often the loops look."""

from dataclasses import dataclass

from banlistd.core.feeds.schedule import FIRST_RETRY


@dataclass(frozen=True, slots=True)
class Intervals:
    """In seconds. `reconcile`: between two comparisons with the firewall; one costs about a millisecond, whatever it has.

    `first_retry`: after an unforeseen error. `storage_retry`: between two tries to put the state back on a disk.
    `memory_rest`: after an import, before its memory is returned. `trial`: between two looks at the end of a trial. `endings`:
    between two looks at the bans that end by themselves.
    """

    reconcile: float = 10.0
    first_retry: float = FIRST_RETRY
    storage_retry: float = 30.0
    memory_rest: float = 1.0
    trial: float = 60.0
    endings: float = 10.0
