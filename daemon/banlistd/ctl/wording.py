"""The daemon's JSON documents in words, for somebody who was woken at two in the morning.

Pure: document and time in, lines and tables out. Every text that comes from outside passes through `printable`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from banlistd.ctl.text import Column, Table, counted, duration, interval, moment, number, printable, since, until

Document = Any
Page = Sequence[str | Table]

# What the outcome of a refresh means. Both that stop short say that nothing was lost.
_OUTCOMES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "completed": lambda row: f"completed, {number(row['added'])} added, {number(row['removed'])} removed",
    "skipped": lambda _: "skipped, the firewall holds this content already",
    "unchanged": lambda _: "unchanged since the last poll",
    "lost_race": lambda _: "done by another import at the same time",
    "refused": lambda row: f"refused: {printable(row['error'])}",  # which says what stays
    "failed": lambda row: f"failed: {printable(row['error'])} (the last good content stays)",
}


def status(document: Document, sources: Document, now: float) -> Page:
    """`sources`: the document of that name where some fail, else empty."""
    started = document["since"]
    numbers = {
        "off": document["sources"] - document["enabled"],
        "failing": document["failing"],
        "in quarantine": document["quarantined"],
        "stale": document["stale"],
    }
    remarks = ", ".join(f"{number(value)} {word}" for word, value in numbers.items() if value)
    state = f"{printable(document['version'])} is {printable(document['state'])}"
    facts = [
        f"banlistd {state} since {moment(started)} ({duration(now - started)})",
        printable(document["backend"]),
        counted(document["sources"], "source", "sources") + (f" ({remarks})" if remarks else ""),
        counted(document["bans"], "ban", "bans"),
    ]
    maps = [f"{printable(name)} {number(size)}" for name, size in document["maps"].items()]
    changed = document["last_change"]
    return [
        ", ".join(facts),
        f"  maps         {', '.join(maps) or 'none'}",
        f"  last change  {'none yet' if changed is None else f'{moment(changed)} ({since(changed, now)})'}",
        f"  config       {printable(document['config'])}",
        f"  process      {printable(document['pid'])}",
        *_ledger(document["ledger_fault"]),
        *_failing(sources, now),
    ]


def _ledger(fault: str) -> list[str]:
    if not fault:
        return []
    return [
        f"  database     in memory only: {printable(fault)}",
        "      bans stay and are repaired; what is new would be lost at a restart",
        "      the disk is tried again twice a minute, or at once: banlistctl reload",
    ]


def _failing(sources: Document, now: float) -> list[str]:
    lines: list[str] = []
    for row in sources:
        if row["stale_since"] is not None:
            name, age = printable(row["id"]), since(row["stale_since"], now)
            lines.append(f"  {name} is stale: its last good list grew too old {age}; its bans stay")
        if not row["enabled"] or not (row["failures"] or row["state"] == "failed"):
            continue
        name, times = printable(row["id"]), counted(row["failures"], "time", "times")
        retry = f", next try {until(row['due_at'], now)}" if row["due_at"] is not None else ""
        lines += [
            f"  {name} failed {times}{retry}: {printable(row['error']) or 'no reason is known'}",
            f"      try: banlistctl {'quarantine' if row['quarantined'] else 'refresh'} {name}; banlistctl history {name}",
        ]
    return ["", *lines] if lines else []


def sources(document: Document, now: float) -> Page:
    if not document:
        return ["no sources are configured"]
    columns = (
        Column("ID"),
        Column("STATE"),
        Column("ENTRIES", right=True),
        Column("OWNED", right=True),
        Column("ACTION"),
        Column("PACKETS", right=True),
        Column("LAST POLL"),
        Column("NEXT POLL"),
        Column("ERROR"),
    )
    extents = [f"{printable(row['id'])} holds {printable(row['extent'])}" for row in document if row["extent"]]
    return [Table(columns, tuple(_source(row, now) for row in document)), *extents]


def _source(row: Mapping[str, Any], now: float) -> tuple[str, ...]:
    direction = "" if row["direction"] == "in" else f" ({printable(row['direction'])})"
    return (
        printable(row["id"]),
        _state(row),
        number(row["entries"]),
        number(row["owned"]),
        printable(row["action"]) + direction,
        number(row["packets"]),
        since(row["polled_at"], now),
        until(row["due_at"], now) if row["enabled"] else "",
        printable(row["error"]),
    )


def _state(row: Mapping[str, Any]) -> str:
    if not row["enabled"]:
        return "off"
    state = "refused" if row["quarantined"] else printable(row["state"])
    return state if row["stale_since"] is None else f"{state}, stale"


def check(document: Document) -> Page:
    """One sentence: banned by whom, holding what, since when; or why not. Then where the address belongs."""
    return [_verdict(document), *_origin(document["origin"])]


def _origin(origin: Mapping[str, Any]) -> list[str]:
    country, name = printable(origin["country"]), printable(origin["country_name"])
    where = f"{name} ({country})" if country and name else country
    number = "" if origin["asn"] is None else f"AS{origin['asn']}"
    parts = [part for part in (where, f"{number} {printable(origin['organisation'])}".strip()) if part]
    return [f"  {', '.join(parts)}"] if parts else []


def _verdict(document: Document) -> str:
    address, rows, owner = printable(document["address"]), document["sources"], document["owner"]
    if document["banned"]:
        return f"{address} is banned{_by(owner, document['action'], rows)}"
    holders = ", ".join(dict.fromkeys(printable(row["id"]) for row in rows))
    though = f", though held by {holders}" if holders else ""
    reasons = (
        (document["allowed"], "it is allowed"),
        (document["protected"], f"it is protected ({printable(document['protected'])})"),
        (document["reserved"], "it is in a reserved network"),
    )
    for reason in (words for holds, words in reasons if holds):
        return f"{address} is not banned: {reason}{though}"
    if owner is not None:
        return f"{address} is not banned, only watched{_by(owner, document['action'], rows)}"
    if holders:
        return f"{address} is not banned{though}: not in force (try: banlistctl sources)"
    return f"{address} is not banned: no source holds it"


def _by(owner: str | None, action: str | None, rows: Sequence[Mapping[str, Any]]) -> str:
    if owner is None:
        return ""
    mine = [_entry(row) for row in rows if row["id"] == owner]
    others = dict.fromkeys(printable(row["id"]) for row in rows if row["id"] != owner)
    which = f", which holds {' and '.join(mine)}" if mine else ""
    also = f"; also in: {', '.join(others)}" if others else ""
    return f" by {printable(owner)} ({printable(action)}){which}{also}"


def _entry(row: Mapping[str, Any]) -> str:
    entry = printable(row["entry"])
    if row["since"] is None:
        return entry
    by_hand = "; ".join(_by_hand(ban) for ban in row.get("bans", ()))
    since_when = f"{entry} since {'' if row['exact'] else 'at least '}{moment(row['since'])}"
    return f"{since_when} ({by_hand})" if by_hand else since_when


def _by_hand(ban: Mapping[str, Any]) -> str:
    until_when = "for ever" if ban["expires_at"] is None else f"until {moment(ban['expires_at'])}"
    comment = f": {printable(ban['comment'])}" if ban["comment"] else ""
    return f"{printable(ban['origin'])}, {until_when}{comment}"


def ban(document: Document, now: float) -> Page:
    address, origin = printable(document["address"]), printable(document["origin"])
    until_when = "for ever" if document["expires_at"] is None else f"until {moment(document['expires_at'])}"
    left = "" if document["expires_at"] is None else f" ({duration(document['expires_at'] - now)})"
    line = f"{address} is banned {until_when}{left}" + ("" if document["new"] else f"; {origin} had banned it before")
    return [line, *(f"  but not {printable(item['address'])}: {printable(item['reason'])}" for item in document["spared"])]


def unban(document: Document) -> Page:
    still, removed = document["still"], document["removed"]
    if document["address"] is None:
        return [f"{counted(len(removed), 'ban', 'bans')} of {printable(document['origin'])} lifted"]
    address = printable(document["address"])
    though = f"; it is still banned by {printable(still)} (try: banlistctl check {address})" if still is not None else ""
    if not removed:
        return [f"{address} is not banned by hand{though or ' (banlistctl bans lists what is)'}"]
    origins = ", ".join(printable(row["origin"]) for row in removed)
    return [f"{address} is no longer banned by {origins}{though}"]


def bans(document: Document, now: float) -> Page:
    if not document:
        return ["nothing is banned by hand"]
    columns = (
        Column("ADDRESS"),
        Column("ORIGIN"),
        Column("SINCE"),
        Column("UNTIL"),
        Column("NOT BANNED"),
        Column("COMMENT"),
    )
    return [Table(columns, tuple(_ban(row, now) for row in document))]


def _ban(row: Mapping[str, Any], now: float) -> tuple[str, ...]:
    return (
        printable(row["address"]),
        printable(row["origin"]),
        since(row["created_at"], now),
        "" if row["expires_at"] is None else until(row["expires_at"], now),
        printable(row["spared"]) if row["in_force"] else f"all of it: {printable(row['spared'])}",
        printable(row["comment"]),
    )


def top(document: Document) -> Page:
    """A line for each country, operator or list; the share is that of all bans."""
    rows, total = document["rows"], document["bans"]
    if not rows:
        return ["nothing is banned"]
    head = {"country": "COUNTRY", "asn": "ASN", "source": "SOURCE"}[document["by"]]
    named = any(row["name"] for row in rows)
    columns = (
        Column(head),
        *((Column("NAME"),) if named else ()),
        Column("BANS", right=True),
        Column("SHARE", right=True),
        Column("IPV4 ADDRESSES", right=True),
    )
    cells = (
        (
            printable(row["key"]) or "unknown",
            *((printable(row["name"]),) if named else ()),
            number(row["bans"]),
            f"{100 * row['bans'] / max(total, 1):.1f} %",
            number(row["addresses"]),
        )
        for row in rows
    )
    left = document["total"] - len(rows)
    return [Table(columns, tuple(cells)), *([f"... and {number(left)} more (--limit)"] if left > 0 else [])]


def history(document: Document) -> Page:
    if not document:
        return ["nothing has been imported yet"]
    columns = (
        Column("STARTED"),
        Column("SOURCE"),
        Column("STATE"),
        Column("ENTRIES", right=True),
        Column("ADDED", right=True),
        Column("REMOVED", right=True),
        Column("REJECTED", right=True),
        Column("TRIES", right=True),
        Column("TOOK", right=True),
        Column("CONTENT"),
        Column("ERROR"),
    )
    return [Table(columns, tuple(_run(row) for row in document))]


def _run(row: Mapping[str, Any]) -> tuple[str, ...]:
    completed = row["completed_at"]
    return (
        moment(row["started_at"]),
        printable(row["source_id"]),
        printable(row["state"]),
        number(row["entries"]),
        number(row["added"]),
        number(row["removed"]),
        number(row["rejected"]),
        number(row["attempts"]),
        "" if completed is None else f"{max(0.0, completed - row['started_at']):.1f} s",
        printable(row["content_hash"] or "")[:12],
        printable(row["error"]),
    )


def timers(document: Document, now: float) -> Page:
    if not document:
        return ["no timers: no sources are enabled"]
    columns = (
        Column("ID"),
        Column("EVERY", right=True),
        Column("LAST POLL"),
        Column("NEXT POLL"),
        Column("AT"),
        Column("FAILURES", right=True),
    )
    rows = (
        (
            printable(row["id"]),
            interval(row["every"]),
            since(row["polled_at"], now),
            until(row["due_at"], now),
            "" if row["due_at"] is None or row["due_at"] <= now else moment(row["due_at"]),
            number(row["failures"]),
        )
        for row in document
    )
    return [Table(columns, tuple(rows))]


def protected(document: Document) -> Page:
    if not document:
        return ["nothing is protected: this host's own addresses could not be read"]
    columns = (Column("ADDRESS"), Column("REASON"), Column("HELD BY"), Column("WITHOUT PROTECTION"))
    return [Table(columns, tuple(_protected(row) for row in document))]


def _protected(row: Mapping[str, Any]) -> tuple[str, ...]:
    without = "banned" if row["carved"] else "free all the same" if row["sources"] else ""
    listed_by = ", ".join(printable(name) for name in row["sources"])
    return printable(row["address"]), printable(row["reason"]), listed_by, without


def quarantine(document: Document, now: float) -> Page:
    """Some lines for each refused list, the way out at their end."""
    if not document:
        return ["nothing is in quarantine"]
    return [line for row in document for line in _held_back(row, now)]


def _held_back(row: Mapping[str, Any], now: float) -> list[str]:
    name, before = printable(row["id"]), row["entries_before"]
    against = "no list before it" if before is None else f"the last good one has {number(before)}"
    age, times = duration(now - row["since"]), counted(row["refusals"], "time", "times")
    changes = f"{number(row['added'])} added, {number(row['removed'])} removed"
    lines = [
        f"{name}: {printable(row['guard'])} since {moment(row['since'])} ({age}), refused {times}",
        f"  {printable(row['reason'])}",
        f"  {counted(row['entries'], 'entry', 'entries')}, {against}: {changes}",
        *_samples("+", row["added_sample"], row["added"]),
        *_samples("-", row["removed_sample"], row["removed"]),
    ]
    if row["settle"] is not None:
        lines.append(f"  taken by itself once it has stayed so for {interval(row['settle'])}; so far {duration(row['stood'])}")
    return [*lines, "  approved, not yet applied" if row["approved"] else f"  try: banlistctl approve {name}"]


def _samples(sign: str, sample: Sequence[str], total: int) -> list[str]:
    lines = [f"    {sign} {printable(entry)}" for entry in sample]
    return [*lines, f"    {sign} ... and {number(total - len(sample))} more"] if total > len(sample) else lines


def refresh(document: Document) -> Page:
    """A line for each source."""
    if not document:
        return ["no sources are enabled: nothing was polled"]
    return [f"{printable(row['id'])}: {_outcome(row)}" for row in document]


def _outcome(row: Mapping[str, Any]) -> str:
    words = _OUTCOMES.get(row["outcome"])
    return printable(row["outcome"]) if words is None else words(row)


def reload(document: Document) -> Page:
    changes = [
        f"{verb}: {', '.join(printable(name) for name in document[verb])}"
        for verb in ("added", "removed", "changed")
        if document[verb]
    ]
    total = counted(document["sources"], "source", "sources")
    return [f"configuration reloaded: {total}; {'; '.join(changes) or 'no source was added, removed or changed'}"]
