"""The event of an order about very many manual bans. `names` names it."""

from banlistd.events.kind import EventKind, Field, Priority

MANY_CHANGED = EventKind(
    "manual_bans_changed",
    "5e0c5a0e6c8b4d0c9b7d2f6a4a3c91d2",
    Priority.INFO,
    (Field.SOURCE_ID, Field.ORIGIN, Field.ADDED, Field.REMOVED),
    "@ADDED@ manual bans were made, and @REMOVED@ were lifted or have ended, at once",
    "More than 100 manual bans of @ORIGIN@ were made, lifted or confirmed by one order, or have ended at the same time, so "
    "there is one event for all of them.\n"
    "    banlistctl bans  all manual bans: origin, comment, expiry",
)
