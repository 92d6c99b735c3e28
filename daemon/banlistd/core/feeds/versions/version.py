"""The last contents of a list: what is known of each, and what leads from one to the one before. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.versions.deltas import VersionDelta, delta_between
from banlistd.model import ContentHash, SourceId

MOST_VERSIONS = 5000
"""Of one list: for a poll each minute three and a half days. To look through so many takes an import 11 ms (measured)."""


@dataclass(frozen=True, slots=True)
class HistoryBounds:
    """How long versions are kept after they were replaced, in seconds, and how many octets all of one list may take."""

    seconds: float
    octets: int


@dataclass(frozen=True, slots=True)
class Step:
    """What leads back from a new content to the one before. `before`: its hash; None: there was none. `delta`: as
    `VersionDelta.written` has it; empty where it is larger than all that may be kept.
    """

    before: ContentHash | None
    bounds: HistoryBounds
    delta: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Version:
    """A content that the firewall had of a source, and the import run that brought it. Times are seconds since the epoch.

    `left_at` None: it is in force. Each time that a content comes back is a version of its own.
    """

    id: int
    source_id: SourceId
    run_id: int
    content_hash: ContentHash
    entries: int
    came_at: float
    left_at: float | None


def step_back(before: ContentHash | None, old: AddressSet | None, new: AddressSet, bounds: HistoryBounds) -> Step:
    """For content that follows another one. Costs some milliseconds for each million entries."""
    if before is None or old is None:
        return Step(None, bounds)
    delta = delta_between(old, new)
    # What is compressed is a third of it at best: so much work would be for nothing.
    written = delta.written() if delta.octets <= 4 * bounds.octets else b""
    return Step(before, bounds, written if len(written) <= bounds.octets else b"")


def older_contents(newest: AddressSet, deltas: Sequence[bytes | None]) -> Iterator[AddressSet]:
    """The contents before the newest one, newest first, as far as the deltas (of the newest version first) lead.

    Raises ValueError for a damaged delta.
    """
    content = newest
    for delta in deltas:
        if delta is None:
            return
        content = VersionDelta.read(delta).other(content)
        yield content


def version_at(versions: Sequence[Version], moment: float) -> Version | None:
    """The version that was in force at a moment; None: before the first one that is known. `versions`: newest first."""
    return next((one for one in versions if one.came_at <= moment), None)
