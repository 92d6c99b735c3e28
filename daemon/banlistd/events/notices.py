"""The events of banlistd-notify, and the one with which it is tried. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

NOTICE_TEST = EventKind(
    "notice_test",
    "a0859ae6308f48caaf594084c58f7ea4",
    Priority.NOTICE,
    (),
    "A test notice was ordered",
    "`banlistctl notify --test` was called. banlistd-notify sends this event to each of its receivers, and runs each of its "
    "hooks for it:\n"
    "    journalctl -u banlistd-notify  what became of it",
)

NOTICE_DELIVERED = EventKind(
    "notice_delivered",
    "0912162ec91f45d68f11ad3eeddc88a9",
    Priority.INFO,
    (Field.RECEIVER, Field.REASON),
    "The receiver @RECEIVER@ has accepted a notice",
    "A service has accepted a notice, or a hook has ended without an error. There is nothing to do. What a "
    "hook printed:\n    @REASON@",
)

NOTICE_FAILED = EventKind(
    "notice_failed",
    "9ab962b47dc74b7ebe0ce62b6da86c7a",
    Priority.WARNING,
    (Field.RECEIVER, Field.REASON),
    "The receiver @RECEIVER@ does not accept notices",
    "A notice could not be delivered, or a hook failed:\n"
    "    @REASON@\n"
    "Notices wait, at most 500 for each receiver, and are sent again at growing intervals. A hook is run again only if it "
    "ended with exit code 75. Other receivers, and bans, do not depend on it.\n"
    "    banlistctl notify --test  try it",
)

EVENTS_LOST = EventKind(
    "events_lost",
    "89c391ee7b8d4ab9a3002366379237aa",
    Priority.WARNING,
    (Field.REASON,),
    "banlistd-notify could not read some events",
    "Events of the daemon came and went without a notice:\n    @REASON@\nThe journal has them:\n    journalctl -u banlistd",
)

DAEMON_SILENT = EventKind(
    "daemon_silent",
    "3466a19257754fb299a919cf6b65a745",
    Priority.ERROR,
    (Field.REASON,),
    "banlistd does not answer",
    "banlistd-notify cannot reach the daemon on its control socket:\n"
    "    @REASON@\n"
    "Bans stay in place, but lists are not polled and drift is not repaired.\n"
    "    systemctl status banlistd",
)

DAEMON_ANSWERS = EventKind(
    "daemon_answers",
    "3015d527413b4bb8816ead8aefc3232a",
    Priority.NOTICE,
    (),
    "banlistd answers again",
    "banlistd-notify reads the events of the daemon again. There is nothing to do.",
)
