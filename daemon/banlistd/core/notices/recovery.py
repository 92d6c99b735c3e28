"""Which event ends what another one has reported, of the same source or of none."""

from collections.abc import Mapping

from banlistd.events import EventName

_GOOD_LIST = frozenset({EventName.IMPORT_COMPLETED, EventName.IMPORT_SKIPPED, EventName.IMPORT_LOST_RACE})

ENDED_BY: Mapping[EventName, frozenset[EventName]] = {
    EventName.IMPORT_FAILED: _GOOD_LIST,
    EventName.IMPORT_REFUSED: _GOOD_LIST,
    EventName.SOURCE_STALE: _GOOD_LIST,
    EventName.SOURCE_DEAD: _GOOD_LIST,
    EventName.SOURCE_FROZEN: frozenset({EventName.IMPORT_COMPLETED}),
    EventName.SOURCE_EMPTY: frozenset({EventName.IMPORT_COMPLETED}),
    EventName.FIREWALL_DRIFT_RECURRING: frozenset({EventName.FIREWALL_DRIFT_ENDED}),
    EventName.LEDGER_FAULT: frozenset({EventName.LEDGER_MENDED}),
    EventName.CONFIG_REJECTED: frozenset({EventName.CONFIG_RELOADED}),
    EventName.SOURCE_PAUSED: frozenset({EventName.SOURCE_RESUMED}),
    EventName.HUB_EXPIRED: frozenset({EventName.HUB_EXPIRED_OVER}),
    EventName.HUB_REFUSED: frozenset({EventName.HUB_REFUSED_OVER}),
    EventName.FLEET_FAULT: frozenset({EventName.FLEET_FAULT_OVER}),
    EventName.SIGNATURE_MISSING: frozenset({EventName.SIGNATURE_MISSING_OVER}),
    EventName.SIGNATURE_REFUSED: frozenset({EventName.SIGNATURE_MISSING_OVER}),
    EventName.NODE_SILENT: frozenset({EventName.NODE_SILENT_OVER}),
    EventName.LIST_STOPPED: frozenset({EventName.LIST_RELEASED}),
    EventName.MQTT_LOST: frozenset({EventName.MQTT_CONNECTED}),
    EventName.MQTT_REFUSED: frozenset({EventName.MQTT_CONNECTED}),
    EventName.SERVICE_STOPPED: frozenset({EventName.SERVICE_STARTED}),
    EventName.DAEMON_SILENT: frozenset({EventName.DAEMON_ANSWERS}),
}
"""Events that are not in here are over at once."""

_ENDS: Mapping[str, frozenset[str]] = {
    str(end): frozenset(str(begin) for begin, ends in ENDED_BY.items() if end in ends)
    for end in frozenset().union(*ENDED_BY.values())
}


def ended_by(name: str) -> frozenset[str]:
    """The names of the events that an event ends."""
    return _ENDS.get(name, frozenset())


def lasts(name: str) -> bool:
    """Whether what an event reports goes on until another event ends it."""
    return name in {str(begin) for begin in ENDED_BY}
