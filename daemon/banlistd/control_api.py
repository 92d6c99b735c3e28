"""What the control socket asks of the running service, as a Protocol; `control/commands/` declares the commands themselves."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Sized

    from banlistd.core.config.model import Config
    from banlistd.core.config.reload import ReloadOrder
    from banlistd.core.ruleset.lifting import Lift
    from banlistd.model import Outcome, SourceId


class Verdict(StrEnum):
    """PROTECTED: every ban takes effect. DEGRADED: not all is covered, or not all is known. OPEN: bans take no effect."""

    PROTECTED = "PROTECTED"
    DEGRADED = "DEGRADED"
    OPEN = "OPEN"


VERDICT_EXITS = {Verdict.PROTECTED: 0, Verdict.DEGRADED: 1, Verdict.OPEN: 2}


def verdict_by(*, gaps: Sized, weaknesses: Sized) -> Verdict:
    """`gaps`: reasons why no ban takes effect, or some do not. `weaknesses`: why not all is covered, or known."""
    if len(gaps):
        return Verdict.OPEN
    return Verdict.DEGRADED if len(weaknesses) else Verdict.PROTECTED


class Reloaded(NamedTuple):
    """`before`: the previous configuration. `lift`: what was lifted."""

    before: Config
    lift: Lift


class RefreshProgress(NamedTuple):
    """Of the refreshes under way: how many sources are polled, and of how many; 0 of 0 while there is none."""

    done: int
    total: int


class Repairs(NamedTuple):
    """How many repairs each program caused since the start, and whether drift recurs now."""

    by_program: Mapping[str, int]
    recur: bool


class ServiceControl(Protocol):
    """What may be asked of the running service."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    @property
    def refreshing(self) -> RefreshProgress:
        """How far the refreshes under way are."""

    @property
    def repairs(self) -> Repairs:
        """The repairs of drift."""

    async def refresh(self, source_ids: Sequence[SourceId], *, anyway: bool) -> Sequence[Outcome]:
        """Poll these sources now (none named: all that are enabled) and wait for the outcome. Raises NoSuchSourceError.

        `anyway`: also those whose publishers allow no request yet.
        """

    async def confirm(self) -> None:
        """Confirm the configuration that is tried. Raises UsageError if there is none, and LedgerError."""

    async def reload(self, order: ReloadOrder) -> Reloaded:
        """Read the configuration again. Raises ConfigError or RefusedError, and then it has NOT been changed."""
