"""Lines of the configuration of routers that ban: RouterOS, Cisco, Junos, VyOS, routes of every kind; and of Windows."""

import re

from banlistd.core.feeds.parsers.commands.readings import SILENT, LineReading
from banlistd.core.feeds.parsers.commands.rules import ALLOWS, NEGATED, rule_of, span_of_word
from banlistd.core.feeds.parsers.spans import host_bits_of_mask
from banlistd.core.feeds.parsers.text import LatePattern

_KEYS = LatePattern(r"\b(?:address|src-address|dst-address|remoteip)=(\S++)", re.IGNORECASE)
_SINKS = LatePattern(r"\bblackhole\b|type=(?:prohibit|unreachable)")
_ACTION = LatePattern(r"\baction=(drop|reject|block|tarpit|accept|allow)\b", re.IGNORECASE)
_KEYED = ("add ", "/ip ", "/ipv6 ", ":do {", "advfirewall ", "set ")
_CISCO = LatePattern(
    r"(?:(?:ip\s++|ipv6\s++)?+access-list\s++\S++\s++(?:(?:extended|standard|line\s++\d++)\s++)*+|\d{1,6}\s++)?+(deny|permit)\s++"
    r"(?:(?:ip|ipv6|tcp|udp|icmp)\s++)?+(?:host\s++)?+(\S++)(?:\s++(\S++))?",
    re.IGNORECASE,
)
_ROUTE = LatePattern(
    r"(?:-6\s++)?+(?:ipv?6?\s++)?+route\s++(?:(?:add|replace|append)\s++)?+(?:-net\s++|-host\s++)?+"
    r"(?:(blackhole|unreachable|prohibit)\s++)?+(\S++)(?:\s++(?:(?:net)?mask\s++)?+([0-9.]++))?+(?:\s++(\S++))?",
    re.IGNORECASE,
)
_SET = LatePattern(
    r"set\s++(\S.*?)\s++'?([0-9A-Fa-f.:/]++(?:-[0-9A-Fa-f.:]++)?+)'?(?:\s++(discard|reject|blackhole))?\Z", re.IGNORECASE
)
_SET_LIST = LatePattern(
    r"(?:prefix-list|(?:address|network|ipv6-address|ipv6-network)-group|address-book\s++\S++\s++address)\s++(\S++)",
    re.IGNORECASE,
)


def read_keys(text: str) -> LineReading | None:
    """RouterOS (`add list=x address=a`), Windows (`remoteip=a,b action=block`)."""
    found = _KEYS.search(text) if text.startswith(_KEYED) else None
    if found is None:
        return None
    key = found[0].partition("=")[0].lower()
    spans = [span for word in found[1].split(",") if (span := span_of_word(word)) is not None]
    if "=!" in found[0]:
        return NEGATED
    if not spans or "disabled=yes" in text:
        return SILENT
    if key == "address":
        names = re.search(r"\blist=(\S++)", text)
        return None if names is None else rule_of(spans, is_ban=not ALLOWS.search(names[1]))
    if key == "dst-address":
        return rule_of(spans, is_ban=True) if _SINKS.search(text) else SILENT
    action = _ACTION.search(text)
    return SILENT if action is None else rule_of(spans, is_ban=action[1].lower() not in {"accept", "allow"})


def read_access_list(text: str) -> LineReading | None:
    found = _CISCO.match(text)
    if found is None:
        return None
    host = host_bits_of_mask(found[3]) if found[3] else None
    span = span_of_word(found[2].rstrip(";"))
    if span is None or (found[3] and (span[1] & host if host is not None else span_of_word(found[3]))):
        return None
    if host is not None and span[1] == span[2]:
        span = (span[0], span[1], span[1] | host)
    return rule_of([span], is_ban=found[1].lower() == "deny")


def read_route(text: str) -> LineReading | None:
    found = _ROUTE.match(text)
    if found is None:
        return None
    span = span_of_word(found[2])
    sinks = found[1] or (found[4] or "").lower().rstrip(";") in {
        "null0",
        "blackhole",
        "reject",
        "discard",
        "unreachable",
        "-reject",
    }
    host = host_bits_of_mask(found[3]) if found[3] else 0
    if span is None or not sinks or host is None or span[1] & host:
        return None
    return rule_of([(span[0], span[1], span[2] | host)], is_ban=True)


def read_set(text: str) -> LineReading | None:
    """Junos, VyOS: groups and prefix lists of addresses, routes to nowhere. A rule of more lines than one says nothing here."""
    found = _SET.match(text)
    if found is None:
        return None
    span, names = span_of_word(found[2]), _SET_LIST.search(found[1])
    if span is None:
        return None
    if names is not None and " rule " not in found[1] and " term " not in found[1]:
        return rule_of([span], is_ban=not ALLOWS.search(names[1]))
    return rule_of([span], is_ban=True) if found[3] and re.search(r"\broute\b", found[1]) else None
