"""Which versions of a list a node refuses: what its guards, its firewall or its operator do not take. Pure."""

from collections.abc import Sequence

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
) -> tuple[RefusedVersion, ...]:
    """Of the list `name`, by the state of the source that takes it. `versions`: what the firewall had."""
    found = []
    if quarantined is not None and quarantined.guard != _WAITS and not quarantined.approved:
        found.append(RefusedVersion(name, quarantined.content_hash, quarantined.guard, quarantined.reason))
    if newest is not None and newest.state is RunState.FAILED and newest.content_hash and newest.attempts >= FEWEST_ATTEMPTS:
        found.append(RefusedVersion(name, newest.content_hash, "health", newest.error))
    for pin in suspensions:
        if pin.kind is SuspensionKind.PINNED:
            reason = f"an operator has pinned the content of run {pin.run_id}"
            found += [RefusedVersion(name, one, "operator", reason) for one in _passed_over(pin, versions)]
    return tuple(found)


def _passed_over(pin: Suspension, versions: Sequence[Version]) -> Sequence[str]:
    """What had come after the content that an operator has gone back to; none where that was in force."""
    before = [one for one in versions if one.came_at <= pin.since]
    came = max((one.came_at for one in before if one.content_hash == pin.content_hash), default=pin.since)
    return sorted({one.content_hash for one in before if one.came_at > came and one.content_hash != pin.content_hash})
