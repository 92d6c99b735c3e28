"""The last contents of each list, what was allowed, and the sources that an operator keeps as they are or tries.

The docstrings are contracts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from banlistd.model import SourceId, Span

if TYPE_CHECKING:
    # boot_restore needs none of them, and boot waits for its imports.
    from banlistd.core.feeds.value.shadow import Shadow
    from banlistd.core.feeds.versions.suspension import Suspension, SuspensionKind
    from banlistd.core.feeds.versions.version import Version
    from banlistd.core.ruleset.allowing.exemptions import ExemptSpan


class Versions(Protocol):
    """The last contents of each list. `Ledger.upsert_pending` and `mark_completed` write them.

    Each call is one transaction. Raises LedgerError where the database cannot be used. Any of it may be missing.
    """

    async def of(self, source_id: SourceId) -> Sequence[Version]:
        """The versions of a source that are known, newest first; the content of the first one is its snapshot."""

    async def deltas(self, source_id: SourceId, newer_than: int = 0) -> Sequence[tuple[Version, bytes | None]]:
        """The same with what leads from each to the one before (`VersionDelta.written`), of versions with a larger id only;
        None: it is not known.
        """

    async def sources(self) -> Sequence[SourceId]:
        """All that have versions, sorted; also those that are no longer configured."""

    async def octets(self) -> Mapping[SourceId, int]:
        """What the versions of each source take."""


class Suspensions(Protocol):
    """Sources that are paused or pinned, a row each. Each call is one transaction. Raises LedgerError."""

    async def load(self) -> Sequence[Suspension]:
        """All of them, in the order in which they came."""

    async def change(self, come: Sequence[Suspension], go: Sequence[tuple[SourceId, SuspensionKind]]) -> None:
        """Write some, in place of those of the same source and kind, and delete others."""


class Exemptions(Protocol):
    """What was allowed or protected, and when, a row each. Each call is one transaction. Raises LedgerError."""

    async def load(self) -> Sequence[ExemptSpan]:
        """Those without an end, in the order in which they came."""

    async def change(self, rows: Sequence[ExemptSpan]) -> None:
        """Write rows, in place of those of the same addresses, reason and beginning. The oldest that are over go."""

    async def ended(self, span: Span) -> Sequence[ExemptSpan]:
        """Those that are over of any of these addresses, the newest end first, as far as they are kept."""


class ShadowLog(Protocol):
    """Since when sources are in shadow. Each call is one transaction. Raises LedgerError where the database cannot be used."""

    async def every(self) -> Sequence[Shadow]:
        """That of each source that has one."""

    async def change(self, come: Sequence[Shadow], go: Sequence[SourceId]) -> None:
        """Write some, in place of those of the same sources, and forget others."""
