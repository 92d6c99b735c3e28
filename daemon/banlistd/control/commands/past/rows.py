"""Versions of a list as answers show them, and how an order names one."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.page import moment
from banlistd.core.printing import printable
from banlistd.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from banlistd.control.parts import Parts
    from banlistd.core.addresses.sets import AddressSet
    from banlistd.core.feeds.versions.version import Version
    from banlistd.model import SourceId


class VersionRow(TypedDict):
    """A content that the firewall had of a source. `run`: the import run that brought it. `left_at` null: it is in force."""

    run: int
    content_hash: str
    entries: int
    came_at: float
    left_at: float | None


VERSION_EXAMPLE: VersionRow = {
    "run": 7,
    "content_hash": "0123456789abcdef" * 4,
    "entries": 1_650,
    "came_at": 1_790_000_000.0,
    "left_at": None,
}


def version_row(version: "Version") -> VersionRow:
    return {
        "run": version.run_id,
        "content_hash": version.content_hash,
        "entries": version.entries,
        "came_at": version.came_at,
        "left_at": version.left_at,
    }


def version_words(row: VersionRow) -> str:
    """`run 7 of 2026-11-29 10:00`."""
    return f"run {printable(row['run'])} of {moment(row['came_at'])}"


def version_of(versions: "Sequence[Version]", source_id: "SourceId", point: float) -> "Version":
    """The newest version that a run brought, or the one that was in force at a moment. Raises UsageError."""
    from banlistd.core.feeds.versions.version import version_at

    hint = f"those that are kept: banlistctl versions {source_id}"
    if isinstance(point, int):
        found = next((version for version in versions if version.run_id == point), None)
        words = f"no version that run {point} brought is kept"
    else:
        found = version_at(versions, point)
        words = "no version of that moment is kept"
    if found is None:
        raise UsageError(f"{source_id}: {words}", hint)
    return found


async def content_of_version(parts: "Parts", version: "Version") -> "AddressSet":
    """Raises UsageError where it cannot be put together any more."""
    content = await parts.history.content(version)
    if content is None:
        words = f"the content of run {version.run_id} cannot be put together any more"
        raise UsageError(f"{version.source_id}: {words}", f"those that are kept: banlistctl versions {version.source_id}")
    return content
