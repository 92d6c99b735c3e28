"""Whether the wall clock of a hub can be believed. One that is years ahead would let every shared ban run out at once.

Two things speak for it or against it: the times that nodes sign, and what the hub has written down itself. While it is in
doubt, nothing is withdrawn because of it.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence

from banlistd.core.printing import counted
from banlistd.errors import LedgerError
from banlistd.model import Remark
from banlistd.ports import Clock
from banlistd.ports.reports import ReportStores

LONGEST_JUMP = 3600.0
"""Seconds by which the wall clock may be set, or the machine may sleep, without a doubt."""

LONGEST_SILENCE = 86_400.0
"""Seconds from the newest report before a start to the start, without a doubt: a hub may be off for a day."""

_FEWEST = 2
"""Nodes against it: the clock of one may be wrong."""

_MOST_NODES = 20_000
_HINT = "compare it with another one (timedatectl); the next report whose time fits ends the doubt"


class ClockWitness:
    """One for the life of the daemon. Nodes count by the newest that each has said while the clock went on evenly."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun = False
        self._trusted: float | None = None
        self._proven: float | None = None
        self._before = 0.0
        self._skew = self._skew_now
        self._off: OrderedDict[str, float] = OrderedDict()
        self._words = ""

    @property
    def _skew_now(self) -> float:
        return self._clock.now() - self._clock.monotonic()

    def hear(self, node: str, off: float) -> None:
        """What a node has signed fits our time (0), or is so many seconds ahead of it, or behind."""
        self._forget_after_jump()
        self._off.pop(node, None)
        self._off[node] = off
        if len(self._off) > _MOST_NODES:
            self._off.popitem(last=False)

    async def doubt(self, stores: ReportStores) -> str:
        """Why the clock is not believed now; empty: it is."""
        if not self._begun:
            self._begin(await _newest(stores))
        self._forget_after_jump()
        against, fitting = await self._said(stores)
        if len(against) >= _FEWEST and len(against) > fitting:
            off = against[len(against) // 2]
            which = "ahead of" if off > 0 else "behind"
            who = counted(len(against), "node signs with a time", "nodes sign with times")
            self._words = f"{who} some {_long(off)} {which} the clock of this hub"
        elif fitting:
            self._trusted, self._words = self._skew_now, ""
            self._proven = self._skew_now if fitting >= _FEWEST else self._proven
        elif self._trusted is None or abs(self._skew_now - self._trusted) > LONGEST_JUMP:
            since = "the newest report before the start" if self._trusted is None else "what it was"
            off = self._skew_now - (self._before if self._trusted is None else self._trusted)
            self._words = f"the clock of this hub is {_long(off)} {'ahead of' if off > 0 else 'behind'} {since}"
        else:
            self._words = ""
        return self._words

    async def _said(self, stores: ReportStores) -> tuple[list[float], int]:
        """By how much nodes are ahead or behind, sorted, and how many fit.

        What comes late is no fault of our clock where that has gone on evenly since nodes have proven it: the broker may have
        kept it back.
        """
        is_proven = self._proven is not None and abs(self._skew_now - self._proven) <= LONGEST_JUMP
        off = {node: off for node, off in self._off.items() if not (off < 0 and is_proven)}
        if sum(map(bool, off.values())) >= _FEWEST:
            off = {node: off[node] for node in await _believed(stores, off)}
        against = sorted(filter(None, off.values()))
        return against, len(off) - len(against)

    @property
    def is_in_doubt(self) -> bool:
        """Whether it was, when it was last asked for."""
        return bool(self._words)

    def remarks(self) -> Sequence[Remark]:
        """On a clock that was in doubt when it was last asked for."""
        return [Remark(f"{self._words}: no shared ban is withdrawn until that is clear", _HINT)] if self._words else []

    def _begin(self, newest: float | None) -> None:
        self._begun = True
        if newest is None or abs(self._clock.now() - newest) <= LONGEST_SILENCE:
            self._trusted = self._skew_now
        else:
            self._before = newest - self._clock.monotonic()

    def _forget_after_jump(self) -> None:
        """What nodes have said of another time says nothing of this one."""
        if abs(self._skew_now - self._skew) > LONGEST_JUMP:
            self._off.clear()
            self._skew = self._skew_now


async def _believed(stores: ReportStores, nodes: Collection[str]) -> Collection[str]:
    """Those that are admitted at this moment; all of them, if that cannot be read."""
    try:
        return [one.id for one in await stores.nodes().some(nodes) if one.suspended_at is None]
    except LedgerError:
        return nodes


async def _newest(stores: ReportStores) -> float | None:
    """When the newest report came, seconds since the epoch; None: there was none, or that cannot be read."""
    try:
        return max((one.reported_at for one in await stores.nodes().every() if one.reported_at is not None), default=None)
    except LedgerError:
        return None


def _long(seconds: float) -> str:
    """In hours, or in days from two on."""
    hours = abs(seconds) / 3600
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:,.0f} days"  # noqa: PLR2004 - two days
