"""An entry of the allowlist as an answer shows it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

from banlistd.control.page import moment
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.core.addresses.sets import Ranges
    from banlistd.core.config.model import Source
    from banlistd.core.config.sections.allow import AllowEntry
    from banlistd.core.feeds.content import Content
    from banlistd.core.feeds.health.overview import Overview
    from banlistd.core.ruleset.manual_allows import ManualAllow
    from banlistd.model import Span

CONFIGURATION, COMMAND, LIST = "configuration", "command", "list"

_MOST_SHOWN = 64
"""Addresses of a name in the configuration: as many as it may have. A list of several names may have more."""


class AllowedRow(TypedDict):
    """`address`: an address, a network, or both ends of a range; of a whole list how many entries it has. `origin`:
    `configuration`, `command` or `list`. `user`: who ordered it; empty where that is not known. `use`: the list, or the
    reference of the catalogue, that it is from, or empty. `since`, `until`: seconds since the epoch; null: not known, and
    for ever. Of host names alone: `addresses`, what they are now, 64 at most; `answered_at`: when name servers, or the host,
    gave them last, null: not since the start; `asked_at`: when they are asked again, null: at once.
    """

    address: str
    origin: str
    user: str
    use: str
    comment: str
    since: float | None
    until: float | None
    addresses: NotRequired[list[str]]
    answered_at: NotRequired[float | None]
    asked_at: NotRequired[float | None]


async def allowed_rows(parts: "Parts", span: "Span | None" = None) -> list[AllowedRow]:
    """The entries in force, by command first, then those of the configuration and the lists; `span`: only those that it is
    wholly in.
    """
    import asyncio

    now = parts.clock.now()
    by_command = [entry for entry in parts.allowlist.entries if span is None or entry.contains(span)]
    configured = [entry for entry in parts.service.config.allow if entry.in_force(now) and (span is None or _has(entry, span))]
    rows = await asyncio.to_thread(command_rows, by_command, parts.user_name, parts.allowlist.name_times)
    return [*rows, *(_configured(entry) for entry in configured), *await _lists(parts, span)]


async def _lists(parts: "Parts", span: "Span | None") -> list[AllowedRow]:
    """A row for each allow list with a content, or for the entry of it that has `span`; for one of host names at any time."""
    from banlistd.control.lookups import entry_of
    from banlistd.core.addresses.sets import from_numbers
    from banlistd.core.printing import counted

    sources = {source.id: source for source in parts.service.config.sources}
    named = [name for name in parts.enforcer.policy.allowing if name in sources and sources[name].names]
    overview = await parts.overview() if named and span is None else None
    rows: list[AllowedRow] = []
    for name in parts.enforcer.policy.allowing:
        content, source = parts.enforcer.content(name), sources.get(name)
        if overview is not None and source is not None and source.names:
            rows.append(_of_names(parts, source, content, overview))
            continue
        if content is None:
            continue
        words = counted(len(content.addresses), "entry", "entries")
        if span is not None:
            family, first, last = span
            words = entry_of(content.addresses, family, from_numbers(family, [first]))
            words = words if first == last or _covers(content.addresses.ranges(family), first, last) else ""
        if words:
            rows.append(_row(words, LIST, name, source.comment if source else ""))
    return rows


def _of_names(parts: "Parts", source: "Source", content: "Content | None", overview: "Overview") -> AllowedRow:
    from banlistd.core.addresses.comparison import sample

    poll, health = overview.polls.get(source.id), overview.healths.get(source.id)
    return {
        **_row(", ".join(source.names), LIST, source.id, source.comment),
        "addresses": [*sample(content.addresses, _MOST_SHOWN)] if content is not None else [],
        "answered_at": health.good_at if health is not None else None,
        "asked_at": parts.poll_record.due_at(source, poll) or None if poll is not None else None,
    }


def _covers(ranges: "Ranges", first: int, last: int) -> bool:
    from banlistd.core.addresses.sets import Ranges, from_numbers, subtract

    ends = (from_numbers(ranges.family, [end]) for end in (first, last))
    return not len(subtract(Ranges(ranges.family, *ends), ranges))


def _row(address: str, origin: str, use: str, comment: str, until: float | None = None) -> AllowedRow:
    return {
        "address": address,
        "origin": origin,
        "user": "",
        "use": use,
        "comment": comment,
        "since": None,
        "until": until,
    }


def command_rows(
    entries: Sequence["ManualAllow"],
    user_name: Callable[[int], str],
    times: Mapping[str, tuple[float | None, float]],
) -> list[AllowedRow]:
    """A row for each range and each host name. `user_name`: of a uid; blocks. `times`: as of `ManualAllowlist.name_times`."""
    from banlistd.core.addresses.text import span_text

    users = {uid: "" if uid is None else user_name(uid) for uid in {entry.uid for entry in entries}}
    grouped: dict[str, list[ManualAllow]] = {}
    for entry in entries:
        grouped.setdefault(entry.name or span_text(entry.span), []).append(entry)
    rows: list[AllowedRow] = []
    for address, alike in grouped.items():
        entry = alike[0]
        row: AllowedRow = {
            "address": address,
            "origin": COMMAND,
            "user": users[entry.uid],
            "use": "",
            "comment": entry.comment,
            "since": entry.created_at,
            "until": entry.expires_at,
        }
        if entry.name:
            answered_at, asked_at = times.get(entry.name, (None, None))
            addresses = [span_text(one.span) for one in alike]
            row = {**row, "addresses": addresses, "answered_at": answered_at, "asked_at": asked_at}
        rows.append(row)
    return rows


def _has(entry: "AllowEntry", span: "Span") -> bool:
    family, first, last = span
    return entry.family is family and int(entry.first) <= first and last <= int(entry.last)


def _configured(entry: "AllowEntry") -> AllowedRow:
    from banlistd.core.addresses.text import span_text

    address = span_text((entry.family, int(entry.first), int(entry.last)))
    return _row(address, CONFIGURATION, entry.use or "", entry.comment, entry.ends_at)


def allowed_words(row: AllowedRow) -> str:
    """An entry for a sentence: what allows, until when, and why."""
    if row["origin"] == LIST:
        why = f": {printable(row['comment'])}" if row["comment"] else ""
        return f"by {printable(row['use'])}, which lists {printable(row['address'])}{why}"
    origin = f"{printable(row['origin'])} ({printable(row['user'])})" if row["user"] else printable(row["origin"])
    end = "" if row["until"] is None else f" until {moment(row['until'])}"
    why = printable(row["comment"] or row["use"])
    return f"by {origin}, {printable(row['address'])}{end}{f': {why}' if why else ''}"


ALLOWED_EXAMPLE: AllowedRow = {
    "address": "203.0.113.7",
    "origin": COMMAND,
    "user": "root",
    "use": "",
    "comment": "audit of our web server",
    "since": 1_790_000_000.0,
    "until": 1_790_000_600.0,
}
