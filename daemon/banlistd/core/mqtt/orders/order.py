"""A message over MQTT -> the order of an operator, or why it is refused. Pure: clock, keys and what was seen are arguments."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from banlistd.core.config.service.orders import KnownOperator, Verb
from banlistd.core.mqtt.orders.envelope import ORDER_TYPE, Envelope, UnsignedError, read_envelope
from banlistd.core.mqtt.orders.keys import key_id
from banlistd.core.mqtt.orders.seen import SeenOrder, SeenOrders
from banlistd.core.mqtt.orders.strict_json import NotStrictError, exact, strict_object
from banlistd.core.mqtt.topics import HOME
from banlistd.core.printing import quoted

MOST_ORDER_OCTETS = 48 * 1024
"""Of a message."""

LONGEST_LIFE = 300
"""Seconds from `iat` to `exp`: an order that a broker keeps back cannot surprise anyone much later."""

CLOCK_AHEAD = 60
"""Seconds that the clock of an operator may be ahead of ours."""

_VERSION = 1
_LATEST = 253_402_300_799
"""The last second of the year 9999: a number that fits into every column and format."""
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_KEYS = ("v", "fleet", "to", "verb", "fields", "id", "iat", "exp")

IsSigned = Callable[[bytes, bytes, bytes], bool]
"""Whether a signature is of a message: public key (32 octets), signature (64), message."""


class Why(StrEnum):
    """Why an order is refused; the `kind` of the answer's error."""

    RETAINED = "retained"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    UNSIGNED = "unsigned"
    WRONG_KEY = "wrong_key"
    WRONG_RECIPIENT = "wrong_recipient"
    NOT_ALLOWED = "not_allowed"
    LATE = "late"
    EARLY = "early"
    REPLAYED = "replayed"
    BUSY = "busy"
    NOT_REMEMBERED = "not_remembered"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order that may be carried out once. `fields`: those of the request to the control socket. `issued_at`, `expires_at`:
    seconds since the epoch, whole.
    """

    operator: KnownOperator
    verb: Verb
    fields: Mapping[str, Any]
    id: str
    issued_at: int
    expires_at: int

    @property
    def seen(self) -> SeenOrder:
        """What is remembered of it."""
        return SeenOrder(key_id(self.operator.key), self.id, self.expires_at)


@dataclass(frozen=True, slots=True)
class OrderRefusal:
    """`message`: a sentence for a person. `order_id`: what the order calls itself, proven or not; empty: nothing that is an id.

    `operator`: the name of the one whose signature it has; empty: none.
    """

    why: Why
    message: str
    order_id: str = ""
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom orders are for, and whose are carried out."""

    node: str
    operators: Sequence[KnownOperator]
    fleet: str = HOME


