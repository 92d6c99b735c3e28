"""What a host answers to an order, as JSON."""

import json

from banlistd.core.mqtt.orders.order import MOST_ORDER_OCTETS, OrderRefusal
from banlistd.errors import BanlistdError

_VERSION = 1


def done_answer(order_id: str, document: object) -> bytes:
    """The order was carried out; `document`: as on the control socket, null where it is too large for a message."""
    answer = {"v": _VERSION, "id": order_id, "ok": True, "document": document}
    octets = _octets(answer)
    return octets if len(octets) <= MOST_ORDER_OCTETS else _octets({**answer, "document": None})


def refused_answer(refusal: OrderRefusal, now: float) -> bytes:
    """`now`: seconds since the epoch, so that the operator can compare the clocks."""
    return _failed(refusal.order_id, str(refusal.why), refusal.message, now)


def failed_answer(order_id: str, error: BanlistdError, now: float) -> bytes:
    """The order could not be carried out."""
    return _failed(order_id, type(error).__name__, str(error), now)


def _failed(order_id: str, kind: str, message: str, now: float) -> bytes:
    answer = {"v": _VERSION, "id": order_id, "ok": False, "error": {"kind": kind, "message": message}, "clock": round(now)}
    return _octets(answer)


def _octets(answer: object) -> bytes:
    return json.dumps(answer, separators=(",", ":")).encode()
