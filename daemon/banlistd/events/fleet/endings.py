"""The events that end what other events of a fleet have reported. `events.names` names them."""

from banlistd.events.kind import EventKind, Priority

PROVEN_AGAIN = EventKind(
    "hub_refused_over",
    "6627ff3b697243a2955c77ce6a1c704a",
    Priority.INFO,
    (),
    "What the mirrors of the fleet give is proven again",
    "The lists were proven, and no mirror that was asked for them gave anything else. There is nothing to do.",
)

HEARD_AGAIN = EventKind(
    "node_silent_over",
    "d7a4ae3eb4234fba9ccab534aa1a2ba9",
    Priority.INFO,
    (),
    "No node of the fleet is silent any more",
    "Something was heard of each admitted node in the last hour. There is nothing to do.",
)

PUBLISHED_AGAIN = EventKind(
    "fleet_fault_over",
    "239910c6a6634a4887695f7096a53762",
    Priority.INFO,
    (),
    "The lists of the fleet are published again",
    "What kept this hub from publishing is over. There is nothing to do.",
)
