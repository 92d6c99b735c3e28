"""The list that a hub makes of what nodes report: how many must agree, and for how long."""

from dataclasses import dataclass
from typing import Annotated

from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Section

REPORTS_EVERY = 60.0
"""Seconds. What is reported is imported at once; this is for addresses whose time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports(Section):
    """When an address that nodes report is listed."""

    title = "reports"
    intro = """These keys are set below `reports:` of a source on the hub of a fleet, which lists what nodes report over MQTT.
`banlistctl nodes admit` says whose reports count."""

    quorum: Annotated[
        int,
        Key(kinds.whole(1, 1000), "How many sites must have reported an address; nodes of one site count as one."),
    ] = 3
    window: Annotated[float, Key(kinds.duration_between("10m", "30d"), "Within which time they must have done so.")] = 3600.0
    lasts: Annotated[
        float,
        Key(kinds.duration_between("1m", "90d"), "How long an address stays listed after the last moment when so many agreed."),
    ] = 86400.0
    most: Annotated[
        int,
        Key(kinds.whole(1, 1_000_000), "How many addresses are listed; those of the most sites come first, then the newest."),
    ] = 100_000
