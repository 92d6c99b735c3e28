"""banlistctl fleet hold and release: stop a list for the fleet, and publish it again. On a hub."""

from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.commands.fleet.rows import (
    PUBLISHED_EXAMPLE,
    PublishedListRow,
    published_row,
    short_version,
    stop_words,
    withdrawn_words,
)
from banlistd.control.declaration import NOT_FOUND, Argument, Command, Completes, PageContext
from banlistd.control.page import Page
from banlistd.core.printing import printable
from banlistd.errors import LedgerError, NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.services.publishing.roll_out import RollOut

_LONGEST_REASON = 200
_MOST_VERSIONS = 16
_LIST = Argument("list", "LIST", "the list, by the id of its source here", completes=Completes.SOURCES)


class StopOrder(NamedTuple):
    """`versions`: what is withdrawn, by its first digits; None: the newest. `uid`: the user who asks."""

    name: str
    versions: tuple[str, ...] | None
    reason: str
    uid: int | None


class ReleaseOrder(NamedTuple):
    """`uid`: the user who asks. `version`: first digits of what is published although it is in question; empty: nothing is."""

    name: str
    uid: int | None
    version: str = ""


class ReleasedRow(TypedDict):
    """`released`: whether it was stopped. `content_hash`: its newest completed content, which is published; empty: none."""

    id: str
    released: bool
    content_hash: str


def _read_hold(request: "ControlRequest") -> StopOrder:
    """Raises UsageError."""
    reason, versions = request.fields.get("reason", ""), request.fields.get("version")
    if not isinstance(reason, str) or len(reason) > _LONGEST_REASON:
        raise UsageError(f"the reason is longer than {_LONGEST_REASON} characters, or no text")
    if versions is not None and (
        not isinstance(versions, list) or len(versions) > _MOST_VERSIONS or not all(isinstance(one, str) for one in versions)
    ):
        raise UsageError(f"'version' is no list of {_MOST_VERSIONS} versions at most")
    if request.fields.get("keep") is True:
        if versions:
            raise UsageError("--keep withdraws nothing, and --version does", "give one of them")
        versions = []
    return StopOrder(_name(request), None if versions is None else tuple(map(str, versions)), reason, request.uid)


def _name(request: "ControlRequest") -> str:
    name = request.fields.get("list")
    if not isinstance(name, str):
        raise UsageError("no list is named", "banlistctl fleet lists them")
    return name


def _read_release(request: "ControlRequest") -> ReleaseOrder:
    """Raises UsageError."""
    version = request.fields.get("version", "")
    if not isinstance(version, str):
        raise UsageError("'version' is no text", "name one, by its first digits")
    return ReleaseOrder(_name(request), request.uid, version)


def _roll_out(parts: "Parts") -> "RollOut":
    if (found := parts.roll_out()) is None:
        raise UsageError("this machine publishes nothing for a fleet", "give the order on the hub")
    return found


async def _hold(parts: "Parts", order: StopOrder) -> PublishedListRow:
    from banlistd.core.fleet.roll_out.stops import Questioner

    roll_out = _roll_out(parts)
    state = await roll_out.stop(order.name, order.versions, Questioner(uid=order.uid, reason=order.reason))
    return published_row(parts, order.name, roll_out.published[order.name], state)


def _hold_page(row: PublishedListRow, _: PageContext) -> Page:
    name, version = printable(row["id"]), short_version(row["content_hash"])
    lines = [f"{name} is {stop_words(row)}"]
    lines.append(f"  published meanwhile: version {version}" if version else "  nothing of it is published yet")
    if row["withdrawn"]:
        lines.append(f"  withdrawn: {withdrawn_words(row)}")
    return [*lines, f"  until: banlistctl fleet release {name}"]


async def _release(parts: "Parts", order: ReleaseOrder) -> ReleasedRow:
    from banlistd.model import SourceId

    content = parts.enforcer.content(SourceId(order.name))
    content_hash = content.content_hash if content is not None and not content.adopted else ""
    released = await _roll_out(parts).release(order.name, content_hash, order.uid, order.version)
    return {"id": order.name, "released": released, "content_hash": content_hash}


def _release_page(row: ReleasedRow, _: PageContext) -> Page:
    name = printable(row["id"])
    if not row["released"]:
        return [f"{name} is not stopped"]
    version = f"version {short_version(row['content_hash'])}" if row["content_hash"] else "what is completed next"
    return [f"{name} is published again: {version}"]


FLEET_HOLD: "Command[StopOrder, PublishedListRow]" = Command(
    name="fleet hold",
    help="on a hub: publish nothing newer of a list, and withdraw the version that is in question",
    details="The next timestamp gives the last version that is not in question: nodes with `hold: 0s` go back to it, and nodes"
    " that wait with a withdrawn version never take it. It survives a restart; `banlistctl status` and `banlistctl fleet` show"
    " it. The hub itself keeps what it has imported (`banlistctl rollback`). A canary (`nodes admit --canary`) that refuses a"
    " version gives the same order.",
    method="POST",
    example=PUBLISHED_EXAMPLE,
    arguments=(
        _LIST,
        Argument("--version", "HASH", "withdraw these versions, by their first digits, and not the newest one", nargs="+"),
        Argument("--keep", "", "withdraw nothing: only publish nothing newer", is_flag=True),
        Argument("--reason", "TEXT", "why, for those who ask later"),
    ),
    read=_read_hold,
    answer=_hold,
    page=_hold_page,
    errors=(UsageError, NoSuchSourceError, LedgerError),
)

FLEET_RELEASE: "Command[ReleaseOrder, ReleasedRow]" = Command(
    name="fleet release",
    help="on a hub: publish a list again that was stopped, with its newest completed content",
    details="Where that content is in question itself (the list was not corrected, or its correction was refused), the command"
    " says so and publishes nothing: name its version to publish it all the same. It counts as good from then on, and no canary"
    " stops it again. Other versions that were withdrawn stay so.",
    method="POST",
    example={"id": "spamhaus-drop", "released": True, "content_hash": PUBLISHED_EXAMPLE["content_hash"]},
    arguments=(_LIST, Argument("--version", "HASH", "publish this version although it is in question, by its first digits")),
    read=_read_release,
    answer=_release,
    page=_release_page,
    exits={NOT_FOUND: "it was not stopped"},
    errors=(UsageError, NoSuchSourceError, LedgerError),
    judge=lambda row: 0 if row["released"] else NOT_FOUND,
)
