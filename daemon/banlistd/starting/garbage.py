"""When garbage in cycles is looked for: young garbage among every few thousand objects, old garbage while the daemon rests.

To look at everything that 5,000 sources keep takes 0.3 s, in which no thread runs, and while they are imported for the first
time Python would do so twenty times (measured: it took a tenth of the processor time, and found 300 objects each time).
"""

import gc

_YOUNG = 5_000
"""New objects after which garbage is looked for among them. An import makes some hundred that stay: with Python's 700 that took
5 % of the processor time of a first start with 1,000 lists, now 3 % (measured).
"""

_OLD = 10_000
"""How often young garbage is looked for before old garbage is, even in a daemon that never rests. Python's own figure is 10."""

_OLD_AT_REST = 15
"""The same in one that rests: some hundred thousand objects have come since the last look."""


def look_from_now_on() -> None:
    """What is there stays, and is not looked at again. The start has switched the collector off (`__main__`)."""
    gc.freeze()
    _, seldom, _ = gc.get_threshold()
    gc.set_threshold(_YOUNG, seldom, _OLD)
    gc.enable()


def look_at_rest() -> None:
    """Look for old garbage if much has come since the last look. Stops all threads for up to 0.3 s."""
    if gc.get_count()[2] >= _OLD_AT_REST:
        gc.collect()
