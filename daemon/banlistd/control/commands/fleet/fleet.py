"""banlistctl fleet: what is known of the fleet, its lists and its mirrors; and an order to take a new root by hand."""

import argparse
import binascii
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.commands.fleet.rows import (
    PUBLISHED_EXAMPLE,
    PublishedListRow,
    published_rows,
    short_version,
    stop_words,
    withdrawn_words,
)
from banlistd.control.commands.fleet.signatures import SIGNATURE_EXAMPLE, SignatureRow, signature_rows, signature_table
from banlistd.control.declaration import Argument, Command, Completes, PageContext, no_fields
from banlistd.control.page import Column, Page, Table, moment, since
from banlistd.core.printing import printable
from banlistd.errors import FetchError, LedgerError, TrustError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.services.fleet.fleet_lists import FleetLists

_LARGEST_ROOT = 512_000
"""Octets, as python-tuf has it."""


_MOST_DIGITS = 20
"""Of a number of SQLite."""


class FleetMirrorRow(TypedDict):
    """`fault`: refused, expired or absent, when it was last asked; empty: none, or it was not asked."""

    url: str
    fault: str
    reason: str


class FleetListRow(TypedDict):
    """`seq`: the number of the content, as the hub counts; 0: none was taken. `content_hash`: of what is in force."""

    source: str
    list: str
    seq: int
    content_hash: str


class FleetAnswer(TypedDict):
    """`root_hash`: SHA-256 of the newest root. `verified_at`: when anything was last verified; 0: never. `expires_at`: of the
    newest timestamp. Both in seconds since the epoch. `mirror`: the one that gave it. `published`: lists that this machine
    publishes, as a hub; where it takes none, there is nothing of the rest. `fault`: why not all of them is published; empty:
    there is none. `signatures`: those that are missing where more than one hub must sign.
    """

    fleet: str
    root_version: int
    root_hash: str
    timestamp_version: int
    verified_at: float
    expires_at: float
    mirror: str
    mirrors: list[FleetMirrorRow]
    lists: list[FleetListRow]
    published: list[PublishedListRow]
    fault: str
    signatures: list[SignatureRow]


def _lists_of(parts: "Parts") -> "FleetLists":
    lists = parts.fleet()
    if lists is None:
        raise UsageError("no list of a fleet is taken here", "add fleet: {name: ..., root: ..., urls: [...]}, and reload")
    return lists


def _number(etag: str, prefix: str) -> int:
    """Of a content. A source that had a `url` before has the etag of that server until its first poll of the fleet."""
    number = etag.removeprefix(prefix)
    return int(number) if number != etag and number.isdecimal() and len(number) < _MOST_DIGITS else 0


async def _answer(parts: "Parts", _: tuple[()]) -> FleetAnswer:
    published, fleet = await published_rows(parts), parts.service.config.fleet
    if parts.fleet() is None and parts.roll_out() is not None and fleet is not None:
        on_hub: FleetAnswer = {**_NOTHING_TAKEN, "fleet": fleet.name, "published": published, "fault": _fault(parts)}
        return {**on_hub, "signatures": signature_rows(parts)}
    lists = _lists_of(parts)
    state, polls = await lists.state(), await parts.polls()
    faults = {one.mirror: one for one in lists.refusals}
    sources = [source for source in parts.service.config.sources if source.hub]
    contents = {source.id: parts.enforcer.content(source.id) for source in sources}
    return {
        "fleet": lists.fleet.name,
        "root_version": state.root_version,
        "root_hash": state.root_hash,
        "timestamp_version": state.timestamp_version,
        "verified_at": state.floor,
        "expires_at": state.expires_at,
        "mirror": state.mirror,
        "mirrors": [
            {"url": url, "fault": faults[url].fault, "reason": faults[url].reason}
            if url in faults
            else {"url": url, "fault": "", "reason": ""}
            for url in lists.fleet.urls
        ],
        "lists": [
            {
                "source": source.id,
                "list": source.hub,
                "seq": _number(polls[source.id].validators.etag, f"{lists.fleet.name}/{source.hub}/")
                if source.id in polls
                else 0,
                "content_hash": content.content_hash if (content := contents[source.id]) else "",
            }
            for source in sources
        ],
        "published": published,
        "fault": _fault(parts),
        "signatures": signature_rows(parts),
    }


def _fault(parts: "Parts") -> str:
    roll_out = parts.roll_out()
    return str(roll_out.fault) if roll_out is not None and roll_out.fault else ""


_NOTHING_TAKEN: FleetAnswer = {
    "fleet": "",
    "root_version": 0,
    "root_hash": "",
    "timestamp_version": 0,
    "verified_at": 0.0,
    "expires_at": 0.0,
    "mirror": "",
    "mirrors": [],
    "lists": [],
    "published": [],
    "fault": "",
    "signatures": [],
}


