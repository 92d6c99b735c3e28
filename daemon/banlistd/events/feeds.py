"""The events of feeds that may be given up: dead, moved, empty. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

SOURCE_DEAD = EventKind(
    "source_dead",
    "7c621cc9bff04f36940a53ffcecef0a5",
    Priority.WARNING,
    (Field.SOURCE_ID, Field.REASON),
    "The source @SOURCE_ID@ may be dead",
    "Every poll of @SOURCE_ID@ has failed for a week, the last one with:\n"
    "    @REASON@\n"
    "It is asked for less and less often, at last once a day, until a poll is successful. Its last good content is still "
    "banned.\n"
    "    banlistctl sources @SOURCE_ID@  since when\n"
    "    banlistctl refresh @SOURCE_ID@  poll it now\n"
    "If the list no longer exists, remove it from /etc/banlistd; its bans are removed with it.",
)

SOURCE_MOVED = EventKind(
    "source_moved",
    "47548a6d1c264c74b44a274d49aec8d3",
    Priority.NOTICE,
    (Field.SOURCE_ID, Field.REASON),
    "The list of the source @SOURCE_ID@ has moved",
    "The server of @SOURCE_ID@ answers with a redirect for good (301 or 308), and the list came from the new address:\n"
    "    @REASON@\n"
    "It is fetched by way of the old address, which may end. If the publisher names the new address too, write it as `url` "
    "of the source in /etc/banlistd, then\n"
    "    systemctl reload banlistd",
)

SOURCE_EMPTY = EventKind(
    "source_empty",
    "3ecc73d697a5466e80a012e4f6383d81",
    Priority.NOTICE,
    (Field.SOURCE_ID,),
    "The list of the source @SOURCE_ID@ has become empty",
    "The new list of @SOURCE_ID@ has no entry, which `allow_empty` allows; the one before had some. Its bans are lifted.\n"
    "    banlistctl history @SOURCE_ID@  how many entries it had",
)

LISTS_PUBLISHED = EventKind(
    "fleet_published",
    "ee2f81c40244482d8cf4ad4b68ab65c4",
    Priority.INFO,
    (Field.VERSION, Field.ENTRIES, Field.DURATION_MS),
    "Version @VERSION@ of the lists of the fleet is published",
    "This machine is a hub. What it publishes has changed: lists, or the keys of the fleet. It is signed, and whole on the "
    "disk; mirrors and nodes take it from there. That the timestamp is signed again each hour is no event. "
    "There is nothing to do.",
)

PUBLISHING_FAULT = EventKind(
    "fleet_fault",
    "d55b715248e24226836f4c4375974078",
    Priority.WARNING,
    (Field.REASON,),
    "Nothing is published for the fleet: @REASON@",
    "What was published before stays, and nodes keep it for a day; their bans stay in any case. banlistd tries again by "
    "itself.\n"
    "    banlistctl fleet promote  if this hub is to publish, and another one did\n"
    "    df -h /var/lib/banlistd  if a file could not be written\n"
    "    banlistctl fleet keys FOLDER  which keys belong to the fleet, and until when",
)
