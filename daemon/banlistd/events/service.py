"""The events of the start and the end of the daemon. `names` names them."""

from banlistd.events.kind import EventKind, Priority

DAEMON_STARTED = EventKind(
    "service_started",
    "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c0b",
    Priority.INFO,
    (),
    "banlistd has started",
    "The last good state is in the firewall, and the sources are polled when they are due.\n    banlistctl status",
)

DAEMON_STOPPED = EventKind(
    "service_stopped",
    "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c0c",
    Priority.INFO,
    (),
    "banlistd has stopped; the bans stay in place",
    "Lists are not polled and drift is not repaired until the next start. All bans stay in place.\n"
    "    systemctl start banlistd  continue\n"
    "    banlistd --teardown  remove all bans from the firewall",
)
