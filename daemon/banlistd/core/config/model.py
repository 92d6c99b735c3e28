"""The configuration as the program sees it: frozen, typed, with every default filled in.

`config_reading` makes it of files. Rules that span several keys are checked there, because there the line is known.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from banlistd.backends import BackendName
from banlistd.core.addresses.sets import FAMILIES, Ranges, from_numbers, union_of
from banlistd.core.config import geo as geography
from banlistd.core.config import guards as limits
from banlistd.core.config import values
from banlistd.formats import Format
from banlistd.model import Action, Direction, Family, Ownership, SourceId


class LogFormat(StrEnum):
    """How events are written: `auto` is the journal where there is one, logfmt on stderr otherwise."""

    AUTO = "auto"
    LOGFMT = "logfmt"
    JSON = "json"


def text(read: Callable[[str], object]) -> BeforeValidator:
    """Files hold text, which `read` turns into the value; code may hand over the value itself."""

    def validate(value: object) -> object:
        if isinstance(value, str):
            return read(value)
        if isinstance(value, list | dict):
            raise values.Unfit(f"is a {'list' if isinstance(value, list) else 'mapping'}", "write one value")
        return value

    return BeforeValidator(validate)


Every = Annotated[float, text(values.duration_within("10s", "365d"))]
Timeout = Annotated[float, text(values.duration_within("1s", "1h"))]
Size = Annotated[int, text(values.size)]
Switch = Annotated[bool, text(values.switch)]
Note = Annotated[str, text(values.note)]
WrittenAction = Annotated[Action, text(values.one_of(Action, "an action"))]
WrittenDirection = Annotated[Direction, text(values.one_of(Direction, "a direction"))]
Span = Annotated[float, text(limits.span_within("1m", "365d"))]
HeaderName = Annotated[str, text(values.header_name)]
HeaderValue = Annotated[str, text(values.header_value)]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Guards(Frozen):
    """What refuses a list, and from where on. Parts of 1, prefix lengths, seconds; what is off is infinite (a length: 0).

    The defaults come from 194,209 stored versions of 21 real lists (measured): a version changes 0.03 % to 1 % of its list; of
    1,051 sudden cuts by more than half 1,041 were accidents, which lasted 19 hours at most, but for one Tor list. Of 95 real
    lists, those that are meant for blocking cover at most 9 % of IPv4, in stretches no wider than a /8.
    """

    html: Switch = Field(default=True, description="refuses a web page in place of a list")
    unparseable: Annotated[float, text(limits.percentage_within(0, 100))] = Field(
        default=0.5, description="refuses a list of which more lines than these hold no address"
    )
    truncated: Switch = Field(default=True, description="refuses a list that holds less than it says itself")
    shrink: Annotated[float, text(limits.percentage_within(0, 100))] = Field(
        default=0.5, description="refuses a list that lost more than this since the last good one"
    )
    grow: Annotated[float, text(limits.percentage_within(0, 999999))] = Field(
        default=3.0, description="refuses a list that grew by more than this since the last good one"
    )
    share: Annotated[float, text(limits.percentage_within(0, 100))] = Field(
        default=0.1, description="refuses a list that covers more than this of the address space"
    )
    widest4: Annotated[int, text(limits.prefix_within(1, 32))] = Field(
        default=8, description="refuses a list with an IPv4 network wider than this prefix length"
    )
    widest6: Annotated[int, text(limits.prefix_within(1, 128))] = Field(
        default=12, description="refuses a list with an IPv6 network wider than this prefix length"
    )
    settle: Span = Field(default=3 * 86400.0, description="a list that stays shrunk for so long is taken")
    max_age: Span = Field(default=7 * 86400.0, description="a last good list that is older is reported as stale")


class Defaults(Frozen):
    """What holds for every source that does not say otherwise. Times in seconds, sizes in octets."""

    every: Every = Field(default=3600.0, description="how often the list is asked for: 90s, 15m, 1h, 1d")
    action: WrittenAction = Field(default=Action.DROP, description="what happens to a packet of a banned address")
    direction: WrittenDirection = Field(default=Direction.IN, description="in: from banned addresses, out: to them")
    timeout: Timeout = Field(default=60.0, description="for the whole download")
    # Three million addresses are 45 MB; a body without an end costs 55 MB of memory until it is refused (measured).
    max_bytes: Size = Field(default=48 * 2**20, description="the largest list, before and after decompression")
    guards: Guards = Field(default=Guards(), description="what refuses a list, so that the last good one stays")


def several(value: object) -> object:
    """One value may stand for a list of one."""
    return [value] if isinstance(value, str) else value


class Block(Frozen):
    """Everybody in these countries and networks, as far as local databases know."""

    countries: Annotated[tuple[Annotated[str, text(geography.country)], ...], BeforeValidator(several)] = Field(
        default=(), description="two letters of ISO 3166 each: NO, SE"
    )
    asns: Annotated[tuple[Annotated[int, text(geography.asn)], ...], BeforeValidator(several)] = Field(
        default=(), description="numbers of network operators: AS64496, or 64496"
    )


class Source(Defaults):
    """One list. Exactly one of `url`, `path` and `block` is set; `path` is absolute."""

    id: Annotated[SourceId, text(values.source_id)] = Field(description="its name: a-z, 0-9 and hyphens")
    url: Annotated[str | None, text(values.url)] = Field(default=None, description="where it is downloaded from")
    path: Annotated[Path | None, text(values.path)] = Field(default=None, description="the file, re-read on change")
    block: Block | None = Field(default=None, description="whole countries and networks, from a local database")
    format: Format = Field(default=Format(), description="how it is written down")
    enabled: Switch = Field(default=True, description="false: neither polled nor banned")
    allow_empty: Switch = Field(default=False, description="whether the list may have no entry")
    # Not in repr: a header may hold a secret.
    headers: Mapping[HeaderName, HeaderValue] = Field(default={}, repr=False, description="sent with each request")
    comment: Note = Field(default="", description="for people")
    home: Note = Field(default="", description="its publisher's page")
    licence: Note = Field(default="", description="on which terms it may be used")


class CatalogueEntry(Frozen):
    """A list that is known by name. `minimum`: the shortest interval that its publisher bears with, in seconds."""

    id: Annotated[SourceId, text(values.source_id)]
    url: Annotated[str, text(values.url)]
    format: Format = Format()
    every: Every
    minimum: Every
    allow_empty: Switch = False
    direction: WrittenDirection = Direction.IN
    home: Note
    licence: Note
    comment: Note


class AllowEntry(Frozen):
    """Addresses that are never banned, `first` to `last` inclusive.

    `until`: a day counts to its end in UTC, a moment (with a zone) to its second; None is for ever.
    """

    first: IPv4Address | IPv6Address
    last: IPv4Address | IPv6Address
    comment: Note = ""
    until: dt.datetime | dt.date | None = None

    @property
    def family(self) -> Family:
        return Family.IPV4 if isinstance(self.first, IPv4Address) else Family.IPV6

    def in_force(self, now: float) -> bool:
        """At a moment, in seconds since the epoch."""
        if self.until is None:
            return True
        if isinstance(self.until, dt.datetime):
            return now < self.until.timestamp()
        midnight = dt.datetime.combine(self.until, dt.time(), dt.UTC)
        return now < midnight.timestamp() + 86400


class Log(Frozen):
    format: Annotated[LogFormat, text(values.one_of(LogFormat, "a log format"))] = Field(
        default=LogFormat.AUTO, description="auto: the journal where there is one, logfmt on stderr otherwise"
    )


class Online(Frozen):
    """A service in the form of ip-api.com's batch. Off, nothing is ever sent; on, the addresses that are banned are."""

    enabled: Switch = Field(default=False, description="true: addresses that no local database knows are sent there")
    # Not in repr: it may hold a secret.
    url: Annotated[str, text(values.url)] = Field(default="", repr=False, description="http://ip-api.com/batch, or a like one")