def _page(answer: FleetAnswer, context: PageContext) -> Page:
    name, version = printable(answer["fleet"]), answer["root_version"]
    if answer["verified_at"]:
        ends = answer["expires_at"]
        state = f"in force until {moment(ends)}" if context.now < ends else f"expired since {moment(ends)}"
        lines = [
            f"fleet {name}: verified {since(answer['verified_at'], context.now)}, from {printable(answer['mirror'])}",
            f"  root: version {version}, sha256 {printable(answer['root_hash'])}",
            f"  timestamp: version {answer['timestamp_version']}, {state}",
        ]
    elif answer["lists"]:
        lines = [f"fleet {name}: nothing was verified yet"]
    else:
        lines = [f"fleet {name}: this machine takes no list of it"]
    mirrors = tuple(
        (printable(one["url"]), printable(f"{one['fault']}: {one['reason']}") if one["fault"] else "")
        for one in answer["mirrors"]
    )
    lists = tuple(
        (printable(one["source"]), printable(one["list"]), str(one["seq"] or ""), printable(one["content_hash"][:16]))
        for one in answer["lists"]
    )
    tables = [Table((Column("MIRROR"), Column("LAST FAULT", spare=1)), mirrors)] if mirrors else []
    if lists:
        tables.append(Table((Column("SOURCE"), Column("LIST"), Column("VERSION"), Column("CONTENT", spare=2)), lists))
    if rows := tuple(_published_cells(row) for row in answer["published"]):
        tables.append(Table(_PUBLISHED, rows))
    faults = [f"not published: {printable(answer['fault'])}"] if answer["fault"] else []
    return [*lines, *tables, *faults, *signature_table(answer["signatures"])]


_PUBLISHED = (Column("PUBLISHED"), Column("VERSION"), Column("STATE", below=True), Column("WITHDRAWN", spare=1))


def _published_cells(row: PublishedListRow) -> tuple[str, ...]:
    return printable(row["id"]), short_version(row["content_hash"]), stop_words(row), withdrawn_words(row)


FLEET: "Command[tuple[()], FleetAnswer]" = Command(
    name="fleet",
    help="what is proven of the fleet: its root, its newest signature, its mirrors, and the lists that are taken",
    details="Every content is proven by the root of the fleet; a mirror that gives something else is named with the reason."
    " On a hub, also which version of each list is published, which lists are stopped, and which signatures of other hubs"
    " are missing.",
    method="GET",
    example={
        "fleet": "main",
        "root_version": 3,
        "root_hash": "2349c6f3d7f26f151990daf85d37aa5ae72136572b17cfcc4b3f935d28d135fc",
        "timestamp_version": 5012,
        "verified_at": 1_795_791_000.0,
        "expires_at": 1_795_877_400.0,
        "mirror": "https://a.example/fleet",
        "mirrors": [{"url": "https://a.example/fleet", "fault": "", "reason": ""}],
        "lists": [
            {
                "source": "drop",
                "list": "spamhaus-drop",
                "seq": 12,
                "content_hash": "c391eda6d691b32983580444fdbbd855917674984d2a31aa5c221ab0e638e825",
            }
        ],
        "published": [PUBLISHED_EXAMPLE],
        "fault": "",
        "signatures": [SIGNATURE_EXAMPLE],
    },
    read=no_fields,
    answer=_answer,
    page=_page,
    errors=(UsageError, LedgerError),
)


class NewRootAnswer(TypedDict):
    """The root that is in force now."""

    root_version: int
    root_hash: str


def _file(name: str) -> str:
    """The content of a file, as base64."""
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - pathlib costs banlistctl 10 ms
            content = file.read(_LARGEST_ROOT + 1)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read {name!r}: {error.strerror}") from error
    if len(content) > _LARGEST_ROOT:
        raise argparse.ArgumentTypeError(f"{name!r} is no root of a fleet: it is larger than {_LARGEST_ROOT} bytes")
    return binascii.b2a_base64(content, newline=False).decode()


def _read_root(request: "ControlRequest") -> bytes:
    try:
        return binascii.a2b_base64(str(request.fields.get("root", "")), strict_mode=True)
    except (ValueError, binascii.Error) as error:
        raise UsageError("the root is not base64") from error


async def _add_root(parts: "Parts", root: bytes) -> NewRootAnswer:
    state = (await _lists_of(parts).add_root(root)).state
    return {"root_version": state.root_version, "root_hash": state.root_hash}


def _root_page(answer: NewRootAnswer, _: PageContext) -> Page:
    return [f"the root is version {answer['root_version']} now, sha256 {printable(answer['root_hash'])}"]


FLEET_ROOT: "Command[bytes, NewRootAnswer]" = Command(
    name="fleet root",
    help="take a newer root of the fleet from a file, where no mirror gives it",
    details="It counts only if it is the next one, and proven by the one before.",
    method="POST",
    example={"root_version": 4, "root_hash": "2349c6f3d7f26f151990daf85d37aa5ae72136572b17cfcc4b3f935d28d135fc"},
    arguments=(
        Argument(
            "file",
            "FILE",
            "N.root.json, as the owner of the fleet gives it",
            field="root",
            kind=_file,
            completes=Completes.FILES,
        ),
    ),
    read=_read_root,
    answer=_add_root,
    page=_root_page,
    errors=(UsageError, TrustError, FetchError, LedgerError),
    timeout=60.0,
    max_body=1024 * 1024,
)
