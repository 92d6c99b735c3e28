"""The events of sources that an operator has paused, pinned or rolled back. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

_PAUSE = (Field.SOURCE_ID, Field.UID)
_PIN = (Field.SOURCE_ID, Field.RUN_ID, Field.CONTENT_HASH, Field.UID)

PAUSED = EventKind(
    "source_paused",
    "59f661a30ac340fba8dc59957bdb5f76",
    Priority.NOTICE,
    _PAUSE,
    "@SOURCE_ID@ is not polled any more",
    "`banlistctl pause @SOURCE_ID@` was called. Its bans stay as they are, across restart and reboot, and no entry of it "
    "ends by itself, until:\n"
    "    banlistctl resume @SOURCE_ID@",
)

RESUMED = EventKind(
    "source_resumed",
    "823de179c4b44b02b3fe074eb85b6833",
    Priority.NOTICE,
    _PAUSE,
    "@SOURCE_ID@ is polled again",
    "`banlistctl resume @SOURCE_ID@` was called. The list is polled at once, unless it is pinned:\n"
    "    banlistctl sources @SOURCE_ID@",
)

PINNED = EventKind(
    "source_pinned",
    "b6379b9b20be43938c9d4a8012efc235",
    Priority.NOTICE,
    _PIN,
    "@SOURCE_ID@ is pinned to the content of run @RUN_ID@",
    "`banlistctl pin` or `banlistctl rollback` was called. No poll replaces this content, across restart and reboot, until:\n"
    "    banlistctl unpin @SOURCE_ID@",
)

UNPINNED = EventKind(
    "source_unpinned",
    "6182fb57bf5b47a9ae4efb3a4bfbe7b3",
    Priority.NOTICE,
    _PIN,
    "@SOURCE_ID@ is not pinned any more",
    "`banlistctl unpin @SOURCE_ID@` was called. The list is polled again:\n    banlistctl sources @SOURCE_ID@",
)

ROLLED_BACK = EventKind(
    "source_rolled_back",
    "9138b0a0e09a497fad2683ddfe9b6f0c",
    Priority.NOTICE,
    _PIN,
    "The content of run @RUN_ID@ of @SOURCE_ID@ is in force again",
    "`banlistctl rollback @SOURCE_ID@` was called. What has come and gone since then is shown by:\n"
    "    banlistctl diff @SOURCE_ID@",
)
