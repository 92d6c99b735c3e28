"""Lines of configuration files and scripts that ban: of packet filters, routers, web servers. Only what denies is a ban.

What such a line allows is an exception: of two rules for one address the daemon cannot say which one would be asked first, so
never more is banned than the rules would. A line of which no more than its address is known says nothing.
"""

import re
from collections.abc import Callable, Sequence

from banlistd.core.feeds.parsers.commands.readings import SILENT, LineReading
from banlistd.core.feeds.parsers.commands.router_commands import read_access_list, read_keys, read_route, read_set
from banlistd.core.feeds.parsers.commands.rules import ALLOWS, NEGATED, rule_of, span_of_word
from banlistd.core.feeds.parsers.spans import host_bits_of_mask, prefix_of
from banlistd.core.feeds.parsers.text import LatePattern
from banlistd.model import Span

_QUOTED = re.compile(r'"([^"]*+)"')
_SEPARATORS = re.compile(r"[\s,;{}]+")
_DENIES = LatePattern(r"(?:drop|reject|tarpit|deny|block|blacklist|ban)", re.IGNORECASE)

_ADDRESS = LatePattern(r"[0-9]\.[0-9]|:[0-9A-Fa-f]*+:")

_STRUCTURE = LatePattern(
    r"\*[a-z]+\Z|COMMIT\Z|:[A-Za-z0-9_.-]+ [A-Z-]+(?: \[\d+:\d+\])?+\Z"  # iptables-save
    r"|(?:create|flush|destroy|swap|-N|-F|-X|-P|--flush|--new-chain)\s|(?:ipset|ip6?tables)\s++(?:-\S++\s++)*+"
    r"(?:create|flush|destroy|swap|-N|-F|-X|-P|-L)\b"
    r"|</?(?:Require(?:All|Any|None)|Limit(?:Except)?|Directory|Files|Location|IfModule|IfVersion|VirtualHost)\b"
    r"|(?:Require\s++all|Order|Satisfy|(?:Allow|Deny)\s++from\s++all|(?:allow|deny)\s++all\s*+;)"
    r"|/(?:ip|ipv6|system|tool|log)\b|:(?:do|local|global|foreach|if|log|put|delay|error|set)\b|remove\b"  # RouterOS
    r"|(?:configure|conf\s++t|configure\s++terminal|commit|save|exit|end|quit|enable|write)\Z"
    r"|@type |Downloaded |ExitNode |Published |LastStatus |[{}\])]+[;,]?\Z|set -",
    re.IGNORECASE,
)

_PLAIN_DENY = LatePattern(
    r"(?:ExitAddress|deny(?:\s++from)?+|require\s++not\s++ip|blackhole|reject\s++from)\s++", re.IGNORECASE
)
"""Tor's exit-addresses; nginx and Apache; iproute2."""

_PLAIN_ALLOW = LatePattern(r"(?:allow(?:\s++from)?+|require\s++ip|permit)\s++", re.IGNORECASE)
_SHELL = LatePattern(
    r"(?:sudo\s++)?+(?:/(?:[a-z]++/)++)?+(ipset|ip6?tables|nft|ufw|ipfw|pfctl|firewall-cmd|ip|route|csf|netsh)\s++"
)
_IPSET = LatePattern(
    r"(?:-(?:exist|!|quiet|q)\s++)*+(add|del|-A|-D|--add|--del)\s++(?:-(?:exist|!|quiet|q)\s++)*+([^\s=]++)\s++(\S.*)"
)
_SOURCES = LatePattern(r"(?:^|\s)(!\s++)?+(?:-s|--source|--src|--src-range)[\s=]++(!\s*+)?+(\S++)")
_TARGET = LatePattern(r"(?:^|\s)(?:-j|--jump|-g|--goto)[\s=]++(\S++)")
_DELETED = LatePattern(r"(?:^|\s)(?:-D|--delete)\s")
_DESTINED = LatePattern(r"(?:^|\s)(?:-d|--destination|--dst|--dst-range)[\s=]")
_FROM = LatePattern(
    r"(?:add\s++)?+(?:insert\s++\d++\s++|\d++\s++)?+(block|deny|drop|reject|unreach|reset|pass|allow|permit|accept|limit)\b(?=.*?\bfrom\b)"
    r"(?:\s++(?!from\b)\S++){0,12}+\s++from\s++(?:\{([^}]*+)\}|(\S++))(.*)",
    re.IGNORECASE,
)
_NFT_ELEMENT = LatePattern(r"(add|delete|destroy)\s++element\s++((?:[^\s{]++\s++){2,3}+)\{([^}]*+)", re.IGNORECASE)
_NFT_RULE = LatePattern(
    r"(?:(?:add|insert)\s++rule\s.*?)?\bip6?\s++saddr\s++(!=\s*+)?(?:\{([^}]*+)\}|(\S++))(.*)", re.IGNORECASE
)
_RICH = LatePattern(r"source\s++(not\s++)?+address='?([0-9A-Fa-f.:/]++)", re.IGNORECASE)
_RICH_VERDICT = LatePattern(r"\b(drop|reject|accept)\b", re.IGNORECASE)
_ZONE = LatePattern(r"--(zone|ipset)=(\S++)")
_ADDED = LatePattern(r"--add-(?:source|entry)=(\S++)")
_WRAPPERS = LatePattern(
    r"(?:ALL|sshd|in\.[a-z]{1,12}|vsftpd|proftpd|ftpd|sendmail|exim|dovecot|smtpd|telnetd|imapd|popd|portmap|rpcbind|mountd)"
    r"(?:\s++EXCEPT\s++\S++)?\s*+:\s*+(.*)"
)
_SENDMAIL = LatePattern(r"(?:Connect|Spam|ClientRate|GreetPause):(\S++)\s++(\S++)")
_TABLE_ADD = LatePattern(r"(?:-q\s++)?-t\s++(\S++)\s++-T\s++(add|delete)\s++(\S.*)")