class Geo(Frozen):
    """Where addresses belong: country and ASN. Times in seconds.

    `databases`: of two that know an address the first is believed.
    """

    databases: Annotated[tuple[Annotated[Path, text(values.path)], ...], BeforeValidator(several)] = Field(
        default=geography.DATABASES, description="files: .mmdb, or tor-geoipdb's CSV; what is not there is passed over"
    )
    rewarm: Switch = Field(default=False, description="also look up again what has expired, when a list has not changed")
    expiry: Annotated[float, text(values.duration_within("1h", "365d"))] = Field(
        default=30 * 86400.0, description="for how long an answer is kept"
    )
    negative_expiry: Annotated[float, text(values.duration_within("1m", "365d"))] = Field(
        default=86400.0, description="for how long it is kept that nobody knows"
    )
    online: Online = Field(default=Online(), description="a service that is asked where no database knows; off")


class Fail2ban(Frozen):
    """Where the jail is that does the banning. `socket`: that of fail2ban's server."""

    jail: Annotated[str, text(values.jail)] = Field(default="banlistd", description="the jail, which is banlistd's alone")
    socket: Annotated[Path, text(values.absolute)] = Field(
        default=Path("/run/fail2ban/fail2ban.sock"), description="where fail2ban's server answers"
    )


class Config(Frozen):
    """Everything. Sources stand in the order of ownership: an address that two hold belongs to the first."""

    backend: Annotated[BackendName, text(values.one_of(BackendName, "a backend"))] = Field(
        default=BackendName.NFTABLES, description="what carries bans out"
    )
    owner: Annotated[Ownership, text(values.one_of(Ownership, "an owner setting"))] = Field(
        default=Ownership.AUTO, description="nftables: whether nobody else may change or flush the table (Linux 6.9)"
    )
    fail2ban: Fail2ban = Field(default=Fail2ban(), description="with backend fail2ban: which jail, and where")
    defaults: Defaults = Field(default=Defaults(), description="for every source that does not say otherwise")
    allow: tuple[AllowEntry, ...] = Field(default=(), description="addresses that are never banned")
    sources: tuple[Source, ...] = Field(default=(), description="the lists; the first that holds an address owns it")
    log: Log = Field(default=Log(), description="how events are written")
    geo: Geo = Field(default=Geo(), description="where addresses belong: country and ASN")

    def watched(self, source: Source) -> tuple[Path, ...]:
        """The files that a source is made of: when one of them changes, it is due."""
        return (source.path,) if source.path else self.geo.databases if source.block else ()

    def allowed(self, now: float) -> Mapping[Family, Ranges]:
        """The allow entries in force at a moment (seconds since the epoch), merged, for both families."""
        ranges = {}
        for family in FAMILIES:
            entries = [entry for entry in self.allow if entry.family is family and entry.in_force(now)]
            ranges[family] = union_of(
                family,
                from_numbers(family, [int(entry.first) for entry in entries]),
                from_numbers(family, [int(entry.last) for entry in entries]),
            )
        return ranges
