"""A list that a hub publishes, as answers show it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.page import moment
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.core.fleet.roll_out.stops import RollOutState

_DIGITS = 16
"""Of a content hash, for a person."""


class PublishedListRow(TypedDict):
    """`content_hash`: of the version that is published, or is to be with the next timestamp, unless another hub has to sign it
    first; empty: none. `withdrawn`: versions in question that nodes which wait with one do not take any more. `stopped_since`:
    seconds since the epoch; null: it is not stopped. `node`: the canary that has stopped it; empty: an operator, `user`.
    `reason`: as they gave it.
    """

    id: str
    content_hash: str
    withdrawn: list[str]
    stopped_since: float | None
    node: str
    user: str
    reason: str


PUBLISHED_EXAMPLE: PublishedListRow = {
    "id": "spamhaus-drop",
    "content_hash": "c391eda6d691b32983580444fdbbd855917674984d2a31aa5c221ab0e638e825",
    "withdrawn": ["2349c6f3d7f26f151990daf85d37aa5ae72136572b17cfcc4b3f935d28d135fc"],
    "stopped_since": 1_790_000_000.0,
    "node": "web-1",
    "user": "",
    "reason": "wide: 10.0.0.0/8 is wider than a /12",
}


async def published_rows(parts: "Parts") -> list[PublishedListRow]:
    """Of each list that this machine publishes; none on one that is no hub. Raises LedgerError."""
    roll_out = parts.roll_out()
    if roll_out is None:
        return []
    from banlistd.core.fleet.roll_out.stops import UNTOUCHED

    states = await roll_out.states()
    # Before it is known what is published, a stop is seen all the same.
    stopped: dict[str, Sequence[str]] = {name: () for name, state in states.items() if state.stop}
    published = roll_out.published if roll_out.is_ready else stopped
    return [published_row(parts, name, known, states.get(name, UNTOUCHED)) for name, known in published.items()]


def published_row(parts: "Parts", name: str, known: Sequence[str], state: "RollOutState") -> PublishedListRow:
    stop, newest, roll_out = state.stop, known[0] if known else "", parts.roll_out()
    kept = (stop.kept if stop else "") or newest
    # What another hub has to sign first is not published yet.
    content_hash = newest if roll_out is not None and name in roll_out.proposals else kept
    by = stop.by if stop else None
    return {
        "id": name,
        "content_hash": content_hash,
        "withdrawn": sorted(one.content_hash for one in state.questioned if one.digits in state.bad - {kept[:_DIGITS]}),
        "stopped_since": stop.since if stop else None,
        "node": by.node if by else "",
        "user": "" if by is None or by.uid is None else parts.user_name(by.uid),
        "reason": "" if by is None else f"{by.guard}: {by.reason}" if by.guard else by.reason,
    }


def stop_words(row: PublishedListRow) -> str:
    """`stopped since 2026-01-01 12:00:00 by the canary web-1: wide: ...`."""
    if row["stopped_since"] is None:
        return "published as it comes"
    who = f"the canary {printable(row['node'])}" if row["node"] else printable(row["user"]) or "an operator"
    reason = f": {printable(row['reason'])}" if row["reason"] else ""
    return f"stopped since {moment(row['stopped_since'])} by {who}{reason}"


def short_version(content_hash: str) -> str:
    """The first digits of a version."""
    return printable(content_hash[:_DIGITS])


def withdrawn_words(row: PublishedListRow) -> str:
    """Which versions are withdrawn, if any are."""
    return ", ".join(map(short_version, row["withdrawn"]))
