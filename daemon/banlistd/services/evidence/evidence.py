"""What the firewall has seen, as one part: hits and totals."""

from typing import NamedTuple

from banlistd.services.evidence.hits import HitRecorder
from banlistd.services.evidence.totals import CounterTotals


class Evidence(NamedTuple):
    hits: HitRecorder
    totals: CounterTotals
