"""Manual bans, as values: orders are read and checked, bans become the content of a source. Pure."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np

from banlistd.core.addresses.embedded import TEREDO
from banlistd.core.addresses.reserved import RESERVED
from banlistd.core.addresses.sets import (
    FAMILIES,
    AddressSet,
    Ranges,
    from_numbers,
    intersection,
    subtract,
    to_number,
    union_of,
)
from banlistd.core.addresses.text import range_text, span_text
from banlistd.core.config.values import Unfit, addresses, confirm_time, duration_within, note
from banlistd.core.manual.ban_index import BanPlace
from banlistd.core.printing import shown
from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.protection import allowed_within, forms, protected_within
from banlistd.core.ruleset.scoping.by_hand import read_scope, spans_as_set
from banlistd.errors import UsageError
from banlistd.model import Family, ManualBan, Mark, Protected, Span
from banlistd.scopes.scope import Scope

Value = TypeVar("Value")

OPERATOR = "operator"
"""The origin of a ban that names none."""

# Wider than any person means who types it: lists are quarantined from here on too (config, Guards).
WIDEST: Mapping[Family, int] = {Family.IPV4: 8, Family.IPV6: 12}

LONGEST = "3650d"

MOST_BANS = 100_000
"""Bans of one origin: more than any log brings in, few enough for memory and for an order in 60 ms (measured)."""

_MOST_SESSIONS = 64  # addresses; a user has a few

_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/:@+-]{0,59}", re.ASCII)
_duration = duration_within("1s", LONGEST)


@dataclass(frozen=True, slots=True)
class BanOrder:
    """Ban these addresses (integers, inclusive), for so many seconds or, None, for ever. `uid`: the user who orders it.

    `confirm`: lift it after so many seconds unless it is confirmed; None: it needs no confirmation. `scope` None: all packets.
    """

    family: Family
    first: int
    last: int
    seconds: float | None
    origin: str
    comment: str
    uid: int | None = None
    confirm: float | None = None
    scope: Scope | None = None

    @property
    def span(self) -> Span:
        return self.family, self.first, self.last

    def at(self, now: float) -> ManualBan:
        """The ban, if it is carried out at a moment (seconds since the epoch)."""
        until = None if self.seconds is None else now + self.seconds
        confirm_by = None if self.confirm is None else now + self.confirm
        end = until, self.uid, confirm_by, self.scope
        return ManualBan(self.family, self.first, self.last, self.origin, self.comment, now, *end)


@dataclass(frozen=True, slots=True)
class UnbanOrder:
    """Lift bans: of exactly these addresses or, None, of all; those of one origin or, None, of every one. Never both None."""

    span: Span | None
    origin: str | None


@dataclass(frozen=True, slots=True)
class ConfirmOrder:
    """Confirm the bans of exactly these addresses, of every origin, that wait for it."""

    span: Span


@dataclass(frozen=True, slots=True)
class Exemption:
    """What of a ban is not banned after all, and why, for a person."""

    address: str
    reason: str


def read_ban(fields: Mapping[str, object], uid: int | None = None) -> BanOrder:
    """An order from its fields: `address`, and maybe `for`, `confirm`, `origin`, `comment`, `session`, `force`,
    `prefix6` (the length of the network that is banned around a single IPv6 address), and those of `read_scope`.

    Raises UsageError. A ban of the address that the caller's own session comes from needs `force`.
    """
    seconds = _read("for", _duration, fields) if "for" in fields else None
    confirm = _read("confirm", confirm_time, fields) if "confirm" in fields else None
    if seconds is not None and confirm is not None and seconds <= confirm:
        raise UsageError("the ban would end before its confirmation is due", "--confirm is shorter than --for")
    origin = _read("origin", _origin, fields) if "origin" in fields else OPERATOR
    comment = _read("comment", note, fields) if "comment" in fields else ""
    order = BanOrder(*_span(fields), seconds, origin, comment, uid, confirm, read_scope(fields))
    refusal_of_own_session(fields)(order.span)
    return order


def refusal_of_own_session(fields: Mapping[str, object]) -> Callable[[Span], None]:
    """Raises UsageError, given what is to be banned, if the caller's own session comes from there and `force` is not given.

    `session`: an address, or several with blanks between, each of which it may come from.
    """
    if "session" not in fields or fields.get("force") is True:
        return lambda _: None
    sessions = _read("session", lambda text: [*map(_session, text.split()[:_MOST_SESSIONS] or [text])], fields)
    families = {4: Family.IPV4, 6: Family.IPV6}
    own = [(one, form) for one in sessions for form in forms((families[one.version], int(one), int(one)))]

    def check(span: Span) -> None:
        for one, form in own:
            if _overlap(span, form):
                raise UsageError(f"{one} is where your own session comes from", "--force bans it nevertheless")

    return check


def _session(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """As logind has it: a server of both families, as Cockpit's, says ::ffff:192.0.2.1 of a client with an IPv4 address."""
    try:
        mapped = ipaddress.IPv6Address(text).ipv4_mapped
    except ValueError:
        mapped = None
    return mapped or addresses(text)[0]


