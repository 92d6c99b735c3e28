"""Which versions of a list a node refuses: what its guards, its firewall or its operator do not take. Pure."""

from collections.abc import Sequence
from itertools import takewhile

from banlistd.core.feeds.quarantine import Quarantined
from banlistd.core.feeds.versions.suspension import Suspension, SuspensionKind
from banlistd.core.feeds.versions.version import Version
from banlistd.core.fleet.roll_out.refusals import RefusedVersion
from banlistd.model import ImportRun, RunState

_WAITS = "hold"
"""The guard of a version that only waits for its time."""

FEWEST_ATTEMPTS = 2
"""A firewall that was busy once takes the version the next time."""


def refused_versions(
    name: str,
    quarantined: Quarantined | None,
    newest: ImportRun | None,
    suspensions: Sequence[Suspension],
    versions: Sequence[Version],
    base: str = "",
) -> tuple[RefusedVersion, ...]:
    """Of the list `name`, by the state of the source that takes it. `versions`: what the firewall had. `base`: what it has."""
    found = []
    if quarantined is not None and quarantined.guard != _WAITS and not quarantined.approved:
        found.append(RefusedVersion(name, quarantined.content_hash, quarantined.guard, quarantined.reason, base))
    if newest is not None and newest.state is RunState.FAILED and newest.content_hash and newest.attempts >= FEWEST_ATTEMPTS:
        found.append(RefusedVersion(name, newest.content_hash, "health", newest.error, base))
    for pin in suspensions:
        if pin.kind is SuspensionKind.PINNED:
            reason = f"an operator has pinned the content of run {pin.run_id}"
            found += [RefusedVersion(name, one, "operator", reason, base) for one in _passed_over(pin, versions)]
    return tuple(found)


def _passed_over(pin: Suspension, versions: Sequence[Version]) -> Sequence[str]:
    """What had come after the content that an operator has gone back to; none where that was in force, or is not known.

    By the order in which versions came, since a clock may have been set back meanwhile.
    """
    rows = sorted(versions, key=lambda one: one.id, reverse=True)
    if rows and rows[0].content_hash == pin.content_hash:
        if rows[0].came_at < pin.since:
            return ()
        rows = rows[1:]  # it came back by the pin
    if all(one.content_hash != pin.content_hash for one in rows):
        return ()
    return sorted({one.content_hash for one in takewhile(lambda one: one.content_hash != pin.content_hash, rows)})
