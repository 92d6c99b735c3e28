"""The events of the connection to the MQTT broker, which are never sent over it. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

BROKER_CONNECTED = EventKind(
    "mqtt_connected",
    "8a185c6b787240dca67e6373385895db",
    Priority.INFO,
    (),
    "banlistd is connected to its MQTT broker",
    "State and events are published, and signed orders are listened for.\n    banlistctl status",
)

BROKER_LOST = EventKind(
    "mqtt_lost",
    "175b40e7b8a047d88c2c5e47bee723b7",
    Priority.WARNING,
    (Field.REASON,),
    "There is no connection to the MQTT broker: @REASON@",
    "Lists are polled and bans are kept as ever; only state, events and orders do not pass. banlistd tries again by itself, at "
    "least every two minutes. To check that the broker runs and takes this host:\n"
    "    journalctl -u mosquitto",
)

BROKER_REFUSED = EventKind(
    "mqtt_refused",
    "da7423da892f41df85d5d84d61417ee3",
    Priority.WARNING,
    (Field.REASON,),
    "The MQTT broker refuses messages of this host: @REASON@",
    "The access list of the broker does not let this host publish to its own topics. The documentation of orders over MQTT has "
    "an access list:\n"
    "    journalctl -u mosquitto",
)
