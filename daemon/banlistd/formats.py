"""Every list format: how a list may be written, what reads it, and what `auto` recognises it by.

A format is one entry here, one module in core/feeds/parsers/formats, and its test. The FORMATS section of banlistd.yaml(5), the
JSON schema and packaging/docs/formats.md are generated from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from dataclasses import field as dataclass_field
from enum import StrEnum
from functools import lru_cache
from typing import Self

_ADDRESS = "{address}"
_REVERSED = "{reversed}"


@dataclass(frozen=True, slots=True)
class Example:
    """How a list in a format is written.

    `entry`: one entry; `{address}` in it is replaced by an address or a network, `{reversed}` by its octets from the last one.
    """

    entry: str
    before: str = ""
    between: str = "\n"
    after: str = "\n"

    @property
    def is_of_lines(self) -> bool:
        """Whether each entry is a line of its own."""
        return self.between == "\n"

    def written(self, addresses: Iterable[str]) -> str:
        return self.before + self.between.join(map(self._entry, addresses)) + self.after

    def _entry(self, address: str) -> str:
        return self.entry.replace(_ADDRESS, address).replace(_REVERSED, ".".join(reversed(address.split("."))))


@dataclass(frozen=True, slots=True)
class FormatKind:
    """One format.

    `summary`: for the manual. `parser`, `recogniser`: `module:function` below core/feeds/parsers, a Parser and a Recogniser of
    `registry`; no recogniser: `auto` never chooses the format. `auto` asks the recognisers in the order of `precedence`, and
    takes the first answer. `recognised_by`: what the recogniser looks for, for the manual. `keys`: the keys beside `type`.
    `typical`: a body that `auto` recognises, where that is not the example. `accept`: a media type to ask
    a server for. `example_pattern`: the `pattern` that reads the example.
    """

    name: str
    summary: str
    parser: str
    recogniser: str
    precedence: int
    recognised_by: str
    example: Example
    keys: tuple[str, ...] = ()
    typical: str = ""
    accept: str = ""
    example_pattern: str = ""


class FormatType(StrEnum):
    """The name of a format; `kind` is its declaration."""

    kind: FormatKind

    def __new__(cls, kind: FormatKind) -> Self:
        member = str.__new__(cls, kind.name)
        member._value_ = kind.name
        member.kind = kind
        return member

    AUTO = FormatKind(
        "auto",
        "The default: looks at the first lines and chooses one of the other formats.",
        "recognition:parse_auto",
        "",
        0,
        "",
        Example("{address}"),
    )
    PLAIN = FormatKind(
        "plain",
        "One address, network or range in each line; text after it is ignored. `#`, `;` and `//` begin a comment. "
        "`defanged: true` reads `192[.]0[.]2[.]1` and `hxxp://`; `urls: true` reads the host of a URL where it is an address.",
        "formats.plain:parse_plain",
        "formats.plain:recognise_plain",
        80,
        "no other format that fits",
        Example("{address}  # seen twice", before="# a comment\n"),
        keys=("defanged", "urls"),
    )
    CSV = FormatKind(
        "csv",
        "Columns: `column` has the address, or each of several in a list has one; two `columns` are the ends of a range, "
        "also as whole numbers, or have an IPv4 and an IPv6 address. They are numbers from 1, or names of the header line. "
        "Beside an address, `prefix` or `netmask` is the column of its network's length or mask (a wildcard mask too), `count` "
        "that of how many addresses begin there; beside `columns`, a row must agree with it. `separator`: one character, `tab` "
        "or `whitespace`. Without these they are found. A quoted field may go on over several lines.",
        "formats.tables:parse_table",
        "formats.tables:recognise_table",
        70,
        "a column of addresses behind the first one, one quoted address in each line, an address with its network's length or "
        "mask, statistics of a registry (RIR), or two columns that the header, a third column or three rows show to be the "
        "ends of ranges. Where it is not sure it refuses the list and names what to write",
        Example("2026-01-01,{address}", before="seen,address\n"),
        keys=("column", "columns", "separator", "prefix", "netmask", "count", "where"),
    )
    JSON = FormatKind(
        "json",
        "JSON: one document, or several one behind the other. `path` says where the addresses are: dotted keys, `[]` for each "
        "item of an array, as in `prefixes[].ip_prefix`; `{}` at its end for the keys of an object, before its end for each of "
        "its values. `end` is the key of the last address of a range, `length` the key of a prefix length or netmask. Without "
        "`path`, the addresses in arrays count, where their keys leave no doubt that they are the list.",
        "formats.documents:parse_json",
        "formats.documents:recognise_json",
        20,
        "`{` or `[` at the beginning",
        Example('{"ip_prefix": "{address}"}', before='{"prefixes": [', between=", ", after="]}\n"),
        keys=("path", "end", "length", "where"),
    )
    JSONL = FormatKind(
        "jsonl",
        "One JSON object in each line. `field` is the key of the address, or keys joined by dots; `end` that of the last "
        "address of a range, `length` that of a prefix length or netmask. Without `field`, the field is found as in `json`.",
        "formats.json_lines:parse_jsonl",
        "formats.documents:recognise_jsonl",
        10,
        "a JSON object in each of the first two lines",
        Example('{"cidr": "{address}"}'),
        keys=("field", "end", "length", "where"),
    )
    STIX2 = FormatKind(
        "stix2",
        "STIX 2: bundles, answers of TAXII 2.1, or objects one behind the other. The addresses in the patterns of indicators "
        "count, without those that are revoked, replaced by a later version, not valid yet or not any more; a ban ends with "
        "the time of its indicator, without a poll. `auto` reads JSON that contains indicators so.",
        "formats.stix2:parse_stix2",
        "",
        0,
        "",
        Example(
            """{"type": "indicator", "pattern": "[ipv4-addr:value = '{address}']"}""",
            before='{"type": "bundle", "objects": [',
            between=", ",
            after="]}\n",
        ),
    )
    TAXII = FormatKind(
        "taxii",
        "A collection of a TAXII 2.1 server: `url: https://SERVER/API-ROOT/collections/ID/objects/`. All its pages are read as "
        "`stix2`. Then banlistd asks what was added; if something was, and once an hour, it reads all of them again.",
        "formats.stix2:parse_taxii",
        "",
        0,
        "",
        Example(
            """{"type": "indicator", "pattern": "[ipv4-addr:value = '{address}']"}""",
            before='{"more": false, "objects": [',
            between=", ",
            after="]}\n",
        ),
        accept="application/taxii+json;version=2.1",
    )
    CROWDSEC = FormatKind(
        "crowdsec",
        "Decisions of CrowdSec, from its local API: `url: http://127.0.0.1:8080/v1/decisions/stream`. Decisions that ban an "
        "address or a network count, those of other types (`captcha`) do not. banlistd asks for all of them once, and then "
        "for what is new and what has ended. `auto` reads an answer of that API so, too.",
        "formats.crowdsec:parse_crowdsec",
        "",
        0,
        "",
        Example(
            """{"scope": "Ip", "type": "ban", "value": "{address}"}""",
            before='{"deleted": null, "new": [',
            between=", ",
            after="]}\n",
        ),
        keys=("where",),
    )
    P2P = FormatKind(
        "p2p",
        "The P2P text format of file sharing programs: `name:first-last`.",
        "formats.peers:parse_p2p",
        "formats.peers:recognise_p2p",
        40,
        "`name:first-last` in most of the first lines",
        Example("a name:{address}-{address}"),
    )
    DAT = FormatKind(
        "dat",
        "eMule's ipfilter.dat: `first - last , level , name`. Ranges with a level above 127 are left out.",
        "formats.peers:parse_dat",
        "formats.peers:recognise_dat",
        30,
        "`first - last , level ,` in most of the first lines",
        Example("{address} - {address} , 000 , a name"),
    )
    RBLDNSD = FormatKind(
        "rbldnsd",
        "A zone of rbldnsd(8) (ip4set, ip4trie, ip6trie): addresses, networks, prefixes of fewer octets, ranges; `!` excludes.",
        "formats.zones:parse_rbldnsd",
        "formats.zones:recognise_rbldnsd",
        60,
        "a first line that begins with `:value` or `$`",
        Example("{address}", before=":127.0.0.2:listed\n"),
    )
    DNS_ZONE = FormatKind(
        "dns_zone",
        "A zone file (RFC 1035) of a DNS blocklist, or a response policy zone: names that are reversed addresses.",
        "formats.dns_zones:parse_zone",
        "formats.dns_zones:recognise_zone",
        35,
        "records such as `7.100.51.198 IN A 127.0.0.2` in most of the first lines",
        Example("{reversed} IN A 127.0.0.2", before="$TTL 300\n@ IN SOA a b 1 2 3 4 5\n"),
    )
    HOSTS = FormatKind(
        "hosts",
        "A hosts file: `address name`. Addresses that names are sent to in order to block them, such as 0.0.0.0, are rejected.",
        "formats.zones:parse_hosts",
        "formats.zones:recognise_hosts",
        50,
        "0.0.0.0, 127.0.0.1 or another such address before a name in most of the first lines",
        Example("{address} host.example"),
        typical="0.0.0.0 host.example\n",
    )
    PATTERN = FormatKind(
        "pattern",
        "What no other format fits: XML, RSS, tables of HTML, rules. `pattern` is a regular expression of RE2, and "
        "`(?P<address>...)` in it is the address of each match; beside it `(?P<prefix>...)` is the length of its network, "
        "`(?P<netmask>...)` its mask, or `(?P<last>...)` the last address of a range. It is compared with the bytes of the "
        "whole body, and `.` is no line feed unless it begins with `(?s)`. A match without an address is rejected, as a line "
        "is; what does not match is passed over. Needs the Python library google-re2 (`pip install banlistd[pattern]`), whose "
        "search takes linear time.",
        "formats.pattern:parse_pattern",
        "",
        0,
        "",
        Example("<ip>{address}</ip>", before="<list>", between="", after="</list>\n"),
        keys=("pattern",),
        example_pattern="<ip>(?P<address>[^<]+)</ip>",
    )


class Operator(StrEnum):
    """How a condition compares. FUTURE: the value is a time that has not come yet."""

    AT_LEAST = ">="
    AT_MOST = "<="
    ABOVE = ">"
    BELOW = "<"
    IS = "="
    IS_NOT = "!="
    FUTURE = "future"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field of a record must be for the record to count: `values` has one value, for IS one or more, for FUTURE none.

    `field`: as the format names fields: a column, or dotted keys.
    """

    field: str
    operator: Operator
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Format:
    """A source's format: what to read, and where in it.

    `columns` (CSV): numbers from 1 or names from the header line; two of them are the ends of a range, unless each has
    addresses of its own (`each`). `separator` (CSV): one character, or "whitespace". `prefix`, `netmask`, `count` (CSV): at
    most one of them names the column that says how many addresses begin at an address. `paths` (JSON): dotted keys, `[]`
    steps into each item of an array, as in `prefixes[].ip_prefix`; all of them are tried. `field` (JSON lines): dotted keys
    within each record; several of them are `paths`. `ends`, `lengths` (both): of each path, or one for all of them, in the
    same object. `where`: all of them must be met. `members`: which files of an archive are read, as in `*.txt`; empty: all
    that may be lists. `defanged`, `urls` (plain): whether addresses are written as `192[.]0[.]2[.]1`, or are the hosts of
    URLs. `pattern` (pattern): a regular expression. `changes` (CrowdSec, TAXII): whether the body has what changed since the
    one before, which no key
    says. `now`: Unix seconds when the list is read; 0 where nothing is to expire.
    """

    type: FormatType = FormatType.AUTO
    columns: tuple[str, ...] = ()
    separator: str = ""
    paths: tuple[str, ...] = ()
    field: str = ""
    ends: tuple[str, ...] = ()
    lengths: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    members: str = ""
    each: bool = False
    prefix: str = ""
    netmask: str = ""
    count: str = ""
    defanged: bool = False
    urls: bool = False
    changes: bool = False
    pattern: str = ""
    now: int = dataclass_field(default=0, compare=False)

    @lru_cache(maxsize=64)  # noqa: B019 - for every poll; most sources of thousands have the same format
    def __repr__(self) -> str:
        """Keys that came later only where they are set: a source's fetch key is made of it, and must survive an upgrade."""
        later = [one for one in fields(self)[_FIRST_KEYS:-1] if getattr(self, one.name) != one.default]
        shown = [f"{one.name}={getattr(self, one.name)!r}" for one in (*fields(self)[:_FIRST_KEYS], *later)]
        return f"Format({', '.join(shown)})"


_FIRST_KEYS = 5
"""Fields of `Format` that have been in its text from the first version on."""
