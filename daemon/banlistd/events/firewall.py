"""The events of the firewall as a whole: restored, changed by others, repaired. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

RESTORED = EventKind(
    "firewall_restored",
    "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c07",
    Priority.INFO,
    (Field.ADDED, Field.REMOVED),
    "The bans are restored from the last good state",
    "At boot or at its start, banlistd reconciled the firewall with the last good state: @ADDED@ ranges were added and "
    "@REMOVED@ removed. No server was asked.\n"
    "    banlistctl status\n"
    "    nft list map inet banlistd applied  the markers: what is applied",
)

DRIFT_REPAIRED = EventKind(
    "firewall_drift_repaired",
    "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c08",
    Priority.WARNING,
    (Field.ADDED, Field.REMOVED, Field.CULPRIT, Field.DURATION_MS),
    "Another program changed the bans in the firewall; banlistd repaired them",
    "The firewall differed from the lists (drift) and was repaired within @DURATION_MS@ ms. Changed by: @CULPRIT@ (empty "
    "if the kernel does not report it).\n"
    'Often it is a script that runs "nft flush ruleset". Let it flush its own tables instead. To stop banning a single '
    "address, add it under `allow:` in /etc/banlistd/banlistd.yaml, then\n"
    "    systemctl reload banlistd",
)

DRIFT_RECURRING = EventKind(
    "firewall_drift_recurring",
    "3054cd1d5c4046878858f9979bbd8d2c",
    Priority.WARNING,
    (Field.CULPRIT, Field.REPAIRS, Field.DURATION_MS),
    "Another program changes the bans in the firewall again and again",
    "The bans were changed and repaired @REPAIRS@ times within @DURATION_MS@ ms. Changed by: @CULPRIT@ (the latest "
    "process of each program; empty if the kernel does not report it).\n"
    "banlistd goes on to repair each change at once, unless its repairs use more than a quarter of a processor core. Until a "
    "repair is finished, packets of banned addresses pass. These repairs are not logged one by one; `firewall_drift_ended` "
    "follows when there was none for five minutes.\n"
    "Find the program, and let it change its own tables only:\n"
    "    nft monitor\n"
    "    systemctl list-timers",
)

DRIFT_ENDED = EventKind(
    "firewall_drift_ended",
    "7edc3a22c7e94543ba1756f69cf5f823",
    Priority.INFO,
    (Field.CULPRIT, Field.REPAIRS, Field.DURATION_MS),
    "The bans in the firewall are no longer changed again and again",
    "For five minutes no other program has changed the bans. Before, they were repaired @REPAIRS@ times within "
    "@DURATION_MS@ ms. Changed by: @CULPRIT@ (empty if the kernel does not report it). There is nothing to do.",
)

REMARK = EventKind(
    "firewall_remark",
    "0b8e7af7fc0045619c0a67f8ea161977",
    Priority.WARNING,
    (Field.REASON,),
    "The firewall of this host needs attention",
    "At its start banlistd found what the administrator should know:\n"
    "    @REASON@\n"
    "The bans are in force.\n"
    "    banlistctl status  whether it still holds",
)