def command_of(text: str) -> LineReading | None:
    """What a stripped line says that does not begin with an address; None for one that is no known command."""
    if not _may_be_command(text[:_FIRST_WORD]):
        return None
    text = " ".join(text.split())
    shell = _SHELL.match(text)
    tool, rest = (shell[1], text[shell.end() :]) if shell is not None else ("", text)
    unquoted = _QUOTED.sub("", rest) if '"' in rest else rest
    for read in _TOOLS.get(tool, _BARE):
        found = read(unquoted if read not in _QUOTED_TOO else rest.replace('"', ""))
        if found is not None:
            return found
    return SILENT if _STRUCTURE.match(text) or (tool and not _ADDRESS.search(text)) else None


_FIRST_WORD = 24
_FIRST_SIGNS = frozenset("/:-*<{}])@")
_FIRST_WORD_LIST = (
    "access-list add allow block blackhole commit conf configure connect create csf clientrate del delete deny destroy "
    "downloaded drop elements enable end exit exitaddress exitnode firewall-cmd flush greetpause insert ip ip6 ip6tables "
    "ipfw ipset iptables ipv6 laststatus limit netsh nft order pass permit pfctl published quit reject remove require reset "
    "route satisfy save set spam sudo swap ufw unreach write all sshd vsftpd proftpd ftpd sendmail exim dovecot smtpd "
    "telnetd imapd popd portmap rpcbind mountd"
)
_FIRST_WORDS = frozenset(_FIRST_WORD_LIST.split())


def _may_be_command(head: str) -> bool:
    """A look at the first word, as most lines without an address are no command."""
    if head[0] in _FIRST_SIGNS:
        return True
    word = head.partition(" ")[0].partition("\t")[0].partition(":")[0].lower()
    return word in _FIRST_WORDS or word.isdecimal() or word.startswith("in.")


def _plain(text: str) -> LineReading | None:
    for pattern, is_ban in ((_PLAIN_DENY, True), (_PLAIN_ALLOW, False)):
        lead_in = pattern.match(text)
        if lead_in is not None:
            rest = text[lead_in.end() :]
            spans = _leading_spans(rest, prefixes=lead_in[0].rstrip().lower().endswith(("from", "ip")))
            if spans:
                return rule_of(spans, is_ban=is_ban)
    return None


def _ipset(text: str) -> LineReading | None:
    found = _IPSET.match(text)
    if found is None:
        return None
    words = found[3].split()
    span = span_of_word(words[0].partition(",")[0])
    if span is None:
        return None
    is_ban = "nomatch" not in words and found[1] in {"add", "-A", "--add"} and not ALLOWS.search(found[2])
    return rule_of([span], is_ban=is_ban)


def _iptables(text: str) -> LineReading | None:
    if not re.match(r"(?:-t\s++\S++\s++|-w\s++)*+(?:-[AID]|--append|--insert|--delete)\s", text):
        return None
    sources, target = _SOURCES.search(text), _TARGET.search(text)
    if sources is None or target is None:
        return SILENT if target is not None and _DESTINED.search(text) is None else None
    if sources[1] or sources[2]:
        return NEGATED
    spans = [span for word in sources[3].split(",") if (span := span_of_word(word)) is not None]
    if not spans or len(spans) != sources[3].count(",") + 1:
        return None
    allows = target[1] in {"ACCEPT", "RETURN"} or _DELETED.search(text) is not None or ALLOWS.search(target[1]) is not None
    if allows:
        return rule_of(spans, is_ban=False) if _is_unconditional(text) else SILENT
    return rule_of(spans, is_ban=True) if _DENIES.search(target[1]) else SILENT


def _is_unconditional(text: str) -> bool:
    """Whether a rule asks for its source alone."""
    return not re.search(r"\s(?:-p|-d|-i|--dport|--sport|--proto|--protocol|--destination|--dports)\b", text)


