"""The events of orders over MQTT. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

ORDER_REFUSED = EventKind(
    "order_refused",
    "5c14d22390354fa88d847a1b80884bdd",
    Priority.WARNING,
    (Field.REASON, Field.OPERATOR),
    "An order over MQTT is refused: @REASON@",
    "Nothing was changed. The reason is one of: unsigned, wrong_key, replayed, late, early, retained, wrong_recipient, "
    "not_allowed, malformed, too_large, busy, not_remembered, not_checked. If no operator has sent an order, another can "
    "publish to the broker. That changes nothing here: only orders by a key under `operators` are carried out. More than ten "
    "refusals in a minute, or without a signature in an hour, are only counted. To see them:\n"
    "    journalctl MESSAGE_ID=5c14d22390354fa88d847a1b80884bdd",
)
