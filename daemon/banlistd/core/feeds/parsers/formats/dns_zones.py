"""Zone files (RFC 1035) of a DNS blocklist: a record's name has the octets of its address reversed.

`7.100.51.198 IN A 127.0.0.2` lists 198.51.100.7. Response policy zones write `24.0.100.51.198.rpz-ip CNAME .`.
"""

import re
from collections.abc import Sequence

from banlistd.core.feeds.parsers.formats.plain import TOO_LONG
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.spans import network_of, prefix_of, quad
from banlistd.core.feeds.parsers.text import LONGEST_LINE, LatePattern, is_most, is_silent, lines_of
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Span

_RECORD = LatePattern(
    r"(\S++)(?:\s++\d{1,10}[smhdwSMHDW]?+)?+(?:\s++(?:IN|CH|HS))?+(?:\s++\d{1,10}[smhdwSMHDW]?+)?+"
    r"\s++(A|AAAA|TXT|CNAME|NS|SOA|MX|PTR|DNAME|HINFO|SRV|CAA|DNSKEY|RRSIG|NSEC3?|TYPE\d++)\s++(\S++)",
    re.IGNORECASE,
)
_CLASSED = LatePattern(r"\S++(?:\s++\d{1,10}[smhdwSMHDW]?+)?+\s++IN\s++(?:A|TXT|CNAME|NS|SOA)\s", re.IGNORECASE)
_DIRECTIVE = LatePattern(r"\$(?:ORIGIN|TTL|INCLUDE|GENERATE)\b", re.IGNORECASE)
_QUADS = LatePattern(r"((?:\*|[0-9]{1,3})(?:\.[0-9]{1,3}){1,4})(?:\.([A-Za-z_][^\s]*+|[0-9A-Za-z_-]*[A-Za-z_-][^\s]*+))?\.?")
_NO_CODE = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|;.*')
"""A text between quotes, or a remark."""

_TRIGGERS = ("rpz-ip", "rpz-client-ip")
_HEXTETS = LatePattern(r"([0-9]{1,3})((?:\.(?:zz|[0-9a-f]{1,4})){1,8})\.(?:rpz-ip|rpz-client-ip)(?:\..*)?", re.IGNORECASE)
"""Of IPv6: the length, then the groups in reverse, `zz` for the gap."""

_OCTETS = 4
_OWN = ("NS", "SOA", "MX", "DNSKEY", "RRSIG", "NSEC", "NSEC3", "CAA", "SRV")
"""Records of the zone itself."""


def parse_zone(body: bytes, form: Format, harvest: Harvest) -> Format:
    """Names of A, TXT and CNAME records; `rpz-passthru` is an exception. A line that begins with a blank goes on."""
    in_brackets, opened = False, 0
    for number, line in lines_of(body):
        text = line.strip()
        if len(line) > LONGEST_LINE:
            harvest.reject(number, text, TOO_LONG)
            continue
        was_in_brackets = in_brackets
        code = "" if is_silent(text) else _code(text)
        if not in_brackets and "(" in code:
            opened = number
        in_brackets = (in_brackets or "(" in code) and ")" not in code
        if is_silent(text) or was_in_brackets or text[0] in "$@" or line[:1].isspace():
            continue
        _read_record(number, text, harvest)
    if in_brackets:
        raise ParseError(f"the bracket that opens in line {opened} has no end", "what comes after it may be records, or not")
    return form


def _code(text: str) -> str:
    """A line without its remark, and without what is between quotes, where brackets and semicolons mean nothing."""
    return _NO_CODE.sub("", text) if '"' in text else text.partition(";")[0]


def _read_record(number: int, text: str, harvest: Harvest) -> None:
    record = _RECORD.match(text)
    if record is None:
        harvest.reject(number, text, "no record of a zone")
    elif record[2].upper() not in _OWN and not _is_name(record[1]):
        span = _span_of_name(record[1], is_trigger=record[2].upper() == "CNAME")
        kind = record[2].upper()
        if span is None or kind in {"PTR", "DNAME"} or (kind == "A" and not record[3].startswith("127.")):
            harvest.reject(number, text, "no reversed address with an answer in 127.0.0.0/8")
        elif record[3].lower().startswith("rpz-passthru"):
            harvest.exclude(span)
        else:
            harvest.add(span)


def _is_name(owner: str) -> bool:
    """Whether the first label of a name is none of an address."""
    label = owner.partition(".")[0]
    return label != "*" and not label.isdecimal()


def _span_of_name(owner: str, *, is_trigger: bool) -> Span | None:
    found = _QUADS.fullmatch(owner)
    groups = _HEXTETS.fullmatch(owner) if found is None or found[1].count(".") != _OCTETS else None
    if groups is not None:
        return _span_of_groups(groups[1], groups[2][1:].lower().split("."))
    if found is None:
        return None
    labels = found[1].split(".")
    if (found[2] or "").startswith(_TRIGGERS) or (is_trigger and len(labels) > _OCTETS):
        return network_of(f"{'.'.join(reversed(labels[1:]))}/{labels[0]}") if len(labels) == _OCTETS + 1 else None
    if labels[0] == "*":
        octets = labels[:0:-1]
        return prefix_of(".".join(octets)) if len(octets) <= _OCTETS else None
    number = quad(".".join(reversed(labels)))
    return prefix_of(".".join(reversed(labels))) if number is not None else None


def _span_of_groups(length: str, reversed_groups: Sequence[str]) -> Span | None:
    groups = list(reversed(reversed_groups))
    if groups.count("zz") > 1:
        return None
    gap = groups.index("zz") if "zz" in groups else None
    written = ":".join(groups) if gap is None else f"{':'.join(groups[:gap])}::{':'.join(groups[gap + 1 :])}"
    return network_of(f"{written}/{length}")


def recognise_zone(look: Sequence[str]) -> Format | None:
    """`$ORIGIN` or `$TTL`, or a record of class IN in most lines; rbldnsd's zones have no records."""
    found = any(map(_is_record, look)) if any(map(_DIRECTIVE.match, look)) else is_most(look, _is_record)
    return Format(FormatType.DNS_ZONE) if found else None


def _is_record(text: str) -> bool:
    if _CLASSED.match(text) is not None:
        return True
    record = _RECORD.match(text)
    return record is not None and record[2].isupper() and not _is_name(record[1])
