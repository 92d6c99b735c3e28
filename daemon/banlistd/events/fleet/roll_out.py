"""The events of lists that a hub stops for its fleet. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

STOPPED_FOR_FLEET = EventKind(
    "fleet_list_stopped",
    "428491a51574431a8e48db97686743ed",
    Priority.WARNING,
    (Field.SOURCE_ID, Field.NODE, Field.CONTENT_HASH, Field.REASON, Field.UID),
    "The list @SOURCE_ID@ is stopped for the fleet",
    "A canary refuses a version of @SOURCE_ID@, or an operator ordered it with `banlistctl fleet hold`. Nothing newer of the "
    "list is published, and the version in question is withdrawn: the next timestamp gives the last one before it, and nodes "
    "that wait with it (`hold`) never take it. Bans that are in place stay. Look at the version, then publish again:\n"
    "    banlistctl fleet\n"
    "    banlistctl diff @SOURCE_ID@\n"
    "    banlistctl fleet release @SOURCE_ID@",
)

RELEASED_FOR_FLEET = EventKind(
    "fleet_list_released",
    "91cbe3dcc1904c07acc4825a057b0f92",
    Priority.NOTICE,
    (Field.SOURCE_ID, Field.UID),
    "The list @SOURCE_ID@ is published for the fleet again",
    "`banlistctl fleet release @SOURCE_ID@` was called. Its newest completed content is published, and no canary stops that "
    "content again.\n"
    "    banlistctl fleet",
)
