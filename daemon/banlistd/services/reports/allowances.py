"""How many messages of each node are looked at, so that a node that floods delays no other."""

from collections import OrderedDict

BURST, EVERY = 12, 5.0
"""Messages of one node: so many at once, and then one in so many seconds. A node sends one in ten at most. Beyond that, nothing
of a message is read.
"""

_MOST_COUNTED = 20_000
"""Nodes; more have been heard only where a broker lets anybody write to any topic."""


class Allowances:
    """How many more messages of each node are looked at."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, node: str, now: float) -> bool:
        """Whether one is. `now`: of the monotonic clock."""
        left, since = self._left.pop(node, (float(BURST), now))
        left = min(float(BURST), left + (now - since) / EVERY)
        self._left[node] = (left - 1.0 if left >= 1.0 else left), now
        if len(self._left) > _MOST_COUNTED:
            self._left.popitem(last=False)
        return left >= 1.0
