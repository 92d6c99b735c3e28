"""Every event. Names and message ids are stable, because people filter on them. Most are declared in modules of their own; the
catalogue for `journalctl -x`, banlistd(8) and packaging/docs/events.md are generated from all of them.
"""

from enum import StrEnum
from typing import Self

from banlistd.events.allowing import ALLOW_ADDED, ALLOW_EXPIRED, ALLOW_FOLLOWED, ALLOW_REMOVED, ALLOW_UNRESOLVED
from banlistd.events.bans import MANY_CHANGED
from banlistd.events.evidence import HITS_UNAVAILABLE as UNAVAILABLE
from banlistd.events.feeds import LISTS_PUBLISHED, PUBLISHING_FAULT, SOURCE_DEAD, SOURCE_EMPTY, SOURCE_MOVED
from banlistd.events.firewall import DRIFT_ENDED, DRIFT_RECURRING, DRIFT_REPAIRED, REMARK, RESTORED
from banlistd.events.fleet.endings import HEARD_AGAIN, PROVEN_AGAIN, PUBLISHED_AGAIN
from banlistd.events.fleet.node import PROOF_REFUSED, ROOT_CHANGED, SIGNATURE_EXPIRED, SIGNATURE_EXPIRED_OVER
from banlistd.events.fleet.reports import NODE_SILENT, REPORT_REFUSED
from banlistd.events.fleet.roll_out import RELEASED_FOR_FLEET, STOPPED_FOR_FLEET
from banlistd.events.fleet.signatures import SIGNATURE_MISSING, SIGNATURE_MISSING_OVER, SIGNATURE_REFUSED
from banlistd.events.kind import EventKind, Field, Priority
from banlistd.events.mqtt import BROKER_CONNECTED, BROKER_LOST, BROKER_REFUSED
from banlistd.events.notices import DAEMON_ANSWERS, DAEMON_SILENT, EVENTS_LOST, NOTICE_DELIVERED, NOTICE_FAILED, NOTICE_TEST
from banlistd.events.orders import ORDER_CARRIED_OUT, ORDER_REFUSED
from banlistd.events.service import DAEMON_STARTED, DAEMON_STOPPED, FILES_CHANGED, REJECTED, RELOADED
from banlistd.events.suspending import PAUSED, PINNED, RESUMED, ROLLED_BACK, UNPINNED
from banlistd.events.value import SHADOW_ENDED

_IMPORT = (
    *(Field.SOURCE_ID, Field.CONTENT_HASH, Field.RUN_ID, Field.ADDED, Field.REMOVED, Field.REJECTED, Field.ENTRIES),
    Field.DURATION_MS,
)
_BAN = (Field.SOURCE_ID, Field.ADDRESS, Field.ORIGIN, Field.REASON, Field.EXPIRES_AT, Field.CONFIRM_BY)


