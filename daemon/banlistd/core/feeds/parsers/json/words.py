"""What the keys of JSON say of the addresses at them: no ban, end of a range, prefix length, error."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from banlistd.core.feeds.parsers.text import LatePattern


class KeyRole(Enum):
    """What a key says of its value. FIRST to LAST are the ends of a range; `WEAK_`: or something else that has two ends."""

    NONE = auto()
    FIRST = auto()
    LAST = auto()
    WEAK_FIRST = auto()
    WEAK_LAST = auto()
    LENGTH = auto()
    SIZE = auto()


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"[Ii][Pp][Vv][46]|[Vv][46]|[Ii][Nn][Ee][Tt][46]|[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_FAMILY = frozenset({"v4", "v6", "ipv4", "ipv6", "inet", "inet4", "inet6", "4", "6", "v"})
_NEUTRAL = _FAMILY | _set(
    """
    ip ips ipaddress ipaddresses ipaddr address addresses addr addrs network networks net nets subnet subnets prefix
    prefixes cidr cidrs range ranges ipranges host hosts list lists item items entry entries record records row rows data
    result results value values element elements content response feed feeds attribute attributes object objects event
    events all and of the combined
    """
)
_BANS = _set(
    """
    blacklist blacklists blacklisted blocklist blocklists blocklisted blocked block blocks ban bans banned deny denied
    denylist drop drops dropped reject rejected bad malicious malware attack attacks attacker attackers abuse abuser
    abusers abusive spam spammer spammers scanner scanners bruteforce bruteforcers botnet botnets bots c2 cc threat
    threats ioc iocs indicator indicators new added add active exit exits tor compromised hostile offender offenders
    intruder intruders phishing infected evil black hacker hackers
    """
)
_NO_BANS = _set(
    """
    deleted delete deletes removed remove removes removals removal whitelist whitelists whitelisted white allow allows
    allowed allowlist allowlists allowlisted exception exceptions except exclude excludes excluded exclusion exclusions
    exempt exempted exemption exemptions ignore ignored ignores skip skipped bypass safe trusted trust benign harmless
    good goodlist clean legit legitimate unban unbanned unbans unblock unblocked delisted unlisted del dels lifted lift
    released expired expire revoked old previous former inactive disabled archived permit permitted permits accept
    accepted pass passed dns nameserver nameservers ns resolver resolvers server servers gateway gateways router routers
    sensor sensors honeypot honeypots by via reporter reporters collector collectors client clients requester requesters
    your you me self own owner local internal victim victims target targets monitor monitors monitoring false positive
    positives fp fps cdn test tests example examples sample samples comment comments note notes description descriptions
    info title text remark remarks message messages msg reference references log logs raw nexthop hop upstream proxied not
    un no non dont never customer customers partner partners official protected neutral office admin admins
    """
)
_NO_BAN_PARTS = (
    "whitelist",
    "allowlist",
    "exclu",
    "exempt",
    "exception",
    "unban",
    "unblock",
    "nameserver",
    "resolver",
    "trusted",
)

_STATES = _set(
    """
    deleted removed whitelisted whitelist allowed allowlisted allowlist benign safe trusted exempt exempted excluded
    ignored ignore inactive disabled expired revoked delisted unbanned unblocked lifted released archived falsepositive
    isfalsepositive fp
    """
)
_ACTIVE = _set("active enabled malicious blocked listed banned toids block ban valid")

_NO_BAN_VALUES = _set(
    """
    allow allowed whitelist whitelisted allowlist delete deleted remove removed benign safe trusted unban unbanned unblock
    exception exclude excluded unblocked lift lifted clear cleared - pass accept permit inactive expired revoked good
    clean ignore ignored delisted del
    """
)
_KIND_KEYS = _set(
    """
    type action status list verdict classification category state kind op operation decision disposition policy event
    change listtype reputation
    """
)

# Possessive, longest first: nothing is tried twice.
_AFFIX = r"(?:ipv4|ipv6|inet6|inet|network|subnet|address|range|addr|block|net|num|ip|v4|v6|4|6)*+"
_ENDS: tuple[tuple[KeyRole, LatePattern], ...] = tuple(
    (role, LatePattern(f"({_AFFIX})(?:{words})({_AFFIX})"))
    for role, words in (
        (KeyRole.FIRST, "start|starting|begin|beginning"),
        (KeyRole.LAST, "end|ending|stop"),
        (KeyRole.WEAK_FIRST, "first|from|lower|low|lo|minimum|min"),
        (KeyRole.WEAK_LAST, "last|to|higher|high|hi|upper|maximum|max"),
    )
)
_LENGTH = LatePattern(
    rf"{_AFFIX}(?:(?:prefix|mask|cidr|netmask)?(?:length|len|bits|size)|netmask|bitmask|mask|cidr|prefix|plen|slash)", re.ASCII
)
_NOT_LENGTHS = frozenset({"size", "netsize", "networksize", "subnetsize", "rangesize", "blocksize", "ipsize"})
_SIZE = LatePattern(
    rf"(?:number|num|total|of)+{_AFFIX}(?:es|s)?|{_AFFIX}(?:size|counts?|hosts?|total|amount|quantity)", re.ASCII
)


@lru_cache(maxsize=4096)
def key_words(key: str) -> tuple[str, ...]:
    """Its words in lower case: `IsWhitelisted` and `is-whitelisted` have the same."""
    return tuple(word.lower() for word in _WORD.findall(key[:_LONGEST]))


_LONGEST = 100


@lru_cache(maxsize=4096)
def key_role(key: str) -> tuple[KeyRole, str]:
    """The role of a key, and what it shares with the key of the other end."""
    joined = "".join(key_words(key))
    for role, pattern in _ENDS:
        found = pattern.fullmatch(joined)
        if found is not None:
            return role, found[1] + found[2]
    if joined not in _NOT_LENGTHS and _LENGTH.fullmatch(joined):
        return KeyRole.LENGTH, ""
    return (KeyRole.SIZE, "") if _SIZE.fullmatch(joined) else (KeyRole.NONE, "")


@lru_cache(maxsize=4096)
def is_no_ban(path: str) -> bool:
    """Whether a key of a path says that what is there is not to be banned, or no entry."""
    words = words_of_path(path)
    joined = "".join(words)
    return not words.isdisjoint(_NO_BANS) or any(part in joined for part in _NO_BAN_PARTS)


def words_of_path(path: str) -> frozenset[str]:
    """Of a path as long as any is."""
    return frozenset(word for key in path.split(".") for word in key_words(key))


def say_the_same(paths: list[str]) -> bool:
    """Whether all that tells paths from each other is a family, a general word, or that it is a ban."""
    words = [words_of_path(path) for path in paths]
    if len(set(words)) < len(words):
        return False
    common = frozenset.intersection(*words)
    return all((one - common) <= (_NEUTRAL | _BANS) for one in words)


_RANGES = _set("range ranges ipranges interval intervals span spans between")


def is_of_ranges(path: str) -> bool:
    """Whether two addresses together are the ends of a range there, for all that the keys say."""
    return path.endswith("[][]") or not _RANGES.isdisjoint(words_of_path(path))


def differ_in_family(paths: list[str]) -> bool:
    """Whether keys of one object are those of IPv4 and IPv6."""
    words = [words_of_path(path) for path in paths]
    common = frozenset.intersection(*words)
    rest = [one - common for one in words]
    return all(one <= _NEUTRAL for one in rest) and len({one & _FAMILY for one in rest}) == len(rest)


@lru_cache(maxsize=4096)
def flag_of(key: str) -> str:
    """The truth of a flag that takes its record out: `true` for `deleted`, `false` for `active`; empty for other keys."""
    words = [word for word in key_words(key) if word not in ("is", "was", "has", "been")]
    joined = "".join(words)
    return "true" if joined in _STATES else "false" if joined in _ACTIVE else ""


FLAGS = {"true": ("true", "1"), "false": ("false", "0")}
"""How the truth of a flag is written."""


@lru_cache(maxsize=4096)
def is_end_of_ban(key: str) -> bool:
    """Whether a key is the time at which a record was taken out, as `deleted_at`."""
    words = key_words(key)
    return len(words) > 1 and words[-1] in ("at", "on", "date", "time", "since") and "".join(words[:-1]) in _STATES - _EXPIRED


_EXPIRED = _set("expired inactive")


@lru_cache(maxsize=4096)
def may_say_no_ban(key: str) -> bool:
    """Whether the values of a key say what a record is, as those of `action` do."""
    return not _KIND_KEYS.isdisjoint((*key_words(key), "".join(key_words(key))))


def is_word_of_no_ban(value: str) -> bool:
    """Whether a value at such a key, as `allow`, says that the record is no ban."""
    return value.strip().casefold() in _NO_BAN_VALUES


_ERRORS = _set(
    """
    error errors err fault exception errorcode errormessage errormsg errno failure errordescription
    """
)
_CODES = _set("status code statuscode httpcode httpstatus httpstatuscode responsecode")
_SUCCESS = _set("success ok succeeded successful")
_MESSAGES = _set("message msg detail details reason title")
_FINE = frozenset({"", "0", "no", "none", "null", "ok", "false", "success"})
_FAILED = _set("error fail failed failure denied forbidden unauthorized exceeded limited")
_COMPLAINT = LatePattern(
    r"limit|quota|exceeded|too many|throttl|unauthori|forbidden|access denied|api key|maintenance|unavailable|not found|"
    r"subscri|upgrade",
    re.IGNORECASE,
)
_FIRST_ERROR, _LAST_ERROR = 400, 599


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a key may say of the object that it is in: `flag`: see `flag_of`; `is_end`: see `is_end_of_ban`; `error`: that it is
    an error, or the key of a code, a success or a message.
    """

    flag: str = ""
    is_end: bool = False
    error: str = ""


