"""Reports that came before their node was admitted, or admitted with its new key: kept, so that they count once it is."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from banlistd.core.fleet.reports.judging import Node, ReportMessage

MOST_OF_A_NODE = 4
"""Reports, the newest: as many as a node sends in a repetition of what is in force."""

MOST_EARLY_OCTETS = 2**20
"""Of all of them together; beyond, those of the node that has waited longest go."""

OVERHEAD = 1024
"""Octets that each is counted for besides its own: many small ones of many topics are bounded, too."""

KEPT_FOR = 3600.0
"""Seconds: an older one is dated too long ago, and the node has repeated it."""


@dataclass(slots=True)
class _Early:
    """`key`: of the node, when its report was refused; None: it was not admitted. `reports`: with the time of each, which never
    goes back.
    """

    key: bytes | None
    reports: deque[tuple[float, ReportMessage]] = field(default_factory=lambda: deque(maxlen=MOST_OF_A_NODE))

    @property
    def octets(self) -> int:
        return sum(len(message.payload) + OVERHEAD for _, message in self.reports)


class EarlyReports:
    """Nothing of them is read: they are judged as any other once there is something to prove them by."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Early] = OrderedDict()
        self._octets = 0

    @property
    def nodes(self) -> Sequence[str]:
        """Of which there are any."""
        return [*self._kept]

    def keep(self, message: ReportMessage, key: bytes | None, now: float) -> None:
        """`key`: the one that has not proven it; None: its node is not admitted."""
        early = self._kept.get(message.node)
        self._octets -= early.octets if early else 0
        if early is None or early.key != key:
            early = self._kept[message.node] = _Early(key)
        early.reports.append((now, message))
        self._octets += early.octets
        while self._octets > MOST_EARLY_OCTETS:
            _, oldest = self._kept.popitem(last=False)
            self._octets -= oldest.octets

    def provable(self, nodes: Sequence[Node], now: float) -> Sequence[ReportMessage]:
        """Take out those whose node is among these with another key than before."""
        found: list[ReportMessage] = []
        for node in nodes:
            early = self._kept.get(node.id)
            if early is not None and node.suspended_at is None and node.key != early.key:
                del self._kept[node.id]
                self._octets -= early.octets
                found += [message for at, message in early.reports if now - at < KEPT_FOR]
        return found
