"""Everything about one source, for `banlistctl sources ID`: what the row of a table has no room for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from banlistd.control.commands.history import RunRow, run_row
from banlistd.control.commands.past.rows import VersionRow, version_row
from banlistd.control.commands.suspending.rows import SuspensionRow, suspension_rows, suspension_words, way_out
from banlistd.control.page import Page, moment, number, second, since
from banlistd.core.printing import counted, printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.core.addresses.sets import AddressSet
    from banlistd.core.config.model import Source
    from banlistd.model import SourceId

_RUNS, _CUTS, _HITS = 5, 5, 3


class SettingRow(TypedDict):
    """A value of the configuration in force, without secrets. `key`: as `guards.shrink` for one of a section. `origin`: where
    it is written: FILE:LINE; `defaults, FILE:LINE`; `catalogue NAME`; or `built in`.
    """

    key: str
    value: str
    origin: str


class CutRow(TypedDict):
    """Addresses on the list that are not banned, wholly or in part, and why."""

    addresses: str
    reason: str


class MetRow(TypedDict):
    """A connection that met an entry of the list."""

    address: str
    peer: str
    samples: int
    last_at: float


class SourceDetails(TypedDict):
    """`mark`: of its elements in the firewall; null: it has none there. `content_hash`: of the content in force. `octets`: of
    the list when it was read last; null: not known. `good_at`, `changed_at`: when its list was last good, and last new.

    `runs`: the newest. `versions`: how many contents are kept; `oldest`: the first of them. `cut`: what of it is allowed or
    protected, `cuts`: how many ranges, of which `cut` has the first. `hits`: how many are kept; `met`: the newest.
    """

    settings: list[SettingRow]
    mark: int | None
    content_hash: str | None
    octets: int | None
    good_at: float | None
    changed_at: float | None
    runs: list[RunRow]
    versions: int
    oldest: VersionRow | None
    suspensions: list[SuspensionRow]
    cuts: int
    cut: list[CutRow]
    hits: int
    met: list[MetRow]


async def details_of(parts: "Parts", source: "Source", octets: int) -> SourceDetails:
    """Raises LedgerError."""
    import asyncio

    from banlistd.adapters.system.config_file import load_catalogue
    from banlistd.core.config.reading.origins import settings_of

    entry = load_catalogue().get(source.use) if source.use else None
    content = parts.enforcer.content(source.id)
    owner = next((one for one in parts.enforcer.policy.sources if one.source_id == source.id), None)
    health, versions = await parts.quarantine.health(source.id), await parts.history.versions(source.id)
    settings = await asyncio.to_thread(settings_of, source, parts.service.config.defaults, entry, parts.files())
    cuts, cut = await asyncio.to_thread(_cut, parts, source.id, content.addresses) if content else (0, [])
    hits, met = await _met(parts, source.id)
    return {
        "settings": [{"key": one.key, "value": one.value, "origin": one.origin} for one in settings],
        "mark": owner.mark if owner else None,
        "content_hash": content.content_hash if content else None,
        "octets": octets or None,
        "good_at": health.good_at if health else None,
        "changed_at": health.changed_at if health else None,
        "runs": [run_row(run) for run in await parts.ledger.history(source.id, _RUNS)],
        "versions": len(versions),
        "oldest": version_row(versions[-1]) if versions else None,
        "suspensions": await suspension_rows(parts, parts.suspended.of(source.id)),
        "cuts": cuts,
        "cut": cut,
        "hits": hits,
        "met": met,
    }


def _cut(parts: "Parts", source_id: "SourceId", addresses: "AddressSet") -> tuple[int, list[CutRow]]:
    """What the allowlist takes out of a content, and what is protected."""
    from banlistd.core.addresses.sets import FAMILIES, intersection
    from banlistd.core.addresses.text import range_text, span_text

    allowed, rows, total = parts.enforcer.effective_policy.allowed, list[CutRow](), 0
    for family in FAMILIES:
        both = intersection(addresses.ranges(family), allowed[family])
        total += len(both)
        first = list(zip(both.first, both.last, strict=True))[:_CUTS]
        rows += [{"addresses": range_text(family, *ends), "reason": "allowed"} for ends in first]
    hits = [hit for hit in parts.enforcer.hits if source_id in hit.sources]
    rows += [{"addresses": span_text(hit.protected.span), "reason": f"protected: {hit.protected.reason}"} for hit in hits]
    return total + len(hits), rows[:_CUTS]


async def _met(parts: "Parts", source_id: "SourceId") -> tuple[int, list[MetRow]]:
    from banlistd.core.addresses.sets import from_numbers, to_text
    from banlistd.core.ruleset.evidence.hits import HitChoice

    count = (await parts.evidence.hits.counts()).get(source_id)
    found = await parts.evidence.hits.newest_first(HitChoice(source_id=source_id), _HITS) if count else ()
    rows: list[MetRow] = []
    for hit in found:
        meeting = hit.meeting
        address, peer = (to_text(meeting.family, one) for one in from_numbers(meeting.family, [meeting.address, meeting.peer]))
        rows.append({"address": address, "peer": peer, "samples": hit.samples, "last_at": hit.last_at})
    return count.hits if count else 0, rows


def details_page(row: Any, now: float) -> Page:
    """`row`: a SourceRow with details."""
    details: SourceDetails = row["details"]
    return [
        "",
        "configuration in force:",
        *_settings(details["settings"]),
        "",
        *_identity(details, now),
        *(f"  {printable(suspension_words(one))} ({way_out(one)})" for one in details["suspensions"]),
        *_runs(details["runs"]),
        *_cuts(details),
        *_hits(details, now),
    ]


def _settings(rows: Sequence[SettingRow]) -> list[str]:
    written = [row for row in rows if row["origin"] != _BUILT_IN]
    rest = ", ".join(f"{printable(row['key'])} {printable(row['value'])}" for row in rows if row["origin"] == _BUILT_IN)
    width = max((len(row["key"]) for row in written), default=0)
    lines = [f"  {printable(row['key']):{width}}  {printable(row['value'])}  ({printable(row['origin'])})" for row in written]
    return [*lines, *([f"  {_BUILT_IN}: {rest}"] if rest else [])]


# As in core/config/reading/origins, which the tool need not import.
_BUILT_IN = "built in"


def _identity(details: SourceDetails, now: float) -> list[str]:
    known = (
        f"content {printable(details['content_hash'])[:12]}" if details["content_hash"] else "no content in force",
        f"size in octets: {number(details['octets'])}" if details["octets"] else "",
        f"mark {details['mark']} in the firewall" if details["mark"] is not None else "",
        f"last good {since(details['good_at'], now)}" if details["good_at"] is not None else "",
        f"last new {since(details['changed_at'], now)}" if details["changed_at"] is not None else "",
    )
    oldest = details["oldest"]
    kept = f"{counted(details['versions'], 'version is', 'versions are')} kept"
    kept += f", the oldest of {moment(oldest['came_at'])}: banlistctl versions" if oldest else ""
    return [", ".join(filter(None, known)), kept]


def _runs(rows: Sequence[RunRow]) -> list[str]:
    lines = [
        f"  run {printable(row['id'])}  {second(row['started_at'])}  {'refused' if row['guard'] else printable(row['state'])},"
        f" {counted(row['entries'], 'entry', 'entries')}, {number(row['added'])} added, {number(row['removed'])} removed"
        + (f": {printable(row['error'])}" if row["error"] else "")
        for row in rows
    ]
    return ["last runs:", *lines] if lines else ["nothing has been imported yet"]


def _cuts(details: SourceDetails) -> list[str]:
    if not details["cuts"]:
        return []
    lines = [f"  {printable(row['addresses'])} ({printable(row['reason'])})" for row in details["cut"]]
    more = details["cuts"] - len(lines)
    total = counted(details["cuts"], "range", "ranges")
    return [
        f"{total} on the list not banned, wholly or in part:",
        *lines,
        *([f"  and {number(more)} more"] if more > 0 else []),
    ]


def _hits(details: SourceDetails, now: float) -> list[str]:
    if not details["hits"]:
        return []
    lines = [
        f"  {printable(row['address'])} met {printable(row['peer'])}, {counted(row['samples'], 'sample', 'samples')},"
        f" {since(row['last_at'], now)}"
        for row in details["met"]
    ]
    return [f"{counted(details['hits'], 'connection', 'connections')} met it, the newest:", *lines]
