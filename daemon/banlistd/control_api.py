"""What may be asked of the running daemon, and of its service: the doors inward, as those of ports.py lead out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from banlistd.core.manual_bans import BanOrder, UnbanOrder
from banlistd.model import Outcome, SourceId

if TYPE_CHECKING:
    from banlistd.core.config.model import Config


class ServiceControl(Protocol):
    """What may be asked of the running service."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    async def refresh(self, source_ids: Sequence[SourceId]) -> Sequence[Outcome]:
        """Poll these sources now (none named: all that are enabled) and wait for the outcome. Raises NoSuchSourceError."""

    async def reload(self) -> Config:
        """Read the configuration again; returns the one before. Raises ConfigError, and then it has NOT been changed."""


class Operations(Protocol):
    """What an operator may ask of the running daemon; the control socket offers exactly this."""

    async def status(self) -> Mapping[str, object]:
        """The daemon as a whole."""

    async def sources(self) -> Sequence[Mapping[str, object]]:
        """Each source: state, bans, last and next poll, counters."""

    async def check(self, address: str) -> Mapping[str, object]:
        """Which sources hold an address, which one owns it, since when; where it belongs.

        Raises UsageError for what is no address.
        """

    async def top(self, by: str, limit: int) -> Mapping[str, object]:
        """Who has most bans, `by` country, asn or source. Raises UsageError, and GeoError where no database knows."""

    async def history(self, source_id: str | None, limit: int) -> Sequence[Mapping[str, object]]:
        """Import runs, newest first. Raises NoSuchSourceError."""

    async def timers(self) -> Sequence[Mapping[str, object]]:
        """When each source is polled next."""

    async def quarantine(self, source_id: str | None) -> Sequence[Mapping[str, object]]:
        """What guards hold back, and how it differs from the last good content. Raises NoSuchSourceError."""

    async def approve(self, source_ids: Sequence[str]) -> Sequence[Mapping[str, object]]:
        """Take what is held back of these sources, at once and without a download; answers as `refresh`.

        Raises NoSuchSourceError, and UsageError where nothing is held back; then nothing was approved.
        """

    async def protected(self) -> Sequence[Mapping[str, object]]:
        """What must never be banned at this moment: range, reason, and which sources hold it."""

    async def ban(self, order: BanOrder) -> Mapping[str, object]:
        """Ban by hand; when it returns, the firewall holds it. Raises RefusedError for what must not be banned."""

    async def unban(self, order: UnbanOrder) -> Mapping[str, object]:
        """Lift bans by hand; `removed` is empty where there were none. When it returns, the firewall has followed."""

    async def bans(self) -> Sequence[Mapping[str, object]]:
        """What is banned by hand, the newest first."""

    async def refresh(self, source_ids: Sequence[str]) -> Sequence[Mapping[str, object]]:
        """Poll these sources now (none named: all) and wait for the outcome. Raises NoSuchSourceError."""

    async def reload(self) -> Mapping[str, object]:
        """Read the configuration again. Raises ConfigError, and then it has NOT been changed."""