class EventName(StrEnum):
    """The name of an event; `kind` is its declaration."""

    kind: EventKind

    def __new__(cls, kind: EventKind) -> Self:
        member = str.__new__(cls, kind.name)
        member._value_ = kind.name
        member.kind = kind
        return member

    IMPORT_STARTED = EventKind(
        "blocklist_import_started",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c01",
        Priority.DEBUG,
        (Field.SOURCE_ID,),
        "banlistd polls the source @SOURCE_ID@",
        "The source @SOURCE_ID@ is due, its file has changed, or `banlistctl refresh` was called. The next event of this "
        "source has the result:\n"
        "    journalctl SOURCE_ID=@SOURCE_ID@",
    )
    IMPORT_COMPLETED = EventKind(
        "blocklist_import_completed",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c02",
        Priority.INFO,
        _IMPORT,
        "The new content of the source @SOURCE_ID@ is applied",
        "A new version of the list @SOURCE_ID@ passed the guards and is in the firewall: @ADDED@ ranges were added and "
        "@REMOVED@ removed.\n"
        "    banlistctl history @SOURCE_ID@  its imports so far\n"
        "    banlistctl sources  what each list contains and blocks",
    )
    IMPORT_SKIPPED = EventKind(
        "blocklist_import_skipped",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c04",
        Priority.INFO,
        (Field.SOURCE_ID, Field.CONTENT_HASH),
        "The source @SOURCE_ID@ has not changed",
        "The marker in the firewall says that this content of @SOURCE_ID@ is already applied. Nothing was written.",
    )
    IMPORT_DEFERRED = EventKind(
        "blocklist_import_deferred",
        "7ff5c80d7f1246f3bd26fdd0b1f5d1c9",
        Priority.INFO,
        (Field.SOURCE_ID, Field.REASON),
        "The source @SOURCE_ID@ is not asked for yet",
        "A poll of @SOURCE_ID@ would have come too early:\n"
        "    @REASON@\n"
        "Nothing has changed, and the source is polled as soon as it may be.\n"
        "    banlistctl timers  when that is\n"
        "    banlistctl refresh @SOURCE_ID@ --now  ask all the same",
    )
    IMPORT_FAILED = EventKind(
        "blocklist_import_failed",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c03",
        Priority.WARNING,
        (Field.SOURCE_ID, Field.REASON),
        "Importing the source @SOURCE_ID@ failed",
        "The list @SOURCE_ID@ could not be downloaded, read or applied:\n"
        "    @REASON@\n"
        "Its last good content stays banned. banlistd tries again by itself, at growing intervals (backoff).\n"
        "    banlistctl sources  when it is polled next\n"
        "    banlistctl refresh @SOURCE_ID@  poll it now",
    )
    IMPORT_REFUSED = EventKind(
        "blocklist_import_refused",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c05",
        Priority.WARNING,
        (Field.SOURCE_ID, Field.REASON, Field.GUARD),
        "A guard refused the new content of the source @SOURCE_ID@",
        "The new content of @SOURCE_ID@ looks wrong and was not applied:\n"
        "    @REASON@\n"
        "The last good content stays banned. See what the new content adds and removes, then decide:\n"
        "    banlistctl quarantine @SOURCE_ID@\n"
        "    banlistctl approve @SOURCE_ID@ HASH\n"
        "If such changes are normal for this list, widen its guards (`guards:` in banlistd.yaml(5)).",
    )
    IMPORT_LOST_RACE = EventKind(
        "blocklist_import_lost_race",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c06",
        Priority.INFO,
        _IMPORT,
        "Another import of the source @SOURCE_ID@ was first",
        "Two imports of the same content of @SOURCE_ID@ ran at the same time. The result of the first one counts. There is "
        "nothing to do.",
    )
    SOURCE_STALE = EventKind(
        "source_stale",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c11",
        Priority.WARNING,
        (Field.SOURCE_ID, Field.GOOD_AT),
        "The source @SOURCE_ID@ is stale",
        "No poll of @SOURCE_ID@ was successful for longer than its `max_age`. Its last good content is still banned. Where its "
        "guard `on_stale` is `lift`, its bans are lifted until its next good list.\n"
        "    banlistctl history @SOURCE_ID@  the reason\n"
        "    banlistctl refresh @SOURCE_ID@  poll it now\n"
        "If the list no longer exists, remove it from /etc/banlistd; its bans are removed with it.",
    )
    SOURCE_FROZEN = EventKind(
        "source_frozen",
        "6944c9bffa6f47de98c56372038d2a29",
        Priority.WARNING,
        (Field.SOURCE_ID, Field.CHANGED_AT),
        "The source @SOURCE_ID@ has not changed for a long time",
        "Every poll of @SOURCE_ID@ is successful and brings the same content, for longer than its guard `frozen` allows. Its "
        "publisher may have given it up, or a mirror no longer follows it. Its bans stay.\n"
        "    banlistctl history @SOURCE_ID@  when it changed\n"
        "If the list is still maintained, set `guards: {frozen: off}` for it. Otherwise remove it from /etc/banlistd.",
    )
    SOURCE_DEAD = SOURCE_DEAD
    SOURCE_MOVED = SOURCE_MOVED
    SOURCE_EMPTY = SOURCE_EMPTY
    CRITICAL_CARVED = EventKind(
        "critical_carved",
        "d477d7a7412141b3a3e2f10e6587ce82",
        Priority.WARNING,
        (Field.SOURCE_ID, Field.ADDRESS, Field.REASON),
        "The source @SOURCE_ID@ contains a critical address, which was not banned",
        "The list @SOURCE_ID@ contains @ADDRESS@ (@REASON@). Much of the Internet depends on it, or the configuration names "
        "it as critical: the list is mistaken or is meant to do harm. The address was carved out of the bans of this list.\n"
        "    banlistctl history @SOURCE_ID@\n"
        "To refuse such a list, set `guards: {critical: refuse}` for it; to ban the address, `guards: {critical: off}`.",
    )
    FIREWALL_RESTORED = RESTORED
    HITS_UNAVAILABLE = UNAVAILABLE
    FIREWALL_DRIFT_REPAIRED = DRIFT_REPAIRED
    FIREWALL_DRIFT_RECURRING = DRIFT_RECURRING
    FIREWALL_DRIFT_ENDED = DRIFT_ENDED
    FIREWALL_REMARK = REMARK
    PROTECTED_CARVED = EventKind(
        "protected_carved",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c10",
        Priority.WARNING,
        (Field.SOURCE_ID, Field.ADDRESS, Field.REASON),
        "The source @SOURCE_ID@ contains a protected address, which was not banned, or not wholly",
        "The list @SOURCE_ID@ contains @ADDRESS@ (@REASON@). It was carved out of the bans, because banning it could cut off "
        "this machine, or you. If this machine needs only answers from it, such as those of a resolver, it is banned, and the "
        "answers pass.\n"
        "    banlistctl protected  all protected addresses, and the lists that contain them\n"
        "To allow it permanently, add it under `allow:` in /etc/banlistd/banlistd.yaml.",
    )
    MANUAL_BAN_ADDED = EventKind(
        "manual_ban_added",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c16",
        Priority.INFO,
        _BAN,
        "@ADDRESS@ was banned manually",
        "@ORIGIN@ banned @ADDRESS@, and the ban is in effect. Manual bans come before all lists, and survive a restart, a "
        "reboot and a flush of the firewall.\n"
        "    banlistctl bans  all manual bans: origin, comment, expiry\n"
        "    banlistctl unban @ADDRESS@\n"
        "A ban that waits for its confirmation is lifted by itself unless it is confirmed:\n"
        "    banlistctl confirm @ADDRESS@",
    )
    MANUAL_BAN_CONFIRMED = EventKind(
        "manual_ban_confirmed",
        "675d4e9b3f264a04bb58a70230a6a396",
        Priority.INFO,
        _BAN,
        "A manual ban of @ADDRESS@ was confirmed",
        "The ban of @ADDRESS@ by @ORIGIN@ was confirmed, and lasts as it was ordered.\n"
        "    banlistctl bans  all manual bans: origin, comment, expiry",
    )
    MANUAL_BAN_REMOVED = EventKind(
        "manual_ban_removed",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c17",
        Priority.INFO,
        _BAN,
        "A manual ban of @ADDRESS@ was removed",
        "The ban of @ADDRESS@ by @ORIGIN@ was removed. If another origin or a list bans it, it is still banned:\n"
        "    banlistctl check @ADDRESS@",
    )
    MANUAL_BANS_CHANGED = MANY_CHANGED
    MANUAL_BAN_EXPIRED = EventKind(
        "manual_ban_expired",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c18",
        Priority.INFO,
        _BAN,
        "A manual ban of @ADDRESS@ has expired",
        "The ban of @ADDRESS@ by @ORIGIN@ has expired, or was not confirmed in time. If another origin or a list bans it, it "
        "is still banned:\n"
        "    banlistctl check @ADDRESS@",
    )
    SOURCE_PAUSED = PAUSED
    SOURCE_RESUMED = RESUMED
    SOURCE_PINNED = PINNED
    SOURCE_UNPINNED = UNPINNED
    SOURCE_ROLLED_BACK = ROLLED_BACK
    MANUAL_ALLOW_ADDED = ALLOW_ADDED
    MANUAL_ALLOW_REMOVED = ALLOW_REMOVED
    MANUAL_ALLOW_EXPIRED = ALLOW_EXPIRED
    MANUAL_ALLOW_FOLLOWED = ALLOW_FOLLOWED
    MANUAL_ALLOW_UNRESOLVED = ALLOW_UNRESOLVED
    LEDGER_FAULT = EventKind(
        "ledger_fault",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c12",
        Priority.ERROR,
        (Field.REASON,),
        "The database of banlistd cannot be used",
        "The database in /var/lib/banlistd could not be read or written:\n"
        "    @REASON@\n"
        "Bans, polling and repairs continue. New state is kept in memory and written to disk once that is possible. After a "
        "restart in the meantime the state is the one on disk.\n"
        "    df -h /var/lib/banlistd; journalctl -k\n"
        "    banlistctl status  whether the state is in memory",
    )
    LEDGER_MENDED = EventKind(
        "ledger_mended",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c13",
        Priority.INFO,
        (),
        "The database of banlistd is on disk again",
        "The disk can be written again, and no state was lost. There is nothing to do.",
    )
    BACKEND_LEFT = EventKind(
        "backend_left",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c14",
        Priority.INFO,
        (),
        "The bans have moved to another backend",
        "The configuration names another backend than before. The bans are in the new backend, and the old one was emptied.\n"
        "    banlistctl status",
    )
    ORDER_GIVEN = ORDER_CARRIED_OUT
    ORDER_REFUSED = ORDER_REFUSED
    REPORT_REFUSED = REPORT_REFUSED
    NODE_SILENT = NODE_SILENT
    NODE_SILENT_OVER = HEARD_AGAIN
    HUB_REFUSED = PROOF_REFUSED
    HUB_REFUSED_OVER = PROVEN_AGAIN
    HUB_EXPIRED = SIGNATURE_EXPIRED
    HUB_EXPIRED_OVER = SIGNATURE_EXPIRED_OVER
    HUB_ROOT_CHANGED = ROOT_CHANGED
    MQTT_CONNECTED = BROKER_CONNECTED
    MQTT_LOST = BROKER_LOST
    MQTT_REFUSED = BROKER_REFUSED
    FLEET_PUBLISHED = LISTS_PUBLISHED
    FLEET_FAULT = PUBLISHING_FAULT
    FLEET_FAULT_OVER = PUBLISHED_AGAIN
    LIST_STOPPED = STOPPED_FOR_FLEET
    LIST_RELEASED = RELEASED_FOR_FLEET
    SIGNATURE_MISSING = SIGNATURE_MISSING
    SIGNATURE_MISSING_OVER = SIGNATURE_MISSING_OVER
    SIGNATURE_REFUSED = SIGNATURE_REFUSED
    GEO_WARMED = EventKind(
        "geo_warmed",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c20",
        Priority.DEBUG,
        (Field.SOURCE_ID, Field.NETWORKS, Field.UNKNOWN, Field.DURATION_MS),
        "Countries and network operators of the source @SOURCE_ID@ are looked up",
        "After the import of @SOURCE_ID@, @NETWORKS@ networks were found in the geo databases and @UNKNOWN@ were not.\n"
        "    banlistctl top --by country",
    )
    GEO_FAULT = EventKind(
        "geo_fault",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c21",
        Priority.WARNING,
        (Field.REASON,),
        "Looking up countries and network operators failed",
        "A geo database or service could not be used:\n"
        "    @REASON@\n"
        "Bans do not depend on it. Check `geo:` in the configuration:\n"
        "    banlistd --check",
    )
    CONFIG_RELOADED = RELOADED
    CONFIG_REJECTED = REJECTED
    CONFIG_CHANGED = FILES_CHANGED
    SHADOW_ENDED = SHADOW_ENDED
    NOTICE_TEST = NOTICE_TEST
    NOTICE_DELIVERED = NOTICE_DELIVERED
    NOTICE_FAILED = NOTICE_FAILED
    EVENTS_LOST = EVENTS_LOST
    DAEMON_SILENT = DAEMON_SILENT
    DAEMON_ANSWERS = DAEMON_ANSWERS
    SERVICE_STARTED = DAEMON_STARTED
    SERVICE_STOPPED = DAEMON_STOPPED
    SERVICE_FAULT = EventKind(
        "service_fault",
        "6d1b4a0cb5a44b3f8a7a0f0f5b0a1c0d",
        Priority.ERROR,
        (Field.SOURCE_ID, Field.REASON, Field.ERROR_CLASS),
        "banlistd met an unexpected error",
        "A part of the daemon failed and starts again after a while; the bans stay in place:\n"
        "    @REASON@\n"
        "If it happens again, read what was logged before it, and report it:\n"
        "    journalctl -u banlistd --since=-1h",
    )
