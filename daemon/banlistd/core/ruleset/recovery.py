"""What to do with a source's newest content, from the ledger's state and the firewall's marker. The table is the law."""

from collections.abc import Mapping, Sequence
from operator import attrgetter, is_

from banlistd.model import ContentHash, Decision, ImportRun, Marker, PolicyHash, RunState

# (state of the newest run, does the firewall's marker name the same content under the same policy?) -> decision.
# "completed" in the past is no reason to skip: a reboot or a flush empties the firewall and leaves the ledger as it was.
DECISIONS: Mapping[tuple[RunState | None, bool], Decision] = {
    (RunState.COMPLETED, True): Decision.SKIP,
    (RunState.COMPLETED, False): Decision.REAPPLY,
    (RunState.PENDING, True): Decision.FINISH,  # the crash came after the firewall's commit: ban nothing again
    (RunState.PENDING, False): Decision.IMPORT,
    (RunState.FAILED, True): Decision.IMPORT,
    (RunState.FAILED, False): Decision.IMPORT,
    (None, True): Decision.IMPORT,
    (None, False): Decision.IMPORT,
}


def decide(newest: ImportRun | None, content_hash: ContentHash, marker: Marker | None, policy_hash: PolicyHash) -> Decision:
    """The decision for content `content_hash` of a source whose newest run is `newest` and whose marker is `marker`."""
    state = newest.state if newest is not None and newest.content_hash == content_hash else None
    return DECISIONS[state, is_held(marker, content_hash, policy_hash)]


def is_held(marker: Marker | None, content_hash: ContentHash, policy_hash: PolicyHash) -> bool:
    return marker is not None and marker.content_hash == content_hash and marker.policy_hash == policy_hash


def same_markers(one: Sequence[Marker], other: Sequence[Marker]) -> bool:
    """Whether both have the same, in any order. Of thousands, mostly the very same objects, no hash is made."""
    if len(one) == len(other) and all(map(is_, sorted(one, key=_BY_MARK), sorted(other, key=_BY_MARK))):
        return True
    return set(one) == set(other)


_BY_MARK = attrgetter("mark")
