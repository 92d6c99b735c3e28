"""The events of the start and the end of the daemon, and of what its files say. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

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

FILES_CHANGED = EventKind(
    "config_changed",
    "f54ab60d32044dbda617cea949a1c683",
    Priority.NOTICE,
    (Field.SOURCE_ID, Field.FILE, Field.LINE, Field.UID),
    "The configuration is not what it was at @FILE@:@LINE@",
    "A reload or a start has put a configuration into force that differs there from the one before. User @UID@ asked for the "
    "reload; the number is missing where the files were changed while banlistd did not run, and where a configuration came "
    "back that was not confirmed.\n"
    "    banlistctl sources @SOURCE_ID@  the source as it is now\n"
    "    journalctl EVENT=config_changed  earlier changes",
)

RELOADED = EventKind(
    "config_reloaded",
    "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c09",
    Priority.INFO,
    (),
    "A new configuration is in effect",
    "The files in /etc/banlistd were read again, are valid, and are in effect.\n    banlistctl sources",
)

REJECTED = EventKind(
    "config_rejected",
    "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c0a",
    Priority.ERROR,
    (Field.REASON,),
    "The new configuration was refused and is NOT in effect",
    "@REASON@\n"
    "The previous configuration is in effect. To see every problem of the files in /etc/banlistd, and how many bans they "
    "would lift:\n"
    "    banlistd --check\n"
    "When they are solved:\n"
    "    systemctl reload banlistd",
)
