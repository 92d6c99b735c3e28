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

ORDER_CARRIED_OUT = EventKind(
    "order_given",
    "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c15",
    Priority.NOTICE,
    (Field.ORDER, Field.UID, Field.OPERATOR),
    "A command was sent to banlistd: @ORDER@",
    "The user with the id @UID@ sent this command to the control socket. Where there is no id, the operator @OPERATOR@ "
    "sent it over MQTT.\n"
    "    getent passwd @UID@  the name of the user\n"
    "    getent group banlistd  the users who may send commands, besides root",
)
