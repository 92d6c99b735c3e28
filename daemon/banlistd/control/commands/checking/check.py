"""banlistctl check: whether addresses are banned, by which source, and since when."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict, TypeGuard

from banlistd.control.commands.checking.address import (
    CheckAnswer,
    answer_on_address,
    origin_lines,
    parts_in_words,
    sentence_on,
    why_not,
)
from banlistd.control.commands.checking.network import NetworkAnswer, answer_on_network, banned_part, network_lines
from banlistd.control.commands.checking.past import PastAnswer, answer_on_past, past_lines
from banlistd.control.commands.checking.targets import MOST_TARGETS, requests_of
from banlistd.control.commands.past.moments import TIME_HELP, moment_argument, read_moment
from banlistd.control.declaration import NOT_FOUND, Argument, Command, PageContext
from banlistd.control.page import Column, Page, Table
from banlistd.core.printing import printable
from banlistd.errors import UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.model import Span


class NameAnswer(TypedDict):
    """Of a host name: its addresses at this moment. `banned`: whether all of them are."""

    name: str
    banned: bool
    addresses: list[CheckAnswer]


Checked = CheckAnswer | NetworkAnswer | NameAnswer | PastAnswer


class PastOrder(NamedTuple):
    """`at`: seconds since the epoch; None: all that is kept of it."""

    text: str
    at: float | None


def _read(request: "ControlRequest") -> str | PastOrder:
    address, history = request.text("address"), request.text("history").lower()
    if not address:
        raise UsageError("no address is given", "GET /v1/check?address=192.0.2.1")
    if history not in ("", "true", "false"):
        raise UsageError(f"history={history[:60]!a} is not possible", "true or false")
    at = read_moment(request.text("at"), "at")
    if at is not None and history == "true":
        raise UsageError("at and history exclude each other", "at: one moment; history: all that is kept")
    return address if at is None and history != "true" else PastOrder(address, at)


async def _answer(parts: "Parts", order: str | PastOrder) -> CheckAnswer | NetworkAnswer | NameAnswer | PastAnswer:
    from banlistd.control.lookups import is_name, read_address, read_network

    if isinstance(order, PastOrder):
        return await answer_on_past(parts, _span(order.text), order.at)
    text = order
    if is_name(text):
        found = [await answer_on_address(parts, *read_address(address)) for address in await parts.resolve(text)]
        return {"name": text, "banned": all(answer["banned"] for answer in found), "addresses": found}
    if "/" in text or "-" in text:
        family, first, last = span = read_network(text)
        return await (answer_on_network(parts, span) if first < last else answer_on_address(parts, family, first))
    return await answer_on_address(parts, *read_address(text))


def _span(text: str) -> "Span":
    from banlistd.control.lookups import is_name, read_address, read_network

    if is_name(text):
        raise UsageError("a host name has no history here", "its addresses have: banlistctl check NAME shows them")
    if "/" in text or "-" in text:
        return read_network(text)
    family, number = read_address(text)
    return family, number, number


def _page(answer: Checked | Sequence[Checked], _: PageContext) -> Page:
    """Sentences on one; a row for each of several."""
    if not isinstance(answer, dict):
        past = [one for one in answer if _is_past(one)]
        if past:
            return [line for one in past for line in past_lines(one)]
        return [Table(_COLUMNS, tuple(row for one in answer for row in _rows(one)))]
    if _is_name(answer):
        return [Table(_COLUMNS, tuple(_rows(answer)))]
    if _is_past(answer):
        return past_lines(answer)
    if _is_network(answer):
        return network_lines(answer)
    if _is_address(answer):
        return [sentence_on(answer), *origin_lines(answer["origin"])]
    raise KeyError("address")


def _is_name(answer: Checked) -> TypeGuard[NameAnswer]:
    return "name" in answer


def _is_network(answer: Checked) -> TypeGuard[NetworkAnswer]:
    return "banned_addresses" in answer


def _is_past(answer: Checked) -> TypeGuard[PastAnswer]:
    return "periods" in answer


def _is_address(answer: Checked) -> TypeGuard[CheckAnswer]:
    return "owner" in answer


_COLUMNS = (Column("ADDRESS"), Column("BANNED"), Column("BY", spare=1), Column("NAME", spare=2), Column("WHY", below=True))


def _rows(answer: Checked, name: str = "") -> list[tuple[str, ...]]:
    if _is_name(answer):
        return [row for one in answer["addresses"] for row in _rows(one, printable(answer["name"]))]
    if _is_network(answer):
        banned = "yes" if answer["banned"] else "in part" if answer["banned_addresses"] else "no"
        listed = ", ".join(printable(row["id"]) for row in answer["sources"]) if answer["banned_addresses"] else ""
        return [(printable(answer["address"]), banned, listed, name, banned_part(answer))]
    if _is_address(answer):
        owner = printable(answer["owner"] or "")
        if answer["banned"]:
            return [(printable(answer["address"]), "yes", owner, name, "")]
        if answer["partly"]:
            listed = ", ".join(dict.fromkeys(printable(row["id"]) for row in answer["partly"]))
            return [(printable(answer["address"]), "in part", listed, name, parts_in_words(answer))]
        return [(printable(answer["address"]), "no", "", name, why_not(answer).lstrip(":, "))]
    raise KeyError("address")


def _judge(answer: Checked | Sequence[Checked]) -> int:
    answers = [answer] if isinstance(answer, dict) else answer
    return 0 if all(one["listed"] if _is_past(one) else _is_banned(one) for one in answers) else NOT_FOUND


def _is_banned(answer: Checked) -> bool:
    return not _is_past(answer) and bool(answer.get("banned"))


CHECK: Command[str | PastOrder, Checked] = Command(
    name="check",
    help="whether addresses are banned, by which source, since when",
    details="It also names the country and the network operator of an address, as far as they are known. "
    "Of one that is banned in a scope (`ports`, `interfaces`, ...) it says which packets are blocked. "
    "Of an IPv6 address of NAT64 or 6to4 it names what bans the IPv4 address within. Of a network or a range it says how much"
    " of it is banned, and how many of its addresses each source lists. The addresses of a host name are those of this moment;"
    " the daemon looks them up, for at most five seconds. A file has one address, network, range or host name a line, and"
    f" comments after #; banlistctl reads it. At most {MOST_TARGETS:,} are checked at once. With --json, the answer on more"
    " than one argument, and on a file, is an array. With --at it says which lists had an address or a network at a moment,"
    " since and until when, and which import run brought it; with --history, all such times. What `history` of a source"
    " keeps is known, manual bans, and what was allowed or protected.",
    method="GET",
    example={
        "address": "203.0.113.9",
        "banned": True,
        "allowed": False,
        "allowed_by": [],
        "protected": "",
        "answers": "",
        "reserved": False,
        "owner": "spamhaus-drop",
        "action": "drop",
        "partly": [],
        "waiting": [],
        "sources": [
            {"id": "spamhaus-drop", "entry": "203.0.113.0/24", "since": 1_790_000_000.0, "exact": True, "action": "drop"},
            {"id": "office-bans", "entry": "203.0.113.9", "since": None, "exact": True, "action": "drop"},
        ],
        "origin": {"country": "NO", "country_name": "Norway", "asn": 64496, "organisation": "Example Network"},
    },
    arguments=(
        Argument(
            "address",
            "ADDRESS",
            "an address, a CIDR network, a range a-b, a host name, @FILE, or - for stdin",
            nargs="+",
        ),
        Argument("--at", "TIME", f"what the lists had then, and not now: {TIME_HELP}", kind=moment_argument),
        Argument("--history", "", "when the lists had it, first and last, as far as it is known", is_flag=True),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    exits={
        0: "all of it is banned; with --at and --history: a list had it then, or has it",
        NOT_FOUND: "not all of it is banned, or listed",
    },
    errors=(UsageError,),
    judge=_judge,
    requests=requests_of,
    timeout=60.0,
)