def _from(text: str) -> LineReading | None:
    """ufw, ipfw, pf, ipf: `block in quick from a to any`."""
    found = _FROM.match(text)
    if found is None:
        return None
    words = [word for word in _SEPARATORS.split(found[2] or found[3]) if word]
    if any(word.startswith("!") for word in words) or words == ["not"]:
        return NEGATED
    spans = [span for word in words if (span := span_of_word(word)) is not None]
    if not spans or len(spans) != len(words):
        return SILENT if words in (["any"], ["all"]) else None
    return rule_of(spans, is_ban=found[1].lower() in {"block", "deny", "drop", "reject", "unreach", "reset"})


def _nft(text: str) -> LineReading | None:
    elements = _NFT_ELEMENT.match(text)
    if elements is not None:
        words = [part.split()[0] for part in elements[3].split(",") if part.split()]
        spans = [span for word in words if (span := span_of_word(word)) is not None]
        is_ban = elements[1].lower() == "add" and not ALLOWS.search(elements[2].split()[-1])
        return rule_of(spans, is_ban=is_ban) if spans and len(spans) == len(words) else None
    rule = _NFT_RULE.match(text)
    if rule is None:
        return None
    if rule[1]:
        return NEGATED
    words = [word for word in _SEPARATORS.split(rule[2] or rule[3]) if word]
    spans = [span for word in words if (span := span_of_word(word)) is not None]
    if not spans or len(spans) != len(words):
        return None
    verdict = _RICH_VERDICT.search(rule[4])
    return SILENT if verdict is None else rule_of(spans, is_ban=verdict[1].lower() != "accept")


def _firewalld(text: str) -> LineReading | None:
    rich = _RICH.search(text)
    if rich is not None:
        span, verdict = span_of_word(rich[2]), _RICH_VERDICT.search(text[rich.end() :])
        if rich[1] or "invert=" in text:
            return NEGATED
        return None if span is None or verdict is None else rule_of([span], is_ban=verdict[1].lower() != "accept")
    zone, added = _ZONE.search(text), _ADDED.search(text)
    span = span_of_word(added[1]) if added is not None else None
    if zone is None or span is None:
        return None
    name = zone[2].lower()
    if zone[1] == "ipset":
        return rule_of([span], is_ban=not ALLOWS.search(name))
    return rule_of([span], is_ban=True) if name in {"drop", "block"} else SILENT


def _wrappers(text: str) -> LineReading | None:
    """hosts.deny: `ALL: a, b : deny`."""
    found = _WRAPPERS.match(text)
    if found is None:
        return None
    spans, _, verdict = found[1].partition(" : ")
    words = [word for word in _SEPARATORS.split(spans) if word]
    read = [
        span_of_word(word) or prefix_of(word) if word.endswith(".") else span_of_word(word.replace("[", "").replace("]", ""))
        for word in words
    ]
    known = [span for span in read if span is not None]
    return rule_of(known, is_ban="allow" not in verdict.lower()) if known and len(known) == len(words) else None


def _sendmail(text: str) -> LineReading | None:
    found = _SENDMAIL.match(text)
    span = span_of_word(found[1]) if found is not None else None
    if found is None or span is None:
        return None
    verdict = found[2].upper()
    return (
        rule_of([span], is_ban=True)
        if verdict.startswith(("REJECT", "DISCARD", "ERROR", "5"))
        else rule_of([span], is_ban=False)
    )


def _pfctl(text: str) -> LineReading | None:
    found = _TABLE_ADD.match(text)
    if found is None:
        return None
    spans = _leading_spans(found[3], prefixes=False)
    return rule_of(spans, is_ban=found[2] == "add" and not ALLOWS.search(found[1])) if spans else None


def _csf(text: str) -> LineReading | None:
    words = text.split()
    span = span_of_word(words[1]) if len(words) > 1 else None
    return None if span is None or words[0] not in {"-d", "-td", "-a"} else rule_of([span], is_ban=words[0] != "-a")


_Read = Callable[[str], LineReading | None]

_BARE: Sequence[_Read] = (
    read_keys,
    _iptables,
    _ipset,
    read_access_list,
    _plain,
    _from,
    read_route,
    read_set,
    _nft,
    _wrappers,
    _sendmail,
)
_TOOLS = {
    "ipset": (_ipset,),
    "iptables": (_iptables,),
    "ip6tables": (_iptables,),
    "nft": (_nft,),
    "ufw": (_from,),
    "ipfw": (_from,),
    "pfctl": (_pfctl,),
    "firewall-cmd": (_firewalld,),
    "ip": (read_route,),
    "route": (lambda text: read_route(f"route {text}"),),
    "csf": (_csf,),
    "netsh": (read_keys,),
}
_QUOTED_TOO = frozenset({_firewalld, _nft})


def _leading_spans(text: str, *, prefixes: bool) -> list[Span]:
    """The addresses with which a text begins; none if the first word is none."""
    spans: list[Span] = []
    for word in _SEPARATORS.split(text):
        span = span_of_word(word) or (prefix_of(word) if prefixes and "." in word else None)
        if span is None:
            break
        if spans and host_bits_of_mask(word) is not None:
            return []
        spans.append(span)
    return spans
