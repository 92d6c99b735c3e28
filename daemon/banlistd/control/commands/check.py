"""banlistctl check: whether an address is banned, by which source, and since when."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

from banlistd.control.commands.manual_bans.rows import ManualBanRow, ban_rows, until_when
from banlistd.control.declaration import NOT_FOUND, Argument, Command, PageContext
from banlistd.control.page import Page, moment
from banlistd.core.printing import printable
from banlistd.errors import UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.model import Family


class ListingRow(TypedDict):
    """A source that lists the address. `exact`: whether `since` is the moment, not the earliest one that is remembered.

    `bans`: only for the source `manual`.
    """

    id: str
    entry: str
    since: float | None
    exact: bool
    bans: NotRequired[list[ManualBanRow]]


class OriginRow(TypedDict):
    """Empty strings and null: not known."""

    country: str
    country_name: str
    asn: int | None
    organisation: str


class CheckAnswer(TypedDict):
    """`owner` and `action`: of the source whose element matches in the firewall. `protected`: why no source bans the address,
    or empty. `answers`: what passes from it even where it is banned, and why, or empty.
    """

    address: str
    banned: bool
    allowed: bool
    protected: str
    answers: str
    reserved: bool
    owner: str | None
    action: str | None
    sources: list[ListingRow]
    origin: OriginRow


def _read(request: "ControlRequest") -> str:
    address = request.text("address")
    if not address:
        raise UsageError("no address is given", "GET /v1/check?address=192.0.2.1")
    return address


async def _answer(parts: "Parts", text: str) -> CheckAnswer:
    from banlistd.control.lookups import (
        entry_of,
        is_allowed,
        listed_since,
        owner_of,
        protections_of,
        read_address,
        translated_owner,
    )
    from banlistd.core.addresses.sets import from_numbers, to_text
    from banlistd.model import MANUAL, Family

    family, number = read_address(text)
    needle = from_numbers(family, [number])
    policy = parts.enforcer.policy
    address = to_text(family, needle[0])
    owner = owner_of(parts.enforcer.state, family, number)
    protections = protections_of(parts.enforcer.protected, family, number)
    allowed = is_allowed(policy.allowed, family, number)
    reserved = not allowed and bool(policy.never_banned[family].contains(needle)[0])
    if family is Family.IPV6 and not allowed and parts.service.config.translates and not (owner and owner.action.blocks):
        translated = translated_owner(parts.enforcer.state, number)
        if translated is not None:
            owner, number = translated
            family, needle = Family.IPV4, from_numbers(Family.IPV4, [number])
    listings: list[ListingRow] = []
    for candidate in policy.sources:
        content = parts.enforcer.content(candidate.source_id)
        entry = entry_of(content.addresses, family, needle) if content else ""
        if entry and candidate.source_id == MANUAL:
            listings.append(await _manual(parts, entry, family, number))
        elif entry:
            since, exact = await listed_since(parts.ledger, candidate.source_id, family, number)
            listings.append({"id": candidate.source_id, "entry": entry, "since": since, "exact": exact})
    origin = await parts.enricher.origin_of(family, number)
    return {
        "address": address,
        "banned": owner is not None and owner.action.blocks,
        "allowed": allowed,
        "protected": next((item.reason for item in protections if not item.answers), ""),
        "answers": next((f"{item.scope} ({item.reason})" for item in protections if item.answers), ""),
        "reserved": reserved,
        "owner": owner.source_id if owner else None,
        "action": str(owner.action) if owner else None,
        "sources": listings,
        "origin": {
            "country": origin.country,
            "country_name": origin.country_name,
            "asn": origin.asn,
            "organisation": origin.organisation,
        },
    }


async def _manual(parts: "Parts", entry: str, family: "Family", number: int) -> ListingRow:
    from banlistd.model import MANUAL

    mine = parts.banning.containing(family, number)
    since = min((ban.created_at for ban in mine), default=None)
    return {"id": MANUAL, "entry": entry, "since": since, "exact": True, "bans": await ban_rows(mine)}


def _page(answer: CheckAnswer, _: PageContext) -> Page:
    """One sentence: banned by whom, with which entry, since when; or why not. Then where the address belongs."""
    return [_verdict(answer), *_origin(answer["origin"])]


def _origin(origin: OriginRow) -> list[str]:
    country, name = printable(origin["country"]), printable(origin["country_name"])
    where = f"{name} ({country})" if country and name else country
    number = "" if origin["asn"] is None else f"AS{origin['asn']}"
    parts = [part for part in (where, f"{number} {printable(origin['organisation'])}".strip()) if part]
    return [f"  {', '.join(parts)}"] if parts else []


def _verdict(answer: CheckAnswer) -> str:
    address, rows, owner = printable(answer["address"]), answer["sources"], answer["owner"]
    if answer["banned"]:
        passing = f"; only {printable(answer['answers'])} pass" if answer["answers"] else ""
        return f"{address} is banned{_by(owner, answer['action'], rows)}{passing}"
    listed_by = ", ".join(dict.fromkeys(printable(row["id"]) for row in rows))
    though = f", although listed by {listed_by}" if listed_by else ""
    reasons = (
        (answer["allowed"], "it is allowed"),
        (answer["protected"], f"it is protected ({printable(answer['protected'])})"),
        (answer["reserved"], "it is in a reserved network"),
    )
    for reason in (text for applies, text in reasons if applies):
        return f"{address} is not banned: {reason}{though}"
    if owner is not None:
        return f"{address} is not banned, only watched{_by(owner, answer['action'], rows)}"
    if listed_by:
        return f"{address} is not banned{though}: not in force (try: banlistctl sources)"
    return f"{address} is not banned: no source lists it"


def _by(owner: str | None, action: str | None, rows: Sequence[ListingRow]) -> str:
    if owner is None:
        return ""
    mine = [_entry(row) for row in rows if row["id"] == owner]
    others = dict.fromkeys(printable(row["id"]) for row in rows if row["id"] != owner)
    which = f", which lists {' and '.join(mine)}" if mine else ""
    also = f"; also in: {', '.join(others)}" if others else ""
    return f" by {printable(owner)} ({printable(action)}){which}{also}"


def _entry(row: ListingRow) -> str:
    entry = printable(row["entry"])
    if row["since"] is None:
        return entry
    bans = "; ".join(_ban(ban) for ban in row.get("bans", ()))
    since_when = f"{entry} since {'' if row['exact'] else 'at least '}{moment(row['since'])}"
    return f"{since_when} ({bans})" if bans else since_when


def _ban(ban: ManualBanRow) -> str:
    comment = f": {printable(ban['comment'])}" if ban["comment"] else ""
    user = f" ({printable(ban['user'])})" if ban["user"] else ""
    return f"{printable(ban['origin'])}{user}, {until_when(ban)}{comment}"


CHECK: Command[str, CheckAnswer] = Command(
    name="check",
    help="whether an address is banned, by which source, since when",
    details="It also names the country and the network operator of the address, as far as they are known. "
    "Of an IPv6 address of NAT64 or 6to4 it names what bans the IPv4 address within.",
    method="GET",
    example={
        "address": "203.0.113.9",
        "banned": True,
        "allowed": False,
        "protected": "",
        "answers": "",
        "reserved": False,
        "owner": "spamhaus-drop",
        "action": "drop",
        "sources": [
            {"id": "spamhaus-drop", "entry": "203.0.113.0/24", "since": 1_790_000_000.0, "exact": True},
            {"id": "office-bans", "entry": "203.0.113.9", "since": None, "exact": True},
        ],
        "origin": {"country": "NO", "country_name": "Norway", "asn": 64496, "organisation": "Example Network"},
    },
    arguments=(Argument("address", "ADDRESS", "an IPv4 or IPv6 address"),),
    read=_read,
    answer=_answer,
    page=_page,
    exits={0: "the address is banned", NOT_FOUND: "the address is not banned"},
    errors=(UsageError,),
    judge=lambda answer: 0 if answer["banned"] else NOT_FOUND,
)