def read_unban(fields: Mapping[str, object]) -> UnbanOrder:
    """An order from its fields: `address`, `origin`, or both. Raises UsageError."""
    origin = _read("origin", _origin, fields) if "origin" in fields else None
    if origin is None and "address" not in fields:
        raise UsageError("no address is given", "banlistctl unban ADDRESS, or all bans of one origin: unban --origin NAME")
    return UnbanOrder(_span(fields) if origin is None or "address" in fields else None, origin)


def read_confirm(fields: Mapping[str, object]) -> ConfirmOrder:
    """An order from its field `address`. Raises UsageError."""
    return ConfirmOrder(_span(fields))


def read_place(text: str) -> BanPlace:
    """The place of a ban in the order of age, as CREATED_AT|ADDRESS|ORIGIN. Raises UsageError."""
    try:
        moment, address, origin = text.split("|")
        first, last = addresses(address)
        family = Family.IPV4 if first.version == 4 else Family.IPV6  # noqa: PLR2004 - IP version four
        return float(moment), family, int(first), int(last), origin
    except (ValueError, Unfit) as error:
        hint = "created_at, address and origin of the last ban before: 1790000000.0|203.0.113.7|operator"
        raise UsageError(f"{shown(text)} names no ban", hint) from error


def addresses_of(bans: Iterable[BanOrder | ManualBan]) -> AddressSet:
    """The addresses of bans of all packets."""
    return spans_as_set(ban.span for ban in bans if ban.scope is None)


def too_wide(order: BanOrder) -> bool:
    """Whether an order bans more than `WIDEST` allows."""
    width = 32 if order.family is Family.IPV4 else 128
    return order.last - order.first + 1 > 1 << (width - WIDEST[order.family])


def exemptions_of(
    ban: BanOrder | ManualBan, policy: Policy, protected: Sequence[Protected]
) -> tuple[bool, tuple[Exemption, ...]]:
    """Whether nothing at all of a ban can be in force, and what of it is not, with the reasons.

    A manual ban overrides learned protection, unless it is of some packets only.
    """
    protected = [item for item in protected if not item.learned or (ban.scope is not None and not item.answers)]
    span = Ranges(ban.family, from_numbers(ban.family, [ban.first]), from_numbers(ban.family, [ban.last]))
    kept = [(first, last) for item in protected for _, first, last in _forms(item, ban.family)]
    guarded = union_of(
        ban.family, from_numbers(ban.family, [first for first, _ in kept]), from_numbers(ban.family, [last for _, last in kept])
    )
    left = subtract(subtract(span, policy.never_banned[ban.family]), guarded)
    reasons = [*_reasons(span, policy, protected)]
    if ban.family is Family.IPV6:
        for within, exemption in _forms_within(spans_as_set([ban.span]), policy, protected):
            left = subtract(left, within)
            reasons.append(exemption)
    return not len(left), tuple(dict.fromkeys(reasons))


def exemptions_of_each(
    bans: Sequence[ManualBan], policy: Policy, protected: Sequence[Protected]
) -> Sequence[tuple[bool, tuple[Exemption, ...]]]:
    """`exemptions_of` of many bans: only what touches something that may not be banned is looked at closely."""
    suspects = set[int]()
    for family in FAMILIES:
        places = [place for place, ban in enumerate(bans) if ban.family is family]
        first, last = (from_numbers(family, [getattr(bans[place], end) for place in places]) for end in ("first", "last"))
        kept = [form[1:] for item in protected for form in _forms(item, family)]
        guarded = union_of(
            family,
            np.concatenate([policy.never_banned[family].first, from_numbers(family, [low for low, _ in kept])]),
            np.concatenate([policy.never_banned[family].last, from_numbers(family, [high for _, high in kept])]),
        )
        touches = guarded.first.searchsorted(last, side="right") > guarded.last.searchsorted(first, side="left")
        if family is Family.IPV6 and len(policy.allowed[Family.IPV4]):
            touches[:] = True  # any entry may have ISATAP addresses of what is allowed
        elif family is Family.IPV6:
            low, high = from_numbers(family, [TEREDO << 96, (TEREDO + 1 << 96) - 1])
            touches |= (first <= high) & (last >= low)
        suspects |= {places[at] for at in np.flatnonzero(touches).tolist()}
    return [exemptions_of(ban, policy, protected) if at in suspects else (False, ()) for at, ban in enumerate(bans)]


