"""What this hub thinks of a list that another hub wants to publish. Pure.

A hub signs only what it has itself: each address of the list is in a content of its own source, which its own guards have
passed. So a thief with the key of one hub, and that hub itself where its feed is poisoned, get nothing signed that the feed of
the other hub does not have. And each address that all these contents have is in the list: a thief lifts no ban either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from banlistd.core.addresses.comparison import added_history, sample
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.fleet.publish_job import Proposal
from banlistd.core.printing import counted

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class WantedProposal:
    """A list that this hub may sign. `known`: contents that need not be fetched. `max_bytes`: of a file, and of the list."""

    name: str
    known: frozenset[str]
    max_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class AskedList:
    """A role that another hub asks to sign. `metadata`: its JSON. `content_hash`: of a list, computed here where there are
    `addresses`; else a content that is known here. Empty: of the role of the hubs, or of a list that could not be read, of
    which `fault` says why.
    """

    role: str
    version: int
    metadata: str = field(repr=False)
    content_hash: str = ""
    addresses: AddressSet | None = field(default=None, repr=False)
    fault: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class OtherHub:
    """What another hub shows. `fault`: why it could not be asked. `cosigned`: what it has signed of ours, foreign text;
    `refused`: what it does not, and why, by role and version. `asked`: what it wants signed.
    """

    url: str
    fault: str = ""
    cosigned: str = field(default="", repr=False)
    refused: Sequence[tuple[str, int, str]] = ()
    asked: Sequence[AskedList] = ()


@dataclass(frozen=True, slots=True)
class MissingSignature:
    """A role that waits. `ours`: whether this hub asks for it, or the other one at `hub`. `since`: seconds since the epoch."""

    role: str
    version: int
    hub: str
    ours: bool
    since: float
    reason: str


def reason_against(candidate: AddressSet, own: Sequence[AddressSet]) -> str:
    """Why a list is not signed; empty: it is. `own`: the newest content of the source, then those before."""
    if not own:
        return "this hub has no content of the list yet"
    rest = candidate
    for known in own:
        rest = added_history(rest, known)
        if not len(rest):
            break
    if len(rest):
        entries = counted(len(rest), "entry is", "entries are")
        return f"{entries} not in the list that this hub has: {_examples(rest)}"
    gone = added_history(own[0], candidate)
    for known in own[1:]:
        gone = added_history(gone, added_history(gone, known))
    if len(gone):
        entries = counted(len(gone), "entry", "entries")
        return f"{entries} of the list that this hub has would be missing: {_examples(gone)}"
    return ""


def _examples(addresses: AddressSet) -> str:
    return ", ".join(sample(addresses, _SHOWN)) + (", ..." if len(addresses) > _SHOWN else "")


def missing_of_ours(proposals: Sequence[tuple[str, Proposal]], others: Sequence[OtherHub]) -> list[MissingSignature]:
    """What this hub waits for, and what the other ones say about it."""
    found = []
    for role, asked in proposals:
        if not asked.lacking:
            continue
        hub, reason = _said(role, asked.version, others)
        found.append(MissingSignature(role, asked.version, hub, True, asked.since, reason))
    return found


def _said(role: str, version: int, others: Sequence[OtherHub]) -> tuple[str, str]:
    for other in others:
        for name, number, reason in other.refused:
            if (name, number) == (role, version):
                return other.url, reason
    for other in others:
        if other.fault:
            return other.url, other.fault
    return (others[0].url, "it has not signed it yet") if others else ("", "publish: cosigners names no other hub")
