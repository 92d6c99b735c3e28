"""banlistctl export: the content of sources as a file for another program."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.declaration import Argument, Command, Completes, PageContext
from banlistd.control.page import Page
from banlistd.core.addresses.exporting.formats import ExportFormat
from banlistd.core.printing import printable
from banlistd.errors import ChangedExportError, NoSuchSourceError, UsageError
from banlistd.scopes.names import is_by_hand

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.addresses.exporting.files import Export, ExportedSource
    from banlistd.model import ContentHash, SourceId

_PLACE = re.compile(r"([0-9a-f]{64}):([1-9][0-9]{0,8})", re.ASCII)


class ExportPiece(TypedDict):
    """A piece of the file. `content_hash`, `entries`: of the whole. `after`: for the next piece; null: it was the last."""

    content_hash: str
    entries: int
    text: str
    after: str | None


class ExportOrder(NamedTuple):
    """`ids` empty: every source that bans all packets. `content_hash` empty: from the beginning."""

    ids: tuple[str, ...]
    form: ExportFormat
    content_hash: str
    number: int


def _read(request: "ControlRequest") -> ExportOrder:
    name, after = request.text("format") or ExportFormat.PLAIN, request.text("after")
    if name not in [*ExportFormat]:
        raise UsageError(f"there is no format {name[:60]!a}", f"one of {', '.join(ExportFormat)}")
    place = _PLACE.fullmatch(after)
    if after and place is None:
        raise UsageError("after: is no place in an export", "the value of `after` of the piece before")
    content_hash, number = place.groups() if place else ("", "0")
    ids = tuple(dict.fromkeys(request.text("ids").split(","))) if request.text("ids") else ()
    return ExportOrder(ids, ExportFormat(name), content_hash, int(number))


async def _answer(parts: "Parts", order: ExportOrder) -> ExportPiece:
    import asyncio

    from banlistd.core.addresses.exporting.files import piece, pieces
    from banlistd.model import ContentHash

    source_ids, left_out = _source_ids(parts, order)
    export = parts.exports.kept(source_ids, ContentHash(order.content_hash))
    if export is None:
        export = await _export(parts, source_ids, left_out, is_for_all=not order.ids)
        if order.content_hash and export.content_hash != order.content_hash:
            raise ChangedExportError("the content has changed during the export", "export it again")
        parts.exports.keep(source_ids, export)
    count = pieces(export)
    if order.number >= count:
        raise UsageError("after: is behind the end of the export")
    text = await asyncio.to_thread(piece, export, order.form, order.number)
    is_last = order.number == count - 1
    if is_last:
        parts.exports.drop()
    return {
        "content_hash": export.content_hash,
        "entries": len(export),
        "text": text,
        "after": None if is_last else f"{export.content_hash}:{order.number + 1}",
    }


def _source_ids(parts: "Parts", order: ExportOrder) -> "tuple[tuple[SourceId, ...], tuple[SourceId, ...]]":
    """The sources of an export, in the order of the configuration, so that the order of the names changes nothing; and those
    that are left out, because they ban some packets only and are not named.
    """
    sources = parts.enforcer.policy.sources
    by_hand = {owner.source_id for owner in sources if is_by_hand(owner.source_id)}
    named = {name if name in by_hand else parts.source(name).id for name in order.ids}
    if named:
        return tuple(owner.source_id for owner in sources if owner.source_id in named), ()
    banning = [owner for owner in sources if owner.action.blocks]
    return tuple(owner.source_id for owner in banning if not owner.scope), tuple(
        owner.source_id for owner in banning if owner.scope
    )


async def _export(
    parts: "Parts", source_ids: "tuple[SourceId, ...]", left_out: "tuple[SourceId, ...]", *, is_for_all: bool
) -> "Export":
    import asyncio

    from banlistd.core.addresses.exporting.files import ExportedSource, export_of

    runs = await parts.ledger.newest_runs()
    found = {source_id: parts.enforcer.content(source_id) for source_id in (*source_ids, *left_out)}
    contents = {source_id: content for source_id in source_ids if (content := found[source_id])}
    missing = [source_id for source_id in source_ids if source_id not in contents and not is_by_hand(source_id)]
    if missing and not (is_for_all and contents):
        raise UsageError(f"{missing[0]} has no content yet", f"banlistctl refresh {missing[0]}")
    scopes = {owner.source_id: str(owner.scope or "") for owner in parts.enforcer.policy.sources}

    def exported(source_id: "SourceId") -> "ExportedSource":
        run, content = runs.get(source_id), found[source_id]
        content_hash: ContentHash | None = content.content_hash if content else None
        run_id = run.id if run and run.content_hash == content_hash else None
        return ExportedSource(source_id, run_id, content_hash, scopes.get(source_id, ""))

    sets = [content.addresses for content in contents.values()]
    return await asyncio.to_thread(export_of, [*map(exported, source_ids)], sets, [*map(exported, left_out)])


def _page(answer: ExportPiece, _: PageContext) -> Page:
    return [printable(line) for line in answer["text"].splitlines()]


def _stream(fields: Mapping[str, object], is_json: bool, ask: Callable[[Mapping[str, object]], ExportPiece]) -> Iterator[str]:
    ids = fields.get("ids")
    asked = {**fields, "ids": ",".join(map(str, ids)) if isinstance(ids, list) else ""}
    while True:
        answer = ask(asked)
        yield json.dumps(answer) + "\n" if is_json else answer["text"]
        if answer["after"] is None:
            return
        asked["after"] = answer["after"]


EXPORT: Command[ExportOrder, ExportPiece] = Command(
    name="export",
    help="the content of sources as a file for another program",
    details="Without an ID, it is every source that bans, and the manual bans; the entries of several sources are merged. A"
    " source, or manual bans, of some packets only (`ports`, `interfaces`, ...) is left out then, because the file says nothing"
    " of packets and would block more elsewhere; a comment, or `left_out` of the JSON, names it. An ID exports it, and its"
    " comment, or `scope` of the JSON, says which packets it blocks. The"
    " lists are exported as they were read: the allowlist and protected addresses are not taken off. `plain` has one address,"
    " network or range a line, `cidr` networks alone; `nft -f`, `ipset restore`, RouterOS and Unbound (a response policy zone"
    " with rpz-ip triggers) read the others. The same content gives the same octets. Comments, or keys of the JSON, name each"
    " source, its import run and the SHA-256 of its content, and that of the whole, which for one source is that of"
    " `banlistctl history`. The daemon gives the file in pieces; `ids` are joined by commas there. Content that changes"
    " meanwhile ends the export with exit code 75. --json prints one document a line for each piece.",
    method="GET",
    example={
        "content_hash": "0123456789abcdef" * 4,
        "entries": 1,
        "text": "192.0.2.0/24\n",
        "after": None,
    },
    arguments=(
        Argument("ids", "ID", "these sources; default: all that ban every packet", nargs="*", completes=Completes.SOURCES),
        Argument(
            "--format",
            "FORMAT",
            f"{', '.join(ExportFormat)}; default: {ExportFormat.PLAIN}",
            choices=tuple(str(form) for form in ExportFormat),
        ),
        Argument("--after", "PLACE", "go on after a piece that the control API gave"),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    exits={75: "the content changed meanwhile; what was printed is not whole"},
    errors=(UsageError, NoSuchSourceError, ChangedExportError),
    timeout=60.0,  # of a million entries the first piece takes longest
    stream=_stream,
)
