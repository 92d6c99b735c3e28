"""A message of a node -> its report, or why it is refused; and which of its entries count. Pure."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from banlistd.core.fleet.reports.addresses import Exempt, ReportedAddress
from banlistd.core.fleet.reports.quota import Quota
from banlistd.core.fleet.reports.report import (
    MOST_REPORT_OCTETS,
    REPORT_TYPE,
    LiftedBan,
    NodeReport,
    ReportedBan,
    read_report,
)
from banlistd.core.mqtt.orders.envelope import Envelope, UnsignedError, read_envelope
from banlistd.core.mqtt.orders.order import IsSigned
from banlistd.core.mqtt.orders.strict_json import NotStrictError
from banlistd.core.printing import quoted

NODE_CLOCK_AHEAD = 300
"""Seconds that the clock of a node may be ahead of ours."""

LONGEST_WAY = 3600 + NODE_CLOCK_AHEAD
"""Seconds from signature to arrival: a broker keeps a report for an hour, and the clock of the node may be behind."""

_UNSPENT = Quota()


class WhyNot(StrEnum):
    """Why a report, or one of its entries, does not count; REASON of `report_refused`."""

    RETAINED = "retained"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    UNSIGNED = "unsigned"
    UNKNOWN_NODE = "unknown_node"
    SUSPENDED = "suspended"
    WRONG_KEY = "wrong_key"
    WRONG_NODE = "wrong_node"
    REPLAYED = "replayed"
    LATE = "late"
    EARLY = "early"
    TOO_OFTEN = "too_often"
    NOT_CHECKED = "not_checked"
    NOT_STORED = "not_stored"
    OVER_QUOTA = "over_quota"
    EXEMPT = "exempt"
    OF_A_NODE = "of_a_node"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Node:
    """A node that is admitted. `site`: its owner or place; nodes of one site count as one. `key`: public, 32 octets.

    `own`: its own addresses, which are never listed. `boot`, `seq`: of its newest report. Times in seconds since the epoch;
    None: never. `is_canary`: it tries new versions of lists before the others, and what it refuses is stopped for them.
    `silent_since`: when it was noticed that nothing is heard of it; None: it is heard.
    """

    id: str
    site: str
    key: bytes = field(repr=False)
    own: frozenset[ReportedAddress] = frozenset()
    admitted_at: float = 0.0
    suspended_at: float | None = None
    boot: int = 0
    seq: int = 0
    reported_at: float | None = None
    quota: Quota = _UNSPENT
    is_canary: bool = False
    silent_since: float | None = None

    @property
    def place(self) -> tuple[int, int]:
        return self.boot, self.seq


@dataclass(frozen=True, slots=True)
class ReportRefusal:
    """`message`: a sentence for a person. `is_proven`: whether the node itself has signed what is refused. `off`: by how many
    seconds its time is ahead of ours, or behind, where it is refused for that.
    """

    node: str
    why: WhyNot
    message: str
    is_proven: bool = False
    off: float = 0.0


@dataclass(frozen=True, slots=True)
class SortedOut:
    """What of a report counts. `key`: the one that has proven it. `left_out`: how many entries do not count, and why."""

    report: NodeReport
    key: bytes = field(repr=False)
    bans: tuple[ReportedBan, ...]
    left_out: Mapping[WhyNot, int] = field(default_factory=dict)

    @property
    def lifted(self) -> tuple[LiftedBan, ...]:
        return self.report.lifted


class NotAcceptedError(Exception):
    """Of a message of a node: `why` and a sentence, and the rest as in ReportRefusal."""

    def __init__(self, why: WhyNot, message: str, *, is_proven: bool = False, off: float = 0.0) -> None:
        super().__init__(message)
        self.why = why
        self.is_proven = is_proven
        self.off = off


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """As it came from the broker. `node`: the id in its topic."""

    node: str
    payload: bytes
    retained: bool = False


class Statement(Protocol):
    """What a node signs, once it is read. `issued_at`: seconds since the epoch, by the clock of the node."""

    @property
    def fleet(self) -> str: ...

    @property
    def node(self) -> str: ...

    @property
    def issued_at(self) -> int: ...


S = TypeVar("S", bound=Statement)


@dataclass(frozen=True, slots=True)
class StatementKind(Generic[S]):
    """`type`: as it is signed. `words`: how a refusal calls it. `read`: raises NotStrictError. `ahead`: seconds by which it may
    be dated ahead of our time.
    """

    type: str
    words: str
    read: Callable[[bytes], S]
    ahead: float = NODE_CLOCK_AHEAD


_REPORT = StatementKind(REPORT_TYPE, "the signed report", read_report)


def judged_report(
    message: ReportMessage, node: Node | None, fleet: str, now: float, is_signed: IsSigned
) -> NodeReport | ReportRefusal:
    """`node`: the one that the topic names, if it is admitted. Raises what `is_signed` raises."""
    try:
        node, report = proven_statement(message, node, fleet, is_signed, _REPORT)
        # First: who has the broker can give an old one again, and its time says nothing of our clock.
        _must_be_new(report, node)
        must_be_of_now(report, now, _REPORT)
    except NotAcceptedError as error:
        return ReportRefusal(message.node, error.why, str(error), error.is_proven, error.off)
    return report


def _must_be_new(report: NodeReport, node: Node) -> None:
    if report.place <= node.place:
        raise NotAcceptedError(WhyNot.REPLAYED, "it has come before, or an older one comes late", is_proven=True)


def proven_statement(
    message: ReportMessage, node: Node | None, fleet: str, is_signed: IsSigned, kind: StatementKind[S]
) -> tuple[Node, S]:
    """The node, and what it has signed: of this kind, for this fleet, and under its own topic.

    `node`: the one that the topic names, if it is admitted. Raises NotAcceptedError, and what `is_signed` raises.
    """
    node, payload = _signed_payload(message, node, kind.type, is_signed)
    try:
        said = kind.read(payload)
    except NotStrictError as error:
        raise NotAcceptedError(WhyNot.MALFORMED, f"{kind.words} {error}", is_proven=True) from error
    if (said.fleet, said.node) != (fleet, node.id):
        words = f"it is of {quoted(said.node, 40)} in {quoted(said.fleet, 40)}, and its topic is of {node.id} in {fleet}"
        raise NotAcceptedError(WhyNot.WRONG_NODE, words, is_proven=True)
    return node, said


def must_be_of_now(said: Statement, now: float, kind: StatementKind[Any]) -> None:
    """Raises NotAcceptedError for what was signed long ago, or is dated ahead."""
    if said.issued_at < now - LONGEST_WAY:
        words = f"it was signed {now - said.issued_at:.0f} s ago; compare the clocks"
        raise NotAcceptedError(WhyNot.LATE, words, is_proven=True, off=said.issued_at - now)
    if said.issued_at > now + kind.ahead:
        words = f"it is dated {said.issued_at - now:.0f} s ahead; compare the clocks"
        raise NotAcceptedError(WhyNot.EARLY, words, is_proven=True, off=said.issued_at - now)


def _signed_payload(message: ReportMessage, node: Node | None, kind: str, is_signed: IsSigned) -> tuple[Node, bytes]:
    """The node, and what it has signed, of this type. Nothing of the payload is read before that is proven.

    Raises NotAcceptedError.
    """
    if message.retained:
        raise NotAcceptedError(WhyNot.RETAINED, "a report must not be retained: the broker would give it again and again")
    if len(message.payload) > MOST_REPORT_OCTETS:
        words = f"it has {len(message.payload)} octets, more than {MOST_REPORT_OCTETS}"
        raise NotAcceptedError(WhyNot.TOO_LARGE, words)
    if node is None:
        raise NotAcceptedError(WhyNot.UNKNOWN_NODE, f"no node {quoted(message.node, 40)} is admitted")
    if node.suspended_at is not None:
        raise NotAcceptedError(WhyNot.SUSPENDED, f"{node.id} is suspended")
    envelope = _envelope(message)
    if envelope.payload_type != kind:
        raise NotAcceptedError(WhyNot.MALFORMED, f"what is signed is no report but {quoted(envelope.payload_type)}")
    if not is_signed(node.key, envelope.signature, envelope.signed):
        raise NotAcceptedError(WhyNot.WRONG_KEY, f"it is not signed by the key of {node.id}")
    return node, envelope.payload


def _envelope(message: ReportMessage) -> Envelope:
    try:
        return read_envelope(message.payload)
    except NotStrictError as error:
        why = WhyNot.UNSIGNED if isinstance(error, UnsignedError) else WhyNot.MALFORMED
        raise NotAcceptedError(why, f"the report {error}") from error


def sorted_out(
    report: NodeReport,
    key: bytes,
    exempt: Exempt,
    of_nodes: Collection[ReportedAddress],
    now: float,
    kept: float = math.inf,
) -> SortedOut:
    """`key`: of its node. `of_nodes`: own addresses of all nodes. `kept`: seconds after which a ban matters no more, however
    long it lasts.

    A moment that is ahead counts as now: a clock that runs fast makes no ban last longer.
    """
    bans: dict[ReportedAddress, ReportedBan] = {}
    left_out: Counter[WhyNot] = Counter()
    for ban in report.bans:
        if ban.is_over(now) or ban.at < now - kept:
            left_out[WhyNot.OVER] += 1
        elif ban.address in of_nodes:
            left_out[WhyNot.OF_A_NODE] += 1
        elif exempt.has(ban.address):
            left_out[WhyNot.EXEMPT] += 1
        else:
            bans[ban.address] = replace(ban, at=min(ban.at, int(now)))
    return SortedOut(report, key, tuple(bans.values()), dict(left_out))
