"""What a start of the daemon did to the firewall."""

from collections.abc import Mapping
from dataclasses import dataclass

from banlistd.core.ruleset.diff import Change
from banlistd.model import Decision, SourceId


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """What a restart found, decided and did."""

    decisions: Mapping[SourceId, Decision]
    change: Change
    bans: int
