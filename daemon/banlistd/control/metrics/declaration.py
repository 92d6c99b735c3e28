"""The metrics, each declared once; the text, the table in the documents and the dashboard follow from it.

No metric has a label whose values a list, a feed or a packet decides.
"""

from enum import StrEnum
from typing import NamedTuple


class MetricType(StrEnum):
    """As OpenMetrics 1.0 names them."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """`name`: without the suffix `_total` of a counter. `help`: one sentence. `labels`: their names."""

    name: str
    help: str
    type: MetricType = MetricType.GAUGE
    labels: tuple[str, ...] = ()

    @property
    def samples_named(self) -> str:
        """The name that a query uses."""
        return f"{self.name}_total" if self.type is MetricType.COUNTER else self.name


_COUNTER, _HISTOGRAM, _GAUGE, _SOURCE = MetricType.COUNTER, MetricType.HISTOGRAM, MetricType.GAUGE, ("source",)

BUILD_INFO = Metric("banlistd_build_info", "Version and backend; always 1.", _GAUGE, ("version", "backend"))
VERDICTS = Metric("banlistd_health", "1 for the verdict of banlistctl health, 0 for the others.", _GAUGE, ("verdict",))
BAN_COUNT = Metric("banlistd_bans", "Bans in the firewall, as banlistctl status counts them.")
WATCHED_COUNT = Metric("banlistd_watched_elements", "Set elements of sources that only log or count.")
SOURCE_COUNT = Metric("banlistd_sources", "Enabled sources.")
LAST_CHANGE = Metric("banlistd_last_change_timestamp_seconds", "End of the newest import run of any source.")
TRANSACTIONS = Metric(
    "banlistd_firewall_transaction_seconds", "Duration of the changes of the firewall that succeeded.", _HISTOGRAM
)
REPAIRS = Metric("banlistd_repairs", "Repairs of drift, by the program that caused it.", _COUNTER, ("culprit",))
DRIFT = Metric("banlistd_drift_recurring", "1 while another program changes the bans again and again.")
LEDGER_FAULT = Metric("banlistd_ledger_fault", "1 while the database is in memory only.")
LOOP_LAG = Metric(
    "banlistd_event_loop_lag_seconds", "Longest delay of a timer of the event loop within the last minute; with metrics: only."
)
MEMORY = Metric("process_resident_memory_bytes", "Memory of the daemon.")
PROCESSOR = Metric("process_cpu_seconds", "Processor time of the daemon, without the processes that read lists.", _COUNTER)
STARTED = Metric("process_start_time_seconds", "Start of the daemon.")

ENTRIES = Metric("banlistd_source_entries", "Entries of the newest list of a source.", _GAUGE, _SOURCE)
ELEMENTS = Metric("banlistd_source_elements", "Set elements of a source; manual: manual bans.", _GAUGE, _SOURCE)
PACKETS = Metric(
    "banlistd_source_packets",
    "Packets that met the elements of a source, in all.",
    _COUNTER,
    _SOURCE,
)
OCTETS = Metric("banlistd_source_bytes", "Octets of those packets.", _COUNTER, _SOURCE)
LAST_GOOD = Metric("banlistd_source_last_good_timestamp_seconds", "When a source last had a good list.", _GAUGE, _SOURCE)
FAILURES = Metric("banlistd_source_failures", "Polls of a source in a row that failed.", _GAUGE, _SOURCE)
QUARANTINED = Metric("banlistd_source_quarantined", "1 while the newest content is refused and in quarantine.", _GAUGE, _SOURCE)
STALE = Metric("banlistd_source_stale", "1 while the last good list is older than stale_after.", _GAUGE, _SOURCE)
NEXT_POLL = Metric("banlistd_source_next_poll_timestamp_seconds", "When a source is polled next.", _GAUGE, _SOURCE)

EVERY_METRIC: tuple[Metric, ...] = (
    BUILD_INFO,
    VERDICTS,
    BAN_COUNT,
    WATCHED_COUNT,
    SOURCE_COUNT,
    LAST_CHANGE,
    TRANSACTIONS,
    REPAIRS,
    DRIFT,
    LEDGER_FAULT,
    LOOP_LAG,
    MEMORY,
    PROCESSOR,
    STARTED,
    ENTRIES,
    ELEMENTS,
    PACKETS,
    OCTETS,
    LAST_GOOD,
    FAILURES,
    QUARANTINED,
    STALE,
    NEXT_POLL,
)
"""In the order in which they are written."""
