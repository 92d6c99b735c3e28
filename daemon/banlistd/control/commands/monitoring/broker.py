"""The connection to the MQTT broker, as `status` and `health` answer and print it."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.page import moment, short_duration
from banlistd.core.printing import counted, printable

if TYPE_CHECKING:
    from banlistd.services.telling.broker_record import BrokerRecord


class BrokerRow(TypedDict):
    """The connection to the MQTT broker. `broker`: its address; empty: none is configured. `since`: of this state; null: not
    tried yet. `reason`: why there is none. `lost`: messages that were dropped before they were sent. `key_fault`: why the
    key of this node of a fleet cannot be read; empty: it could be, or none is wanted.
    """

    broker: str
    connected: bool
    since: float | None
    reason: str
    lost: int
    key_fault: str


def broker_row(record: "BrokerRecord") -> BrokerRow:
    return {
        "broker": record.broker,
        "connected": record.is_connected,
        "since": record.since,
        "reason": record.reason,
        "lost": record.lost,
        "key_fault": record.key_fault,
    }


def broker_lines(row: BrokerRow, now: float) -> list[str]:
    """Nothing where no broker is configured."""
    if not row["broker"]:
        return []
    since = "" if row["since"] is None else f" since {moment(row['since'])} ({short_duration(now - row['since'])})"
    lost = f", {counted(row['lost'], 'message', 'messages')} not sent" if row["lost"] else ""
    state = "connected" if row["connected"] else "not connected"
    lines = [f"  mqtt         {state}{since}: {printable(row['broker'])}{lost}"]
    if row["reason"]:
        lines.append(f"      {printable(row['reason'])}")
    if row["key_fault"]:
        lines.append(f"      nothing is signed for the fleet, and tried again: {printable(row['key_fault'])}")
    return lines
