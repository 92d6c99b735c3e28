"""What a node reports to its hub: bans that it proposes, and such that it takes back. As JSON, which is then signed. Pure."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from banlistd.core.fleet.reports.addresses import ReportedAddress, reported_address, written
from banlistd.core.mqtt.orders.strict_json import NotStrictError, exact, strict_object
from banlistd.core.printing import counted, quoted

REPORT_TYPE = "application/vnd.banlistd.report.v1+json"

MOST_ENTRIES = 500
"""Bans and lifted bans of one report, together."""

MOST_REPORT_OCTETS = 48 * 1024
"""Of a message."""

MOST_PAYLOAD_OCTETS = 34 * 1024
"""Base64 makes four octets of three, and the envelope takes some 300."""

LONGEST_ORIGIN = 60
"""Characters, as an origin of manual bans has at most."""

LATEST = 253_402_300_799
"""The last second of the year 9999: a number that fits into every column and format."""

_VERSION = 1
_KEYS = ("v", "fleet", "node", "boot", "seq", "iat", "bans", "lifted")
_LARGEST = 2**53
"""_Numbers that every reader of JSON keeps exact."""

_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class ReportedBan:
    """`at`: when it was banned, in whole seconds since the epoch. `seconds`: for how long; None: for ever."""

    address: ReportedAddress
    at: int
    seconds: int | None
    origin: str

    @property
    def ends_at(self) -> int | None:
        return None if self.seconds is None else self.at + self.seconds

    def is_over(self, now: float) -> bool:
        return self.seconds is not None and self.at + self.seconds <= now


@dataclass(frozen=True, slots=True)
class LiftedBan:
    """A ban that ended before its time: the node takes its report back."""

    address: ReportedAddress
    origin: str


@dataclass(frozen=True, slots=True)
class NodeReport:
    """`boot`, `seq`: rise from report to report, as a pair. `issued_at`: seconds since the epoch, whole."""

    fleet: str
    node: str
    boot: int
    seq: int
    issued_at: int
    bans: tuple[ReportedBan, ...] = ()
    lifted: tuple[LiftedBan, ...] = ()

    @property
    def place(self) -> tuple[int, int]:
        return self.boot, self.seq


def report_payload(report: NodeReport) -> bytes:
    """What a node signs."""
    document = {
        "v": _VERSION,
        "fleet": report.fleet,
        "node": report.node,
        "boot": report.boot,
        "seq": report.seq,
        "iat": report.issued_at,
        "bans": [_ban_row(ban) for ban in report.bans],
        "lifted": [_lifted_row(one) for one in report.lifted],
    }
    return _json(document)


def most_that_fit(changes: Sequence[ReportedBan | LiftedBan]) -> Sequence[ReportedBan | LiftedBan]:
    """As many of the first changes as one report takes."""
    left = MOST_PAYLOAD_OCTETS
    for place, change in enumerate(changes[:MOST_ENTRIES]):
        left -= len(_json(_ban_row(change) if isinstance(change, ReportedBan) else _lifted_row(change))) + 1
        if left < 0:
            return changes[:place]
    return changes[:MOST_ENTRIES]


def read_report(payload: bytes) -> NodeReport:
    """Raises NotStrictError for anything that is no report."""
    document = exact(strict_object(payload), _KEYS)
    if document["v"] is True or document["v"] != _VERSION:
        raise NotStrictError("has a wrong v")
    for key in ("fleet", "node"):
        if not isinstance(document[key], str):
            raise NotStrictError(f"has a wrong {key}")
    for key, most in (("boot", _LARGEST), ("seq", _LARGEST), ("iat", LATEST)):
        if not _is_number(document[key], most):
            raise NotStrictError(f"has a wrong {key}")
    bans, lifted = _entries(document, "bans", _ban), _entries(document, "lifted", _lifted)
    if len(bans) + len(lifted) > MOST_ENTRIES:
        raise NotStrictError(f"has {counted(len(bans) + len(lifted), 'entry', 'entries')}, more than {MOST_ENTRIES}")
    boot, seq, issued_at = (document[key] for key in ("boot", "seq", "iat"))
    return NodeReport(document["fleet"], document["node"], boot, seq, issued_at, bans, lifted)


def _entries(document: Mapping[str, Any], key: str, read: Callable[[Sequence[Any]], _Entry]) -> tuple[_Entry, ...]:
    rows = document[key]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise NotStrictError(f"has a wrong {key}")
    return tuple(read(row) for row in rows)


def _ban(row: Sequence[Any]) -> ReportedBan:
    if len(row) != len(("address", "at", "seconds", "origin")) or not _is_number(row[1], LATEST):
        raise NotStrictError("has a wrong ban")
    if row[2] is not None and not _is_number(row[2], LATEST):
        raise NotStrictError("has a ban with a wrong end")
    return ReportedBan(_address(row[0]), row[1], row[2], _origin(row[3]))


def _lifted(row: Sequence[Any]) -> LiftedBan:
    if len(row) != len(("address", "origin")):
        raise NotStrictError("has a wrong lifted ban")
    return LiftedBan(_address(row[0]), _origin(row[1]))


def _address(text: Any) -> ReportedAddress:
    if not isinstance(text, str):
        raise NotStrictError("has an address that is no text")
    try:
        return reported_address(text)
    except ValueError as error:
        raise NotStrictError(f"has {quoted(text, 50)} in place of a single address") from error


def _origin(text: Any) -> str:
    if not isinstance(text, str) or not text.isprintable() or not text.isascii() or not 0 < len(text) <= LONGEST_ORIGIN:
        raise NotStrictError("has a wrong origin")
    return text


def _is_number(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _ban_row(ban: ReportedBan) -> Sequence[object]:
    return written(ban.address), ban.at, ban.seconds, ban.origin


def _lifted_row(one: LiftedBan) -> Sequence[object]:
    return written(one.address), one.origin


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
