"""Versions that a node refuses, as it signs them, and as its hub reads them. Pure.

It says which contents are refused at present, and is sent again while they are: what is lost costs a minute. One that comes a
second time changes nothing, since a hub decides about each content once; so it has no number, only a time.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from banlistd.core.fleet.reports.judging import (
    Node,
    NotAcceptedError,
    ReportMessage,
    ReportRefusal,
    StatementKind,
    must_be_of_now,
    proven_statement,
)
from banlistd.core.mqtt.orders.order import IsSigned
from banlistd.core.mqtt.orders.strict_json import NotStrictError, exact, strict_object

REFUSAL_TYPE = "application/vnd.banlistd.refusal.v1+json"

MOST_REFUSED_VERSIONS = 50
LONGEST_REASON = 200
"""Characters: what fifty refusals take at most, with every letter escaped, fits into the message of a node."""

CANARY_CLOCK_AHEAD = 86_400
"""Seconds by which the clock of a canary may be ahead. A hub decides about each content once, so all that a broker can do with
such a refusal is to keep it back for as long, and give it then.
"""

_VERSION = 1
_KEYS = ("v", "fleet", "node", "iat", "refused")
_LATEST = 253_402_300_799
"""The last second of the year 9999."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_GUARD = re.compile(r"[a-z0-9_]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RefusedVersion:
    """A content of a list of the fleet, and why it is refused. `guard`: also `operator` and `health`. `reason`: one line.
    `base`: the content that the node has, with which guards compare; empty: none.
    """

    list: str
    content_hash: str
    guard: str
    reason: str
    base: str = ""


@dataclass(frozen=True, slots=True)
class NodeRefusals:
    """`issued_at`: seconds since the epoch, whole."""

    fleet: str
    node: str
    issued_at: int
    refused: tuple[RefusedVersion, ...]


def refusals_payload(said: NodeRefusals) -> bytes:
    """What a node signs."""
    rows = [
        (one.list, one.content_hash, one.guard, _one_line(one.reason), one.base) for one in said.refused[:MOST_REFUSED_VERSIONS]
    ]
    document = {"v": _VERSION, "fleet": said.fleet, "node": said.node, "iat": said.issued_at, "refused": rows}
    return json.dumps(document, separators=(",", ":")).encode()


def _one_line(text: str) -> str:
    """ASCII, so that its length in octets is known."""
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text[:LONGEST_REASON])


def read_refusals(payload: bytes) -> NodeRefusals:
    """Raises NotStrictError for anything that is none."""
    document = exact(strict_object(payload), _KEYS)
    if document["v"] is True or document["v"] != _VERSION:
        raise NotStrictError("has a wrong v")
    if not isinstance(document["fleet"], str) or not isinstance(document["node"], str):
        raise NotStrictError("has a wrong fleet or node")
    if type(document["iat"]) is not int or not 0 <= document["iat"] <= _LATEST:
        raise NotStrictError("has a wrong iat")
    rows = document["refused"]
    if not isinstance(rows, list) or len(rows) > MOST_REFUSED_VERSIONS:
        raise NotStrictError("has a wrong refused")
    return NodeRefusals(document["fleet"], document["node"], document["iat"], tuple(map(_refusal, rows)))


def _refusal(row: Any) -> RefusedVersion:
    match row:
        case [str(name), str(content_hash), str(guard), str(reason), str(base)]:
            is_fit = _NAME.fullmatch(name) and _HASH.fullmatch(content_hash) and _GUARD.fullmatch(guard)
            is_base = not base or _HASH.fullmatch(base)
            if is_fit and is_base and len(reason) <= LONGEST_REASON and reason.isascii() and reason.isprintable():
                return RefusedVersion(name, content_hash, guard, reason, base)
    raise NotStrictError("has a wrong entry in refused")


_REFUSALS = StatementKind(REFUSAL_TYPE, "what it refuses", read_refusals, CANARY_CLOCK_AHEAD)


def judged_refusals(
    message: ReportMessage, node: Node | None, fleet: str, now: float, is_signed: IsSigned
) -> Sequence[RefusedVersion] | ReportRefusal:
    """What a node refuses; nothing of it, where the node is no canary. `node`: the one that the topic names, if it is admitted.

    Raises what `is_signed` raises.
    """
    try:
        node, said = proven_statement(message, node, fleet, is_signed, _REFUSALS)
        must_be_of_now(said, now, _REFUSALS)
    except NotAcceptedError as error:
        return ReportRefusal(message.node, error.why, str(error), error.is_proven)
    return said.refused if node.is_canary else ()
