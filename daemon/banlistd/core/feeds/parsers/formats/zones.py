"""What names resolve to: zone data of rbldnsd (ip4set, ip4trie, ip6trie), and hosts files."""

import re
from collections.abc import Sequence

from banlistd.core.feeds.parsers.formats.plain import NO_ADDRESS, TOO_LONG
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.spans import address_of, network_of, quad
from banlistd.core.feeds.parsers.text import LONGEST_LINE, is_most, is_silent, lines_of
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Family, Span

_OCTETS = 4
_DIRECTIVE = re.compile(r"\$(?:DATASET|MAXRANGE[46]|NS|SOA|TIMESTAMP|TTL|[0-9=])|:[0-9.]++(?::|\Z)")
_RECORD = re.compile(r"(?:\d++\s++)?+IN\s++[A-Z]")
"""What a zone file has behind a name, whose octets are reversed there; the text of an entry does not begin so."""


def parse_rbldnsd(body: bytes, form: Format, harvest: Harvest) -> Format:
    """rbldnsd(8): prefixes of fewer octets, ranges with a short end, `!` exclusions, `:value:text` and `$` lines.

    An exclusion takes its addresses out whatever else the zone lists: never more is banned than rbldnsd would list.
    """
    for number, line in lines_of(body):
        text = line.strip()
        if is_silent(text) or text[0] in ":$":
            continue
        excluded = text[0] == "!"
        entry = text[excluded : LONGEST_LINE + excluded].split(None, 1)
        span = _zone_span(entry[0]) if entry and len(line) <= LONGEST_LINE else None
        if len(entry) > 1 and _RECORD.match(entry[1]):
            raise ParseError(f"line {number} has a DNS record, whose octets are reversed", "write dns_zone for a zone file")
        if span is None:
            harvest.reject(number, text, TOO_LONG if len(line) > LONGEST_LINE else NO_ADDRESS)
        elif excluded:
            harvest.exclude(span)
        else:
            harvest.add(span)
    return form


def recognise_rbldnsd(look: Sequence[str]) -> Format | None:
    return Format(FormatType.RBLDNSD) if _DIRECTIVE.match(look[0]) else None


def _zone_span(entry: str) -> Span | None:
    if ":" in entry:
        # A value may follow without a blank in IPv4 entries (`1.2.3.4:2:text`), never in IPv6 ones.
        value_at = entry.find(":")
        if "." in entry[:value_at]:
            return _zone_span(entry[:value_at])
        return address_of(entry) or network_of(entry) or network_of(entry.replace("/", "::/", 1))
    low, dash, high = entry.partition("-")
    if dash:
        return _zone_range(low.split("."), high.split("."))
    address, slash, bits = entry.partition("/")
    octets = address.split(".")
    first = _filled(octets, "0")
    if first is None:
        return None
    if not slash:
        last = _filled(octets, "255")
        return None if last is None else (Family.IPV4, first, last)
    return network_of(f"{'.'.join((octets + ['0'] * _OCTETS)[:_OCTETS])}/{bits}")


def _zone_range(low: list[str], high: list[str]) -> Span | None:
    """`1.2.3.4-9` is 1.2.3.4 to 1.2.3.9: an end of fewer octets begins like the other one."""
    if len(high) < len(low):
        high = low[: len(low) - len(high)] + high
    first, last = _filled(low, "0"), _filled(high, "255")
    return None if first is None or last is None or first > last else (Family.IPV4, first, last)


def _filled(octets: list[str], rest: str) -> int | None:
    return quad(".".join(octets + [rest] * (_OCTETS - len(octets))))


def parse_hosts(body: bytes, form: Format, harvest: Harvest) -> Format:
    """`address name ...`. An address to which names are sent to be rid of them (0.0.0.0, 127.0.0.1, ::) is no entry."""
    for number, line in lines_of(body):
        text = line.strip()
        if is_silent(text):
            continue
        span = address_of(text[:LONGEST_LINE].split(None, 1)[0]) if len(line) <= LONGEST_LINE else None
        if span is None:
            harvest.reject(number, text, TOO_LONG if len(line) > LONGEST_LINE else NO_ADDRESS)
        elif is_sink(span):
            harvest.reject(number, text, "a name sent nowhere, not an address")
        else:
            harvest.add(span)
    return form


def recognise_hosts(look: Sequence[str]) -> Format | None:
    return Format(FormatType.HOSTS) if is_most(look, _is_sent_nowhere) else None


def _is_sent_nowhere(text: str) -> bool:
    words = text.split(None, 2)
    span = address_of(words[0])
    return span is not None and is_sink(span) and len(words) > 1 and not words[1].startswith("#")


_SINKS: tuple[Span, ...] = (
    (Family.IPV4, 0x0000_0000, 0x00FF_FFFF),  # this host (RFC 1122)
    (Family.IPV4, 0x7F00_0000, 0x7FFF_FFFF),  # loopback
    (Family.IPV4, 0xFFFF_FFFF, 0xFFFF_FFFF),  # broadcasthost
    (Family.IPV6, 0, 1),  # :: and ::1
    (Family.IPV6, 0xFE00 << 112, (1 << 128) - 1),  # ip6-localnet, ip6-allnodes, fe80::1 (a hosts file's own lines)
)


def is_sink(span: Span) -> bool:
    """Whether this is an address of the reader itself, to which hosts files send unwanted names."""
    family, first, last = span
    return any(family is sink[0] and sink[1] <= first and last <= sink[2] for sink in _SINKS)
