"""What is allowed by command, as values: an order becomes entries, entries become protection. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from banlistd.errors import RefusedError
from banlistd.model import Family, Protected, Span

REASON = "allowed by command"

MOST_ALLOWS = 256
"""More than a person types, and few enough that each plan can look each of them up in each list."""

MOST_OF_A_NAME = 64
"""Addresses, as of a name in a configuration: the largest services give a dozen."""

AllowKey = tuple[Span, str]
"""The addresses, and the host name for which they are allowed; empty: for themselves."""


@dataclass(frozen=True, slots=True)
class ManualAllow:
    """Addresses (integers, both ends inclusive) that were allowed by command, in force until `expires_at`; None: for ever.

    Times in seconds since the epoch. `uid`: the user who ordered it; None where that is not known. `name`: the host name that
    was allowed, of which this is an address; empty: the addresses were.
    """

    family: Family
    first: int
    last: int
    comment: str
    created_at: float
    expires_at: float | None
    uid: int | None = None
    name: str = ""

    @property
    def span(self) -> Span:
        return self.family, self.first, self.last

    @property
    def key(self) -> AllowKey:
        return self.span, self.name

    def in_force(self, now: float) -> bool:
        return self.expires_at is None or now < self.expires_at

    def contains(self, span: Span) -> bool:
        family, first, last = span
        return family is self.family and self.first <= first and last <= self.last


@dataclass(frozen=True, slots=True)
class AllowOrder:
    """Allow these addresses for so many seconds or, None, for ever. `name`: the host name whose addresses they are."""

    spans: tuple[Span, ...]
    seconds: float | None
    comment: str
    uid: int | None = None
    name: str = ""

    def at(self, now: float) -> Sequence[ManualAllow]:
        """The entries, if it is carried out at a moment (seconds since the epoch)."""
        until = None if self.seconds is None else now + self.seconds
        return [ManualAllow(*span, self.comment, now, until, self.uid, self.name) for span in self.spans]


@dataclass(frozen=True, slots=True)
class NameOrder:
    """Allow the addresses of a host name, whatever they are, for so many seconds or, None, for ever."""

    name: str
    seconds: float | None
    comment: str
    uid: int | None = None

    def of(self, addresses: Sequence[str]) -> AllowOrder:
        """The order with the addresses of this moment. Raises RefusedError."""
        return AllowOrder(spans_of_name(self.name, addresses), self.seconds, self.comment, self.uid, self.name)


def spans_of_name(name: str, addresses: Sequence[str]) -> tuple[Span, ...]:
    """The addresses that a name service gives, as text, each once. Raises RefusedError where they are too many."""
    known = {ipaddress.ip_address(address.partition("%")[0]) for address in addresses}
    if len(known) > MOST_OF_A_NAME:
        words = f"the name service gives more than {MOST_OF_A_NAME} addresses for {name}"
        raise RefusedError(words, f"a name may have {MOST_OF_A_NAME} at most: allow its networks")
    spans = [(Family.IPV4 if one.version == 4 else Family.IPV6, int(one), int(one)) for one in known]  # noqa: PLR2004 - IP version four
    return tuple(sorted(spans))


def with_order(entries: Mapping[AllowKey, ManualAllow], order: AllowOrder, now: float) -> tuple[Sequence[ManualAllow], bool]:
    """The entries that an order makes, and whether those addresses, or that name, had none before. Raises RefusedError."""
    fresh = order.at(now)
    before = [entry for entry in _alike(entries, order) if entry.in_force(now)]
    _refuse_too_many(entries, fresh)
    if not before:
        return fresh, True
    # Of a name also the addresses of earlier answers, which go in their time.
    others = [entry for entry in before if entry.span not in order.spans]
    like = fresh[0]
    earlier = [replace(like, family=one.family, first=one.first, last=one.last) for one in others]
    return [replace(entry, created_at=before[0].created_at) for entry in (*fresh, *earlier)], False


def _alike(entries: Mapping[AllowKey, ManualAllow], order: AllowOrder) -> Iterable[ManualAllow]:
    if order.name:
        return (entry for entry in entries.values() if entry.name == order.name)
    return (entries[span, ""] for span in order.spans if (span, "") in entries)


def _refuse_too_many(entries: Mapping[AllowKey, ManualAllow], fresh: Sequence[ManualAllow]) -> None:
    news = sum(entry.key not in entries for entry in fresh)
    if news and len(entries) + news > MOST_ALLOWS:
        hint = "banlistctl disallow takes one away; allow: in the configuration may have any number"
        raise RefusedError(f"{MOST_ALLOWS} entries are allowed by command, and there may not be more", hint)


@dataclass(frozen=True, slots=True)
class Followed:
    """What becomes of the entries of a name with a new answer."""

    come: tuple[ManualAllow, ...]
    go: tuple[ManualAllow, ...]


def followed(
    entries: Mapping[AllowKey, ManualAllow],
    name: str,
    spans: Sequence[Span],
    seen: Mapping[AllowKey, float],
    now: float,
    ttl: float,
) -> Followed:
    """`spans`: what the name service gives for a name now. `seen`: when an answer last had the address of an entry. An address
    goes `ttl` seconds after the last answer that had it: large names give other addresses each time. Raises RefusedError.
    """
    mine = [entry for entry in entries.values() if entry.name == name]
    if not mine:
        return Followed((), ())
    like = max(mine, key=lambda entry: entry.created_at)
    come = [replace(like, family=family, first=first, last=last) for family, first, last in spans]
    come = [entry for entry in come if entry.key not in entries]
    absent = sorted((one for one in mine if one.span not in spans), key=lambda one: seen.get(one.key, now))
    # What the name has now comes before what it had.
    surplus = max(0, len(mine) + len(come) - MOST_OF_A_NAME)
    go = [one for at, one in enumerate(absent) if at < surplus or seen.get(one.key, now) + ttl <= now]
    _refuse_too_many({key: entry for key, entry in entries.items() if entry not in go}, come)
    return Followed(tuple(come), tuple(go))


def protection_of_allows(entries: Iterable[ManualAllow], now: float) -> Sequence[Protected]:
    """What is protected at a moment because it was allowed by command. A manual ban gives way to it."""
    return [
        Protected(*entry.span, REASON, since=entry.created_at, until=entry.expires_at)
        for entry in entries
        if entry.in_force(now)
    ]
