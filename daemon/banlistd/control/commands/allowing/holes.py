"""What each allowed or protected range takes out of the lists, as `banlistctl protected --holes` shows it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.commands.allowing.rows import COMMAND, CONFIGURATION, LIST
from banlistd.control.page import Column, Page, Table, number
from banlistd.core.printing import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from banlistd.control.parts import Parts
    from banlistd.core.addresses.sets import AddressSet, Ranges
    from banlistd.core.ruleset.allowing.holes import Hole
    from banlistd.core.ruleset.manual_allows import ManualAllow
    from banlistd.model import Family, SourceId, Span

PROTECTED_BY_ITSELF = "protected"
MOST_CUT_SHOWN = 20
"""Entries that a row names: as many as a person reads."""


class HoleRow(TypedDict):
    """What one allow entry takes out of one source. `allowed`: the entry; of an allow list how many it has, and `use` is its
    name. `origin`: `configuration`, `command`, `list`, or `protected` for what needs no order.

    `cut`: entries of the source that have any of it. `first`: some of them. `addresses4`, `addresses6`: how many addresses of
    the source are not banned for it.
    """

    allowed: str
    origin: str
    use: str
    comment: str
    source: str
    cut: int
    first: list[str]
    addresses4: int
    addresses6: int


class _Allowed(NamedTuple):
    """One range, or the many of a list. `but_for`: a source that does not give way to it."""

    row: tuple[str, str, str, str]
    what: "Span | Mapping[Family, Ranges]"
    but_for: "SourceId | None" = None


async def hole_rows(parts: "Parts") -> list[HoleRow]:
    """The holes, in the order in which `banlistctl allowed` shows what makes them; what is protected by itself at the end."""
    import asyncio

    acting = (owner.source_id for owner in parts.enforcer.policy.acting)
    contents = {name: content.addresses for name in acting if (content := parts.enforcer.content(name)) is not None}
    return await asyncio.to_thread(_rows, parts, [*parts.allowlist.entries], parts.clock.now(), contents)


def _allowed(parts: "Parts", entries: "Sequence[ManualAllow]", now: float) -> "Iterator[_Allowed]":
    from banlistd.core.addresses.sets import FAMILIES
    from banlistd.core.addresses.text import span_text
    from banlistd.core.ruleset.manual_allows import REASON
    from banlistd.model import MANUAL

    for entry in entries:
        yield _Allowed((span_text(entry.span), COMMAND, entry.name, entry.comment), entry.span)
    for written in parts.service.config.allow:
        if written.in_force(now):
            span = written.family, int(written.first), int(written.last)
            yield _Allowed((span_text(span), CONFIGURATION, written.use or "", written.comment), span)
    comments = {source.id: source.comment for source in parts.service.config.sources}
    for name in parts.enforcer.policy.allowing:
        content = parts.enforcer.content(name)
        if content is not None:
            words = counted(len(content.addresses), "entry", "entries")
            ranges = {family: content.addresses.ranges(family) for family in FAMILIES}
            yield _Allowed((words, LIST, name, comments.get(name, "")), ranges)
    for hit in parts.enforcer.hits:
        item = hit.protected
        if hit.carved and item.reason != REASON and not item.answers:
            gives_no_way = MANUAL if item.learned else None
            row = (span_text(item.span), PROTECTED_BY_ITSELF, "", item.reason)
            yield _Allowed(row, item.span, gives_no_way)


def _rows(
    parts: "Parts", entries: "Sequence[ManualAllow]", now: float, contents: "Mapping[SourceId, AddressSet]"
) -> list[HoleRow]:
    """For a worker thread: there may be thousands of allow entries."""
    every = [*_allowed(parts, entries, now)]
    return [_row(every[place], hole) for place, hole in _holes(every, contents) if hole.source_id != every[place].but_for]


def _holes(every: "Sequence[_Allowed]", contents: "Mapping[SourceId, AddressSet]") -> "Iterator[tuple[int, Hole]]":
    from banlistd.core.ruleset.allowing.holes import holes_in, holes_of_each

    single = [(place, one.what) for place, one in enumerate(every) if isinstance(one.what, tuple)]
    found = [(single[at][0], hole) for at, hole in holes_of_each(contents, [span for _, span in single])]
    for place, one in enumerate(every):
        if not isinstance(one.what, tuple):
            found += [(place, hole) for hole in holes_in(contents, one.what)]
    yield from sorted(found, key=lambda pair: pair[0])


def _row(allowed: _Allowed, hole: "Hole") -> HoleRow:
    from banlistd.core.addresses.comparison import sample
    from banlistd.model import Family

    return {
        "allowed": allowed.row[0],
        "origin": allowed.row[1],
        "use": allowed.row[2],
        "comment": allowed.row[3],
        "source": hole.source_id,
        "cut": len(hole.cut),
        "first": [*sample(hole.cut, MOST_CUT_SHOWN)],
        "addresses4": hole.addresses[Family.IPV4],
        "addresses6": hole.addresses[Family.IPV6],
    }


_COLUMNS = (
    Column("ALLOWED"),
    Column("BY", spare=1),
    Column("LIST"),
    Column("COSTS", right=True),
    Column("CUT", right=True, spare=2),
    Column("ENTRIES", below=True),
    Column("COMMENT", below=True),
)


def hole_page(rows: Sequence[HoleRow]) -> Page:
    if not rows:
        return ["nothing that is allowed or protected is on a list"]
    return [Table(_COLUMNS, tuple(_cells(row) for row in rows))]


def _cells(row: HoleRow) -> tuple[str, ...]:
    more = row["cut"] - len(row["first"])
    named = ", ".join(printable(entry) for entry in row["first"])
    return (
        printable(row["allowed"]),
        printable(row["use"] or row["origin"]),
        printable(row["source"]),
        _cost(row),
        counted(row["cut"], "entry", "entries"),
        f"{named} and {number(more)} more" if more else named,
        printable(row["comment"]),
    )


def _cost(row: HoleRow) -> str:
    """How many addresses are not banned."""
    four, six = row["addresses4"], row["addresses6"]
    parts = [number(four)] if four else []
    return " and ".join([*parts, *([f"{_wide(six)} of IPv6"] if six else [])])


def _wide(count: int) -> str:
    """IPv6 networks have more addresses than a person reads digits."""
    power = count.bit_length() - 1
    return f"2^{power}" if count == 1 << power and power >= 32 else number(count)  # noqa: PLR2004 - as many as IPv4 has
