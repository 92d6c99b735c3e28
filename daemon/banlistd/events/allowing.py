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

ALLOW_FOLLOWED = EventKind(
    "manual_allow_followed",
    "0f5e0890aea84df298b44485f58dea36",
    Priority.INFO,
    (Field.ADDRESS, Field.ADDED, Field.REMOVED),
    "The addresses of @ADDRESS@, which is allowed by command, have changed",
    "The name service gives other addresses for @ADDRESS@, and those are allowed now. An address goes an hour after the last "
    "answer that had it:\n"
    "    banlistctl allowed",
)

ALLOW_UNRESOLVED = EventKind(
    "manual_allow_unresolved",
    "eabdfb058c2d4e4f89541b3086ce92e2",
    Priority.WARNING,
    (Field.ADDRESS, Field.REASON),
    "@ADDRESS@, which is allowed by command, has no answer of the name service",
    "@REASON@. The addresses that @ADDRESS@ had last stay allowed, and the name is asked for again every five minutes. If it "
    "is gone:\n"
    "    banlistctl disallow @ADDRESS@",
)
