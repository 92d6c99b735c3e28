"""The events of what is allowed by command. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

_FIELDS = (Field.ADDRESS, Field.REASON, Field.EXPIRES_AT)

ALLOW_ADDED = EventKind(
    "manual_allow_added",
    "26a9a8aa82d14246babc61c8d75e9e5a",
    Priority.INFO,
    _FIELDS,
    "@ADDRESS@ is allowed by command",
    "`banlistctl allow @ADDRESS@` was called: no source bans these addresses, and no manual ban. This survives restart and "
    "reboot.\n"
    "    banlistctl allowed  all that is allowed, by whom, why, until when\n"
    "    banlistctl disallow @ADDRESS@",
)

ALLOW_REMOVED = EventKind(
    "manual_allow_removed",
    "476dbf94614e47649aeea86fd629db07",
    Priority.INFO,
    _FIELDS,
    "@ADDRESS@ is no longer allowed by command",
    "`banlistctl disallow @ADDRESS@` was called. What lists or manual bans have of these addresses is banned again:\n"
    "    banlistctl check @ADDRESS@",
)

ALLOW_EXPIRED = EventKind(
    "manual_allow_expired",
    "e7ebba45b6424f6c9741505ea4d8ccd9",
    Priority.INFO,
    _FIELDS,
    "The time for which @ADDRESS@ was allowed by command is over",
    "@ADDRESS@ was allowed for a time, which is over. What lists or manual bans have of these addresses is banned again:\n"
    "    banlistctl check @ADDRESS@",
)
