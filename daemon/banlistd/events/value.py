"""The events of sources that are tried out. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

SHADOW_ENDED = EventKind(
    "source_shadow_ended",
    "c64d5ae8b0f14bd2a2e5a6a05ce0b0f3",
    Priority.NOTICE,
    (Field.SOURCE_ID, Field.PACKETS),
    "The time in shadow of @SOURCE_ID@ is over",
    "The source @SOURCE_ID@ has `action: count` and `shadow`, and that time is over: it counts on, but only packets that no "
    "other source takes. In that time it would have dropped @PACKETS@ packets.\n"
    "    banlistctl promote @SOURCE_ID@  what it would ban, and what to change",
)
