"""What is kept on disk, each call in one transaction. The docstrings are contracts that tests check."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from banlistd.core.feeds.content import Ends, Pending
from banlistd.core.manual.ended_bans import EndedBan
from banlistd.core.ruleset.manual_allows import AllowKey, ManualAllow
from banlistd.core.ruleset.policy import Policy
from banlistd.model import (
    BanKey,
    ContentHash,
    ImportRun,
    ManualBan,
    Mark,
    Marker,
    PolicyHash,
    Poll,
    Protected,
    SourceId,
    Span,
    Validators,
)

if TYPE_CHECKING:
    # boot_restore needs none of them, and boot waits for its imports.
    from banlistd.core.config.kept import Files, Kept
    from banlistd.core.download.intervals import LastRequest
    from banlistd.core.feeds.found_list import Findings, PollEnd
    from banlistd.core.feeds.health.figures import SourceFigures
    from banlistd.core.feeds.health.overview import Oldest, Overview
    from banlistd.core.feeds.quarantine import Confirmed, PastContents, Quarantined, SourceHealth, SourceRecord
    from banlistd.core.feeds.value.over_time import ListSizes, Slots


class Ledger(Protocol):
    """`import_runs`, the snapshots that belong to them, and what is remembered of polling. Each call is one transaction.

    Raises LedgerError where the database cannot be used; then nothing of the call has happened.
    """

    async def marks_for(self, source_ids: Sequence[SourceId], standing: Sequence[Marker] = ()) -> Mapping[SourceId, Mark]:
        """The mark of each source; a new source gets a number that was never given away. `standing`: what the firewall has.

        Manual bans of a new scope get that of a scope that is neither among `source_ids` nor has a marker, if there is one: so
        all that have bans are named together.

        A ledger that knows no source at all was lost, or is new: it takes over the marks of the present markers. Where
        every source is known, nothing is written.
        """

    async def upsert_pending(self, pending: Pending, now: float) -> ImportRun:
        """Open a run for this content, or open it again: one row for a source and a content, whatever happens.

        The snapshot is stored in the same transaction. The row becomes the newest of its source.
        """

    async def mark_completed(
        self,
        run: ImportRun,
        *,
        added: int,
        removed: int,
        policy_hash: PolicyHash,
        now: float,
        validators: Validators | None,
        end: PollEnd | None = None,
    ) -> bool:
        """Close a pending run; False where another importer closed it first (a lost race).

        Validators are kept in the same transaction, so that no request names content that was not applied. So is `end`, what
        `Quarantine.confirm` and `FindingLog.keep` write of the poll, also in a lost race.
        Snapshots of this source that neither this run nor a newer one needs are deleted.
        """

    async def mark_failed(self, run: ImportRun, error: str, now: float) -> None:
        """Close a pending run as failed; the reason is for a person.

        The run of the content that was completed last is completed again, and the failure recorded beside it: content that
        could not be applied once more stays accepted.
        """

    async def record_failure(self, source_id: SourceId, error: str, policy_hash: PolicyHash, now: float) -> ImportRun:
        """A poll that failed before there was content to apply; the same failure again counts up `attempts`."""

    async def newest(self, source_id: SourceId) -> ImportRun | None:
        """The newest run that had content, in any state."""

    async def newest_runs(self) -> Mapping[SourceId, ImportRun]:
        """The same of every source, in one question."""

    async def accepted(self, source_id: SourceId) -> ImportRun | None:
        """The newest run that is pending or completed: the desired content of the source."""

    async def accepted_runs(self) -> Mapping[SourceId, ImportRun]:
        """The same of every source, in one question."""

    async def snapshot(self, source_id: SourceId, content_hash: ContentHash) -> bytes | None:
        """The encoded address set of one content, while it is kept: that of the last completed and any pending run."""

    async def added_history(self, source_id: SourceId) -> Sequence[tuple[float, bytes | None]]:
        """When completed contents came (seconds since the epoch) and what they brought, newest first; None: all of it."""

    async def history(self, source_id: SourceId | None, limit: int) -> Sequence[ImportRun]:
        """Runs, newest first."""

    async def poll(self, source_id: SourceId) -> Poll:
        """What is remembered of polling a source; a fresh `Poll` for one that was never polled."""

    async def polls(self, source_ids: Collection[SourceId] | None = None) -> Mapping[SourceId, Poll]:
        """The same of every source that was polled, or of those among some, in one question."""

    async def save_poll(self, poll: Poll) -> None:
        """Remember due time, failures and last error, in one transaction with the validators of content that is already
        applied (a list of which only the header changed). Without a content hash those are left as they are in the ledger.
        """


class Departures(Protocol):
    """What left the lists of which a combination asks for what they have listed within a time.

    Each call is one transaction. Raises LedgerError where the database cannot be used. `Ledger.upsert_pending` writes it.
    """

    async def between(self, source_id: SourceId, first: float, last: float) -> Sequence[tuple[float, bytes]]:
        """When something left the list of a source, from one moment to another (seconds since the epoch), and the encoded set
        of it, the oldest first.
        """


class SourceRecords(Protocol):
    """What the ledger and the quarantine have of a source. Raises LedgerError where the database cannot be used."""

    async def record(self, source_id: SourceId) -> SourceRecord:
        """All of it at one moment, in one question."""

    async def begin(self, poll: Poll, now: float) -> PastContents:
        """A body is about to be read: save its poll, as `Ledger.save_poll` does, and return `Quarantine.past`, in one turn."""

    async def overview(self, oldest: Oldest | None = None, under_way: Collection[SourceId] = ()) -> Overview:
        """What `status` needs to know of all sources, at one moment, in one question. `under_way`: without their polls.

        `oldest`: without the polls that did not fail, and without the health of sources whose list is newer in every way.
        """

    async def figures(self) -> SourceFigures:
        """What metrics say of all sources. Raises LedgerError."""

    async def sizes(self, slots: Slots) -> Sequence[ListSizes]:
        """The newest size of each list in each slot in which its content changed, and the newest one before the slots, as
        far as runs and versions are kept.
        """


class EndLog(Protocol):
    """Which entries of a content end when, of sources that have such. Each call is one transaction.

    Raises LedgerError where the database cannot be used. `Ledger.upsert_pending` writes it too.
    """

    async def ends(self, source_id: SourceId) -> tuple[ContentHash, bytes] | None:
        """The content that they are of, and the encoded `Lasting`; None: nothing of the list ends by itself."""

    async def over(self, now: float) -> Collection[SourceId]:
        """The sources of which something has ended at a moment (seconds since the epoch), in one question."""

    async def keep(self, source_id: SourceId, content_hash: ContentHash, ends: Ends) -> None:
        """Put these in place of those known."""


class RequestLog(Protocol):
    """When lists were last asked for. Each call is one transaction. Raises LedgerError where the database cannot be used."""

    async def every(self) -> Mapping[str, LastRequest]:
        """Of each place, in seconds since the epoch."""

    async def keep(self, place: str, last: LastRequest) -> None:
        """Remember it in place of what is known of the place; places of long ago are forgotten."""


class FindingLog(Protocol):
    """What reading each list showed. Each call is one transaction. Raises LedgerError where the database cannot be used."""

    async def every(self) -> Mapping[SourceId, Findings]:
        """Of each source whose list was read, in one question."""

    async def keep(self, source_id: SourceId, findings: Findings) -> None:
        """Remember them in place of those of the reading before; `moved_to` stays as it was."""

    async def moved_to(self, source_id: SourceId) -> str:
        """The address that the list has moved to; empty: none."""

    async def keep_moved_to(self, source_id: SourceId, moved_to: str) -> None:
        """Remember another one."""


class Quarantine(Protocol):
    """Refused content, at most one for each source, and the health of each source. Each call is one transaction.

    Raises LedgerError where the database cannot be used; then nothing of the call has happened.
    """

    async def quarantined(self, source_id: SourceId) -> Quarantined | None:
        """The refused content of a source."""

    async def hold_back(self, content: Quarantined) -> None:
        """Store refused content in place of the previous one of its source."""

    async def approve(self, source_id: SourceId, content_hash: ContentHash) -> bool:
        """Mark content as to be accepted in spite of the guards; False if other content has replaced it."""

    async def confirm(self, poll: Poll, now: float, good: Confirmed) -> None:
        """A good list has come, new or unchanged: its poll is saved, and the quarantine of its source emptied."""

    async def past(self, source_id: SourceId, now: float) -> PastContents:
        """What is remembered of the good lists of a source."""

    async def health(self, source_id: SourceId) -> SourceHealth | None:
        """None for a source that never had a good list."""

    async def clock_set_back(self, source_id: SourceId, now: float) -> None:
        """The clock was set back behind the last good list: its age counts from `now`."""

    async def mark_stale_announced(self, source_id: SourceId) -> None:
        """It was announced that the list is stale; `confirm` clears the mark."""

    async def mark_frozen_announced(self, source_id: SourceId) -> None:
        """It was announced that the list does not change; `confirm` with other content clears the mark."""


class ManualBans(Protocol):
    """Manual bans, a row each. Each call is one transaction. Raises LedgerError where the database cannot be used."""

    async def load(self) -> tuple[bool, Sequence[ManualBan]]:
        """Whether the table counts (not in one that is new, or was lost, until `begin`), and its rows, also those run out."""

    async def begin(self, bans: Sequence[ManualBan], now: float) -> None:
        """From now on the table counts; these are its first rows."""

    async def change(self, come: Sequence[ManualBan], go: Sequence[BanKey], ended: Sequence[EndedBan] = ()) -> None:
        """Write rows, in place of those with the same key, and delete others. `ended`: what is kept of those that are over."""

    async def ended(self, span: Span, since: float = 0.0, at: float | None = None) -> Sequence[EndedBan]:
        """The bans that are over of any of these addresses, the newest end first, as far as they are kept.

        Only those that ended `since` a moment or later, and, with `at`, that were in force at that moment (seconds since the
        epoch).
        """

    async def ended_early(self, before: float, now: float) -> Sequence[ManualBan]:
        """Those that ended by themselves and whose end is still to come, ordered before a moment: the clock was ahead."""


class ManualAllows(Protocol):
    """What is allowed by command, a row each. Each call is one transaction. Raises LedgerError."""

    async def load(self) -> Sequence[ManualAllow]:
        """All rows, also those whose time is over, in the order in which they came."""

    async def change(self, come: Sequence[ManualAllow], go: Sequence[AllowKey]) -> None:
        """Delete some rows, and write others, in place of those with the same key."""


class KeptConfigs(Protocol):
    """The files of the configuration in force, and of one that is tried. Each call is one transaction.

    Raises LedgerError where the database cannot be used; then nothing of the call has happened.
    """

    async def load(self) -> Kept:
        """What is written down."""

    async def put_in_force(self, files: Files, *, confirmed: bool) -> None:
        """These are in force. `confirmed`: what was tried or refused is forgotten."""

    async def begin_trial(self, files: Files) -> None:
        """These are about to be tried."""

    async def end_trial(self, *, refused: bool) -> None:
        """What was tried is refused, or forgotten."""


class BootSnapshots(Protocol):
    """What a restore at boot needs: the policy in force, and what was protected."""

    async def keep(self, policy_hash: PolicyHash, policy: Policy, protected: Sequence[Protected]) -> None:
        """Store it, unless the stored one has this hash, which is that of the markers. Raises LedgerError."""


class Backends(Protocol):
    """The backends that may have bans of banlistd, by name. Each call is one transaction. Raises LedgerError."""

    async def every(self) -> Sequence[str]:
        """All of them, sorted."""

    async def enter(self, name: str) -> None:
        """One more, from now on; where it is known, nothing is written."""

    async def leave(self, name: str) -> None:
        """The backend has no bans of banlistd any more."""


class Storage(Protocol):
    """The database file. While the disk does not accept it, the state continues in memory."""

    @property
    def fault(self) -> str:
        """The reason why the state is in memory; empty while it is on the disk."""

    @property
    def is_unread(self) -> bool:
        """Whether the file could not even be read at the start, so that nothing is known of what it has."""

    async def wait_for_fault(self) -> str:
        """Wait for a fault of the file and return its message: the state may be in memory since, or a new file was begun."""

    async def try_recover(self) -> bool:
        """Try to write the state back to the disk; True if it is there."""