def _forms_within(listed: AddressSet, policy: Policy, protected: Sequence[Protected]) -> Iterator[tuple[Ranges, Exemption]]:
    """What of a ban is a Teredo or ISATAP address of what is allowed, or a Teredo address of what is protected."""
    allowed = allowed_within(listed, policy.allowed)
    for first, last in zip(allowed.first, allowed.last, strict=True):
        yield allowed, Exemption(range_text(Family.IPV6, first, last), "allowed")
    for item in protected:
        within = protected_within(listed, item.span)
        if len(within):
            yield within, Exemption(span_text(item.span), item.reason)


def found_in(contents: Mapping[Mark, AddressSet], mark: Mark, now: float) -> Sequence[ManualBan]:
    """Manual bans whose rows are lost, recovered from the firewall: the addresses under `mark` that no other source has."""
    mine = contents.get(mark, AddressSet.none())
    bans = []
    for family in FAMILIES:
        hosts, nets = mine.hosts(family), mine.nets(family)
        for other in (content for number, content in contents.items() if number != mark):
            hosts, nets = hosts[~other.holds(family, hosts)], subtract(nets, other.ranges(family))
        bounds = [*zip(hosts, hosts, strict=True), *zip(nets.first, nets.last, strict=True)]
        bans += [
            ManualBan(family, to_number(first), to_number(last), OPERATOR, "its record was lost", now, None)
            for first, last in bounds
        ]
    return bans


def _span(fields: Mapping[str, object]) -> Span:
    first, last = _read("address", addresses, fields)
    if first.version == 4:  # noqa: PLR2004 - IP version four
        return Family.IPV4, int(first), int(last)
    below = 0
    if "prefix6" in fields and first == last:
        below = (1 << 128 - _read("prefix6", _prefix6, fields)) - 1
    return Family.IPV6, int(first) & ~below, int(last) | below


def _prefix6(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 48 <= int(text) <= 128):  # noqa: PLR2004
        raise Unfit(f"{shown(text)} is no prefix length of a single site", "write 48 to 128; 64 is one network of hosts")
    return int(text)


def _overlap(one: Span, other: Span) -> bool:
    return one[0] is other[0] and one[1] <= other[2] and other[1] <= one[2]


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise Unfit(f"{shown(text)} is not an origin", "letters, digits, blanks and . _ / : @ + -, at most 60")
    return text


def _read(key: str, reader: Callable[[str], Value], fields: Mapping[str, object]) -> Value:
    text = fields.get(key)
    if not isinstance(text, str):
        raise UsageError(f"{key}: {'is missing' if text is None else 'is no text'}", '{"address": "192.0.2.7", "for": "10m"}')
    try:
        return reader(text)
    except Unfit as verdict:
        raise UsageError(f"{key}: {verdict.words}", verdict.hint) from verdict


def _forms(item: Protected, family: Family) -> Iterator[Span]:
    return (form for form in forms(item.span) if form[0] is family)


def _reasons(span: Ranges, policy: Policy, protected: Sequence[Protected]) -> Iterator[Exemption]:
    """What of a range may not be banned: allowed, protected, reserved."""
    allowed = intersection(span, policy.allowed[span.family])
    for first, last in zip(allowed.first, allowed.last, strict=True):
        yield Exemption(range_text(span.family, first, last), "allowed")
    low, high = to_number(span.first[0]), to_number(span.last[0])
    for item in protected:
        if any(first <= high and low <= last for _, first, last in _forms(item, span.family)):
            yield Exemption(span_text(item.span), item.reason)
    for family, first, last, text in _reserved_spans():
        if family is span.family and first <= high and low <= last:
            yield Exemption(text, RESERVED[text])


@cache
def _reserved_spans() -> Sequence[tuple[Family, int, int, str]]:
    networks = [(text, ipaddress.ip_network(text)) for text in RESERVED]
    return [
        (Family.IPV4 if network.version == 4 else Family.IPV6, int(network[0]), int(network[-1]), text)  # noqa: PLR2004 - IP version four
        for text, network in networks
    ]