NO_MEANING = Meaning()
_LETTER = LatePattern(r"[^\W\d_]")
_ERROR_KEYS = {"error": _ERRORS, "code": _CODES, "success": _SUCCESS, "message": _MESSAGES}


@lru_cache(maxsize=4096)
def meaning_of(key: str) -> Meaning:
    """`NO_MEANING` itself for most keys, and at once for those without a letter: addresses."""
    if _LETTER.search(key) is None:
        return NO_MEANING
    joined = "".join(key_words(key)) if len(key) < _LONGEST else ""
    error = next((kind for kind, keys in _ERROR_KEYS.items() if joined in keys), "")
    found = Meaning(flag_of(key), is_end_of_ban(key), error)
    return NO_MEANING if found == NO_MEANING else found


def says_error(meaning: Meaning, value: object, *, is_record: bool) -> bool:
    """Whether a server says by a value that it has no list to give. `is_record`: it is an entry, which may have a reason."""
    text = value.strip().casefold() if isinstance(value, str) and len(value) < _LONGEST_MESSAGE else None
    if meaning.error == "error":
        return bool(value) and text not in _FINE
    if is_record or not meaning.error:
        return False
    if meaning.error == "success":
        return value is False or text == "false"
    complains = text is not None and _COMPLAINT.search(text) is not None
    return complains or (meaning.error == "code" and _is_code_of_error(value, text))


def _is_code_of_error(value: object, text: str | None) -> bool:
    number = int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) == 3 else value  # noqa: PLR2004
    return text in _FAILED or (isinstance(number, int) and _FIRST_ERROR <= number <= _LAST_ERROR)


_LONGEST_MESSAGE = 2000
