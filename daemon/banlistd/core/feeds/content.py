"""One content of one source, as it belongs in the firewall."""

from dataclasses import dataclass, field
from typing import NamedTuple

from banlistd.core.addresses.canonical import hash_of
from banlistd.core.addresses.comparison import added_history
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.versions.version import HistoryBounds, Step, step_back
from banlistd.model import ContentHash, PolicyHash, SourceId

NOT_ENDED = "the last attempt to read this list did not end"
"""The error of a poll from before its list is read until it has ended."""


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """The desired content of one source. `adopted`: recovered from the firewall because the snapshot is missing."""

    source_id: SourceId
    content_hash: ContentHash
    addresses: AddressSet = field(repr=False)
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Ends:
    """When the entries of a content end. `body`: the encoded `Lasting`; empty: nothing of it ends by itself. `first`: when the
    first one does, in seconds since the epoch.
    """

    body: bytes = field(default=b"", repr=False)
    first: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """What is known of a content when its import begins. `snapshot`: the encoded address set.

    `added_history`: the encoded set of the addresses that the content before did not have; None if there was none, or the same.
    `departed`: of those that only the content before had. `remembered`: seconds for which a combination asks for those; 0: none
    does. `ends`: when its entries end; None: as it is known. `step`: back to the content before; None: no history is kept.
    """

    source_id: SourceId
    content_hash: ContentHash
    policy_hash: PolicyHash
    entries: int
    rejected: int
    snapshot: bytes = field(repr=False)
    added_history: bytes | None = field(default=None, repr=False)
    departed: bytes | None = field(default=None, repr=False)
    remembered: float = 0.0
    ends: Ends | None = None
    step: Step | None = None


def content_of(source_id: SourceId, content_hash: ContentHash, snapshot: bytes) -> Content | None:
    """The content of a snapshot; None where that is damaged, which is as good as absent: the list is fetched again."""
    if hash_of(snapshot) != content_hash:
        return None
    return Content(source_id, content_hash, AddressSet.decode(snapshot))


class StoredForm(NamedTuple):
    """As in `Pending`."""

    snapshot: bytes
    added_history: bytes | None = None
    departed: bytes | None = None
    step: Step | None = None


def stored_form(
    addresses: AddressSet,
    content_hash: ContentHash,
    before: Content | None,
    added: AddressSet | None,
    *,
    departs: bool,
    history: HistoryBounds | None = None,
) -> StoredForm:
    """The snapshot of a content; what it has and the one before had not: None where there was none, or the same; what only
    the one before had: None where that is nothing, or need not be known (`departs`); and the step back to the one before.

    `added`: the second, where it is known already: to look for it takes 50 ms in a list of a million (measured).
    """
    whole = before if before is not None and not before.adopted else None
    old, known = (whole.addresses, whole.content_hash) if whole else (None, None)
    step = step_back(known, old, addresses, history) if history else None
    if before is None or before.content_hash == content_hash:
        return StoredForm(addresses.encode(), step=step)
    departed = added_history(before.addresses, addresses) if departs else None
    new = (added_history(addresses, before.addresses) if added is None else added).encode()
    return StoredForm(addresses.encode(), new, departed.encode() if departed else None, step)
