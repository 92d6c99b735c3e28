"""The events of samples of packets. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

HITS_UNAVAILABLE = EventKind(
    "hits_unavailable",
    "b11cc8fbc6904abb8176c920a4b902db",
    Priority.WARNING,
    (Field.REASON,),
    "No hits are recorded, because packets cannot be sampled",
    "A source has `hits: yes`, but the kernel sends no samples of its packets:\n"
    "    @REASON@\n"
    "All bans are in force, and their packets are counted. banlistd tries again every minute.\n"
    "    banlistctl status  the reason of this moment\n"
    "Where the kernel lacks it, load the module nfnetlink_log.",
)
