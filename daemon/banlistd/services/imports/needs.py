"""What an import asks of other services."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from banlistd.core.config.model import Source
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.found_list import Findings
from banlistd.core.feeds.quarantine import Confirmed, PastContents
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.policy import Policy
from banlistd.model import ContentHash, Marker, Outcome, PolicyHash, Poll, SourceId, Validators
from banlistd.ports import EndLog, Ledger, Quarantine, SourceRecords


@dataclass(frozen=True, slots=True)
class Stores:
    """Where an import reads and writes what is remembered of its source."""

    records: SourceRecords
    ledger: Ledger
    quarantine: Quarantine
    ends: EndLog


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What the end of a poll saves with it. `validators`, and their content: those that no import run has saved. `confirmed`:
    what is remembered of a content that is in force. `saved`: the poll, where it was written with its run, and all of this.
    """

    validators: tuple[Validators, ContentHash] | None = None
    confirmed: Confirmed | None = None
    saved: Poll | None = None


class ListEnforcer(Protocol):
    """What an import asks of the `Enforcer`."""

    @property
    def policy_hash(self) -> PolicyHash:
        """What the markers of the present plan carry."""

    @property
    def policy(self) -> Policy:
        """The policy in force."""

    @property
    def effective_policy(self) -> Policy:
        """The policy in force, with what the allow lists name at this moment."""

    def holds(self, source_id: SourceId, content_hash: ContentHash) -> bool:
        """Whether this content is stored, so that it can be put back without a download."""

    def content(self, source_id: SourceId) -> Content | None:
        """What a source holds in the firewall."""

    async def marker(self, source_id: SourceId) -> Marker | None:
        """The applied-state marker of one source. Raises FirewallError."""

    async def enforce_all(self, contents: Sequence[Content]) -> Change:
        """Apply new contents, one of each source, in one transaction; returns the change. Raises FirewallError."""


class PollMemory(Protocol):
    """What an import asks of the `PollRecord`."""

    def during(self, source_id: SourceId) -> AbstractContextManager[None]:
        """A poll of the source is under way as long as the block lasts."""

    async def begin_attempt(self, source: Source, before: Poll) -> PastContents | None:
        """A body is about to be parsed: save the poll as failed, once more than `before`, in case the process does not
        survive it. Returns what is remembered of the good lists; None where there is no ledger now.
        """

    async def note_findings(self, source_id: SourceId, findings: Findings) -> None:
        """Save what reading a list showed."""

    def good(self, source: Source, ttl: float | None) -> Poll:
        """A poll that has ended well now. `ttl`: as in `Download`."""

    async def remember(self, source: Source, outcome: Outcome, retry_after: float | None, unsaved: Unsaved) -> Outcome:
        """Save the poll; returns the outcome with its delay in seconds."""
