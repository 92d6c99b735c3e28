"""When garbage in cycles is looked for: among what is new often, among what was looked at before once in a long while, at rest.

Python looks at all that 5,000 sources keep in one go: 0.3 s, in which no thread runs, and while they are imported for the first
time it would do so twenty times (measured: a tenth of the processor time, and 300 objects found each time). So what one look
left is frozen: the next one looks only at what came since, and takes some ten milliseconds however many sources there are.
"""

import gc

_YOUNG = 5_000
"""New objects after which garbage is looked for among them. An import makes some hundred that stay: with Python's 700 that took
5 % of the processor time of a first start with 1,000 lists, now 3 % (measured).
"""

_ALL_NEW = 10
"""How often that is done before all that is not frozen is looked at: so after some 50,000 new objects. Python's own figure."""

_NEVER = 1_000_000_000
"""Of itself Python does not look at the oldest: what it looked at with the second oldest is frozen at once."""

_LOOKS_BEFORE_EVERYTHING = 100
"""Looks after which the frozen ones are looked at too. Of each look some 300 objects may have become garbage since (measured
with 5,000 sources): with their contents some megabytes in all.
"""


class _Freezer:
    """Freezes what a look at all that is not frozen left, and counts these looks."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        """As gc.callbacks calls it: `phase` is "start" or "stop", `info` has the generation."""
        if phase == "stop" and info["generation"] > 0:
            self.looks += 1
            gc.freeze()


_FREEZER = _Freezer()


def look_from_now_on() -> None:
    """What is there stays, and is not looked at with what comes. The start has switched the collector off (`__main__`)."""
    gc.freeze()
    gc.set_threshold(_YOUNG, _ALL_NEW, _NEVER)
    if _FREEZER not in gc.callbacks:
        gc.callbacks.append(_FREEZER)
    gc.enable()


def look_at_rest() -> None:
    """Look at everything if much has come since the last time. Stops all threads for up to 0.4 s."""
    if _FREEZER.looks >= _LOOKS_BEFORE_EVERYTHING:
        gc.unfreeze()
        gc.collect()
        _FREEZER.looks = 0
