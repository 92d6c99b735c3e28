"""What the packets of a proof say: a finding for each path, and the verdict on all of them. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from banlistd.control_api import Verdict


class Finding(StrEnum):
    """What became of the packets that took one path.

    `CLOSED`: another rule or a setting of this host lets no packet through, banned or not, so nothing was proven. `COUNTED`:
    the same, but the counter of the manual bans took each packet of the banned address.
    """

    STOPPED = "stopped"
    PASSED = "passed"
    COUNTED = "counted"
    CLOSED = "closed"
    UNUSED = "unused"


class PathFinding(NamedTuple):
    """`path`: input, forward or published. `family`: ipv4 or ipv6."""

    path: str
    family: str
    finding: Finding


def finding_of(*, before: bool, banned: bool, control: bool) -> Finding:
    """`before`, `banned`: whether packets of the test address arrived before the ban and during it; `control`: whether those
    of an address without a ban arrived during it.
    """
    if banned:
        return Finding.PASSED
    return Finding.STOPPED if before and control else Finding.CLOSED


def verdict_of(paths: Sequence[PathFinding], bypasses: int) -> Verdict:
    """OPEN: a banned packet arrived. DEGRADED: some traffic passes no rule, a path is not proven, or none is."""
    findings = [path.finding for path in paths]
    if Finding.PASSED in findings:
        return Verdict.OPEN
    if bypasses or Finding.CLOSED in findings or not {Finding.STOPPED, Finding.COUNTED} & set(findings):
        return Verdict.DEGRADED
    return Verdict.PROTECTED
