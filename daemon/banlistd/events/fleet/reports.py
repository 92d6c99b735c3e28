"""The events of what nodes report to the hub of a fleet. `names` names them."""

from banlistd.events.kind import EventKind, Field, Priority

REPORT_REFUSED = EventKind(
    "report_refused",
    "92985957424a4881a37e8830705a1898",
    Priority.WARNING,
    (Field.NODE, Field.REASON),
    "A report of the node @NODE@ is refused, or a part of it: @REASON@",
    "What is refused counts for nothing. The reason is one of: retained, too_large, malformed, unsigned, unknown_node, "
    "suspended, wrong_key, wrong_node, replayed, late, early, too_often, not_checked, not_stored of a whole report, and of "
    "single addresses over_quota (more than 500 new sightings in an hour), exempt (not public, allowed or protected here) and "
    "of_a_node. Of each node each reason is announced once in an hour. If the node is in other hands, take its vote away:\n"
    "    banlistctl nodes suspend @NODE@\n"
    "    banlistctl nodes",
)

NODE_SILENT = EventKind(
    "node_silent",
    "ef73a50fde4549e4b33803ebf2fefd2b",
    Priority.WARNING,
    (Field.NODE,),
    "Nothing was heard of the node @NODE@ for an hour",
    "The node @NODE@ is admitted, and sent neither its state nor a report over MQTT. It may be off, or its connection to the "
    "broker is lost; its bans are its own and stay. What it has reported counts until its time is over. If it is gone:\n"
    "    banlistctl nodes forget @NODE@",
)