class _NotAcceptedError(Exception):
    """`why` and a sentence."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


def judged(
    octets: bytes, recipient: Recipient, seen: SeenOrders, now: float, is_signed: IsSigned, *, retained: bool = False
) -> SignedOrder | OrderRefusal:
    """`seen`: what is remembered of earlier orders. `now`: seconds since the epoch. `retained`: the broker keeps the message,
    and would deliver it again at every connect.
    """
    order_id = name = ""
    try:
        envelope = _envelope(octets, retained=retained)
        order_id = claimed_id(envelope)
        operator = _operator(envelope, recipient, is_signed)
        name = operator.name
        order = _order(envelope, operator, recipient)
        _must_be_now(order, now)
        _must_be_new(order, seen)
    except _NotAcceptedError as error:
        return OrderRefusal(error.why, str(error), order_id, name)
    return order


def _envelope(octets: bytes, *, retained: bool) -> Envelope:
    if retained:
        raise _NotAcceptedError(Why.RETAINED, "an order must not be retained: the broker would give it again and again")
    if len(octets) > MOST_ORDER_OCTETS:
        raise _NotAcceptedError(Why.TOO_LARGE, f"the order has {len(octets)} octets, more than {MOST_ORDER_OCTETS}")
    try:
        envelope = read_envelope(octets)
    except NotStrictError as error:
        why = Why.UNSIGNED if isinstance(error, UnsignedError) else Why.MALFORMED
        raise _NotAcceptedError(why, f"the order {error}") from error
    if envelope.payload_type != ORDER_TYPE:
        raise _NotAcceptedError(Why.MALFORMED, f"what is signed is no order but {quoted(envelope.payload_type)}")
    return envelope


def claimed_id(envelope: Envelope) -> str:
    """The id that a payload gives itself, so that its sender can find the answer; empty where it has none."""
    try:
        found = strict_object(envelope.payload).get("id")
    except NotStrictError:
        return ""
    return found if isinstance(found, str) and _ID.fullmatch(found) else ""


def _operator(envelope: Envelope, recipient: Recipient, is_signed: IsSigned) -> KnownOperator:
    """Whose signature it is."""
    operator = next((one for one in recipient.operators if key_id(one.key) == envelope.key_id), None)
    if operator is None:
        raise _NotAcceptedError(Why.WRONG_KEY, f"no operator has the key {quoted(envelope.key_id)}")
    if not is_signed(operator.key, envelope.signature, envelope.signed):
        raise _NotAcceptedError(Why.WRONG_KEY, f"it is not signed by the key of {operator.name}")
    return operator


def _order(envelope: Envelope, operator: KnownOperator, recipient: Recipient) -> SignedOrder:
    """What is signed, if it is an order for us that this operator may give."""
    try:
        document = exact(strict_object(envelope.payload), _KEYS)
    except NotStrictError as error:
        raise _NotAcceptedError(Why.MALFORMED, f"the signed order {error}") from error
    if wrong := _wrong_types(document):
        raise _NotAcceptedError(Why.MALFORMED, f"the signed order has a wrong {wrong}")
    if (document["fleet"], document["to"]) != (recipient.fleet, recipient.node):
        place = f"{quoted(document['to'])} of {quoted(document['fleet'])}"
        raise _NotAcceptedError(Why.WRONG_RECIPIENT, f"it is for {place}, and this is {recipient.node} of {recipient.fleet}")
    verb = next((verb for verb in Verb if verb == document["verb"]), None)
    if verb is None:
        raise _NotAcceptedError(Why.NOT_ALLOWED, f"{quoted(document['verb'])} cannot be ordered")
    if verb not in operator.may:
        raise _NotAcceptedError(Why.NOT_ALLOWED, f"{operator.name} may not order {verb}")
    return SignedOrder(operator, verb, document["fields"], document["id"], document["iat"], document["exp"])


def _must_be_now(order: SignedOrder, now: float) -> None:
    if not order.issued_at <= order.expires_at <= order.issued_at + LONGEST_LIFE:
        raise _NotAcceptedError(Why.MALFORMED, f"it is not valid for 0 to {LONGEST_LIFE} s")
    if order.expires_at <= now:
        raise _NotAcceptedError(Why.LATE, f"it came {now - order.expires_at:.0f} s after its end; compare the clocks")
    if order.issued_at > now + CLOCK_AHEAD:
        raise _NotAcceptedError(Why.EARLY, f"it is dated {order.issued_at - now:.0f} s ahead; compare the clocks")


def _must_be_new(order: SignedOrder, seen: SeenOrders) -> None:
    if seen.has(order.seen):
        raise _NotAcceptedError(Why.REPLAYED, "it has come before")


def _wrong_types(document: Mapping[str, Any]) -> str:
    """The first key whose value is not of its type."""
    if type(document["v"]) is not int or document["v"] != _VERSION:
        return "v"
    for key in ("fleet", "to", "verb", "id"):
        if not isinstance(document[key], str):
            return key
    if not _ID.fullmatch(document["id"]):
        return "id"
    if not isinstance(document["fields"], dict):
        return "fields"
    return next((key for key in ("iat", "exp") if type(document[key]) is not int or not 0 <= document[key] <= _LATEST), "")


def order_payload(recipient: Recipient, order: SignedOrder) -> bytes:
    """What an operator signs."""
    document = {
        "v": _VERSION,
        "fleet": recipient.fleet,
        "to": recipient.node,
        "verb": str(order.verb),
        "fields": order.fields,
        "id": order.id,
        "iat": order.issued_at,
        "exp": order.expires_at,
    }
    return json.dumps(document, separators=(",", ":")).encode()
