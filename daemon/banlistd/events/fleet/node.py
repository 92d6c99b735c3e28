"""The events of a node of a fleet. `events.names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

PROOF_REFUSED = EventKind(
    "hub_refused",
    "6d2d4e121d1d47dcbd0768479603fba8",
    Priority.WARNING,
    (Field.MIRROR, Field.REASON),
    "What the mirror @MIRROR@ gives is not proven: @REASON@",
    "The mirror gave files of the fleet that its root of trust does not prove, or that are older than those seen before. "
    "Nothing of them is used, the next mirror is asked, and the bans stay. If all mirrors are refused, ask the owner of the "
    "fleet whether a key was changed.\n"
    "    banlistctl fleet",
)

SIGNATURE_EXPIRED = EventKind(
    "hub_expired",
    "25ccd7bc160e49e5b6708b19c4f95e61",
    Priority.WARNING,
    (Field.REASON,),
    "What the fleet signs is expired: @REASON@",
    "A hub signs every hour, even if no list changes, and no mirror has anything newer. The hub has stopped, or the mirrors "
    "do not get its files, or the clock of this host is wrong. The bans stay as they are.\n"
    "    banlistctl fleet; date",
)

SIGNATURE_EXPIRED_OVER = EventKind(
    "hub_expired_over",
    "68a1946dc20d4463b0b6088fae6a27a1",
    Priority.INFO,
    (),
    "The fleet signs again",
    "A mirror has files whose signatures are in force. There is nothing to do.",
)

ROOT_CHANGED = EventKind(
    "hub_root_changed",
    "83ad400a02db4902a0a08dd735fba9a4",
    Priority.NOTICE,
    (Field.VERSION,),
    "The root of the fleet is version @VERSION@ now",
    "The owner of the fleet has changed its keys: the new root is proven by the one before. Keys that are not in it any more "
    "prove nothing from now on.\n"
    "    banlistctl fleet",
)
