"""Whether one address is banned, by which source, and since when: the answer, and its sentence."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NotRequired, TypedDict

from banlistd.control.commands.allowing.rows import AllowedRow, allowed_rows, allowed_words
from banlistd.control.commands.manual_bans.rows import ManualBanRow, ban_rows, until_when
from banlistd.control.page import moment
from banlistd.core.printing import printable
from banlistd.scopes.names import is_by_hand

if TYPE_CHECKING:
    from banlistd.control.lookups import ScopedOwner
    from banlistd.control.parts import Parts
    from banlistd.model import Family


# Of `Action`, which this tool need not import.
_NO_ACTION, _ALLOWS = "none", "allow"
_OUT = "out"


class ListingRow(TypedDict):
    """A source that lists the address. `exact`: whether `since` is the moment, not the earliest one that is remembered.

    `bans`: only for the source `manual`. `parts`: only for a source that is made of others: those of them that list it now.
    """

    id: str
    entry: str
    since: float | None
    exact: bool
    action: str
    bans: NotRequired[list[ManualBanRow]]
    parts: NotRequired[list[str]]


class PartRow(TypedDict):
    """A source that bans some packets only: `packets` in words, `direction` in (from the address) or out (to it)."""

    id: str
    action: str
    direction: str
    packets: str


class OriginRow(TypedDict):
    """Empty strings and null: not known."""

    country: str
    country_name: str
    asn: int | None
    organisation: str


class CheckAnswer(TypedDict):
    """`owner` and `action`: of the source whose element matches in the firewall, whatever the packet. `partly`: what bans some
    packets; the rest passes unless `banned`. `waiting`: manual bans of some packets that the backend cannot carry out.
    `protected`: why no source bans the address, or empty. `answers`: what passes from it even where it is banned, and why, or
    empty. `allowed_by`: what allows it.
    """

    address: str
    banned: bool
    allowed: bool
    allowed_by: list[AllowedRow]
    protected: str
    answers: str
    reserved: bool
    owner: str | None
    action: str | None
    partly: list[PartRow]
    waiting: list[ManualBanRow]
    sources: list[ListingRow]
    origin: OriginRow


async def answer_on_address(parts: "Parts", family: "Family", number: int) -> CheckAnswer:
    from banlistd.control.lookups import (
        entry_of,
        is_allowed,
        listed_since,
        owner_of,
        protections_of,
        scoped_owners,
        translated_owner,
    )
    from banlistd.core.addresses.sets import from_numbers, to_text
    from banlistd.model import MANUAL, Family

    needle = from_numbers(family, [number])
    policy = parts.enforcer.effective_policy
    address = to_text(family, needle[0])
    owner = owner_of(parts.enforcer.state, family, number)
    translates = parts.service.config.translates
    scoped = scoped_owners(parts.enforcer.state, family, number, translates=translates)
    waiting = [ban for ban in parts.banning.containing(family, number) if not parts.banning.is_possible(ban)]
    protections = protections_of(parts.enforcer.protected, family, number)
    allowed_by = await allowed_rows(parts, (family, number, number))
    allowed = bool(allowed_by) or is_allowed(policy.allowed, family, number)
    reserved = not allowed and bool(policy.never_banned[family].contains(needle)[0])
    if family is Family.IPV6 and not allowed and translates and not (owner and owner.action.blocks):
        translated = translated_owner(parts.enforcer.state, number)
        if translated is not None:
            owner, number = translated
            family, needle = Family.IPV4, from_numbers(Family.IPV4, [number])
    listings: list[ListingRow] = []
    combinations = {source.id: source.combination for source in parts.service.config.sources}
    for candidate in policy.sources:
        content = parts.enforcer.content(candidate.source_id)
        entry = entry_of(content.addresses, family, needle) if content else ""
        if entry and is_by_hand(candidate.source_id):
            if any(row["id"] == MANUAL for row in listings):
                continue  # it has the bans of every scope
            listings.append(await _manual(parts, entry, family, number))
        elif entry:
            since, exact = await listed_since(parts.ledger, candidate.source_id, family, number)
            row: ListingRow = {
                "id": candidate.source_id,
                "entry": entry,
                "since": since,
                "exact": exact,
                "action": str(candidate.action),
            }
            if combination := combinations.get(candidate.source_id):
                contents = ((part, parts.enforcer.content(part)) for part in combination.parts)
                row["parts"] = [part for part, has in contents if has and has.addresses.contains(family, number)]
            listings.append(row)
    (origin,) = await parts.enricher.origins_of(family, [number])
    return {
        "address": address,
        "banned": owner is not None and owner.action.blocks,
        "allowed": allowed,
        "allowed_by": allowed_by,
        "protected": next((item.reason for item in protections if not item.answers), ""),
        "answers": next((f"{item.scope} ({item.reason})" for item in protections if item.answers), ""),
        "reserved": reserved,
        "owner": owner.source_id if owner else None,
        "action": str(owner.action) if owner else None,
        "partly": _parts_of(scoped),
        "waiting": await ban_rows(waiting, parts.user_name),
        "sources": listings,
        "origin": {
            "country": origin.country,
            "country_name": origin.country_name,
            "asn": origin.asn,
            "organisation": origin.organisation,
        },
    }


def _parts_of(scoped: "Sequence[ScopedOwner]") -> list[PartRow]:
    from banlistd.model import MANUAL

    return [
        {
            "id": MANUAL if is_by_hand(owner.source_id) else owner.source_id,
            "action": str(owner.action),
            "direction": str(direction),
            "packets": str(owner.scope),
        }
        for owner, direction in scoped
    ]


async def _manual(parts: "Parts", entry: str, family: "Family", number: int) -> ListingRow:
    from banlistd.model import MANUAL, Action

    mine = parts.banning.containing(family, number)
    since = min((ban.created_at for ban in mine), default=None)
    rows = await ban_rows(mine, parts.user_name)
    return {"id": MANUAL, "entry": entry, "since": since, "exact": True, "action": str(Action.DROP), "bans": rows}


def origin_lines(origin: OriginRow) -> list[str]:
    """Where an address belongs, as far as it is known."""
    country, name = printable(origin["country"]), printable(origin["country_name"])
    where = f"{name} ({country})" if country and name else country
    number = "" if origin["asn"] is None else f"AS{origin['asn']}"
    parts = [part for part in (where, f"{number} {printable(origin['organisation'])}".strip()) if part]
    return [f"  {', '.join(parts)}"] if parts else []


def sentence_on(answer: CheckAnswer) -> str:
    """One sentence: banned by which source, with which entry, since when; or why not."""
    address = printable(answer["address"])
    if answer["banned"]:
        passing = f"; only {printable(answer['answers'])} pass" if answer["answers"] else ""
        return f"{address} is banned{_by(answer['owner'], answer['action'], answer['sources'])}{passing}"
    if answer["partly"]:
        return f"{address} is banned in part: {parts_in_words(answer)}; its other packets pass"
    return f"{address} is not banned{why_not(answer)}"


def parts_in_words(answer: CheckAnswer) -> str:
    """What of an address is banned that is not banned wholly, and by which sources."""
    words = (
        f"{'to it, ' if row['direction'] == _OUT else ''}{printable(row['packets'])} by {printable(row['id'])}"
        f" ({printable(row['action'])})"
        for row in answer["partly"]
    )
    return "; ".join(words)


def why_not(answer: CheckAnswer) -> str:
    """Why an address is not banned, to follow those words."""
    rows, owner = answer["sources"], answer["owner"]
    listed_by = ", ".join(dict.fromkeys(printable(row["id"]) for row in rows if row["action"] != _ALLOWS))
    though = f", although listed by {listed_by}" if listed_by else ""
    reasons = (
        (answer["allowed"], f"it is allowed{_allowed_by(answer['allowed_by'])}"),
        (answer["protected"], f"it is protected ({printable(answer['protected'])})"),
        (answer["reserved"], "it is in a reserved network"),
    )
    for reason in (text for applies, text in reasons if applies):
        return f": {reason}{though}"
    if answer["waiting"]:
        bans = ", ".join(f"{printable(ban['packets'])} by {printable(ban['origin'])}" for ban in answer["waiting"])
        return f"{though}: a manual ban ({bans}) is not in force, because the backend bans all packets of an address, or none"
    if owner is not None:
        return f", only watched{_by(owner, answer['action'], rows)}"
    if listed_by and all(row["action"] in (_NO_ACTION, _ALLOWS) for row in rows):
        return f"{though}: with action none a list bans nothing"
    if listed_by:
        return f"{though}: not in force (try: banlistctl sources)"
    return ": no source lists it"


def _allowed_by(rows: Sequence[AllowedRow]) -> str:
    return f" {' and '.join(map(allowed_words, rows))}" if rows else ""


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
    since_when = f"{entry} since {'' if row['exact'] else 'at least '}{moment(row['since'])}{_made_of(row)}"
    return f"{since_when} ({bans})" if bans else since_when


def _made_of(row: ListingRow) -> str:
    """Which parts of a combination list it; none of them where it has left them within the window."""
    if "parts" not in row:
        return ""
    listing = ", ".join(map(printable, row["parts"]))
    return f" (it is in {listing})" if listing else " (it has left its parts, within the window)"


def _ban(ban: ManualBanRow) -> str:
    comment = f": {printable(ban['comment'])}" if ban["comment"] else ""
    user = f" ({printable(ban['user'])})" if ban["user"] else ""
    return f"{printable(ban['origin'])}{user}, {until_when(ban)}{comment}"
