"""What an administrator writes -> what it means: one function per kind of value, text in, value out.

Each raises Unfit with the message for the administrator.
"""

import datetime as dt
import re
import socket
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TypeVar

from banlistd.core.printing import shown
from banlistd.scopes.names import is_by_hand

Address = IPv4Address | IPv6Address
AddressRange = tuple[Address, Address]
Chosen = TypeVar("Chosen", bound=StrEnum)


class Unfit(ValueError):  # noqa: N818 - it is the verdict on a value; errors.py has the errors
    """What is wrong with a value, and what to write instead."""

    def __init__(self, words: str, hint: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.hint = hint


# Characters of a mistyped word that are compared; a longer one is no near miss.
_LONGEST_WORD = 60


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or an empty string."""
    return next(iter(get_close_matches(word[:_LONGEST_WORD].lower(), list(known), n=1, cutoff=0.6)), "")


def among(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *head, tail = words
    return f"{', '.join(head)} or {tail}" if head else tail


# As systemd.time(7) has them; the largest unit comes first.
_UNITS = (("w", 604800), ("d", 86400), ("h", 3600), ("m(?:in)?", 60), ("s", 1))
DURATION_PATTERN = "(?=[0-9])" + "".join(f"(?:([0-9]{{1,9}}){unit})?" for unit, _ in _UNITS)
"""Of `90s`, `1w`, `1h30m` or `1h30min`."""

_DURATION = re.compile(DURATION_PATTERN, re.ASCII)


def duration(text: str) -> float:
    """Seconds, of `90s`, `15m`, `1h`, `1d`, `1w`, or several of them as `1h30m`."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise Unfit(f"{shown(text)} is not a duration", "write 90s, 15m, 1h30m, 1d or 1w")
    return float(sum(int(count or 0) * seconds for count, (_, seconds) in zip(match.groups(), _UNITS, strict=True)))


def duration_within(low: str, high: str) -> Callable[[str], float]:
    """Reads a duration that is neither shorter nor longer than these."""
    lowest, highest = duration(low), duration(high)

    def read(text: str) -> float:
        seconds = duration(text)
        if not lowest <= seconds <= highest:
            side = f"shorter than {low}" if seconds < lowest else f"longer than {high}"
            raise Unfit(f"{shown(text)} is {side}", f"write {low} to {high}")
        return seconds

    return read


confirm_time = duration_within("10s", "1h")
"""Reads how long a configuration or a ban waits for its confirmation."""

_OCTETS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(r"([0-9]{1,12}) ?([kKMG]i?B|)", re.ASCII)

# A list is in memory while it is parsed; the largest real one seen has 40 MB.
_LARGEST_LIST = 2**30


def size(text: str) -> int:
    """Octets, of `64MiB`, `10MB` or a plain number."""
    match = _SIZE.fullmatch(text)
    if not match or match[2] not in _OCTETS:
        raise Unfit(f"{shown(text)} is not a size", "write 64MiB, 10MB or a number of bytes")
    octets = int(match[1]) * _OCTETS[match[2]]
    if not 1 <= octets <= _LARGEST_LIST:
        raise Unfit(f"{shown(text)} is {'too large' if octets else 'no room for any list'}", "write 1 to 1GiB")
    return octets


_SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def switch(text: str) -> bool:
    try:
        return _SWITCH[text.lower()]
    except KeyError:
        raise Unfit(f"{shown(text)} is neither true nor false", "write true or false") from None


def one_of(words: type[Chosen], what: str) -> Callable[[str], Chosen]:
    """Reads one member of an enumeration; `what` is the noun, with its article."""

    def read(text: str) -> Chosen:
        try:
            return words(text)
        except ValueError:
            near = closest(text, words)
            hint = f"did you mean {near}?" if near else f"write {among(words)}"
            raise Unfit(f"{shown(text)} is not {what}", hint) from None

    return read


_SOURCE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


def source_id(text: str) -> str:
    if is_by_hand(text):
        raise Unfit(f"{shown(text)} cannot be an id", "it is the name of manual bans; for example manual-bans")
    if _SOURCE_ID.fullmatch(text):
        return text
    near = re.sub(r"[^a-z0-9]+", "-", text[:80].lower(), flags=re.ASCII).strip("-")[:40].rstrip("-")
    rule = "lower-case letters, digits and hyphens, at most 40, no hyphen first"
    raise Unfit(f"{shown(text)} cannot be an id", f"{rule}; for example {near}" if near else rule)


# One line of a report.
_LONGEST_NOTE = 300


def note(text: str) -> str:
    """A comment, for people."""
    if len(text) > _LONGEST_NOTE:
        raise Unfit(f"has {len(text)} characters", f"at most {_LONGEST_NOTE}")
    if not text.isprintable():
        raise Unfit(f"{shown(text)} has line breaks or control characters", "write it in one line")
    return text


def path(text: str) -> Path:
    """A file's name, absolute or relative to the configuration folder."""
    if not text or "\0" in text:
        raise Unfit(f"{shown(text)} is not a file's name", "write /absolute/name, or lists/name below this folder")
    if text.startswith("~"):
        raise Unfit(f"{shown(text)} begins with ~, and a service has no home", "write the absolute name")
    if "://" in text:
        raise Unfit(f"{shown(text)} is not a file's name", "an address of a server goes with url:")
    return Path(text)


def absolute(text: str) -> Path:
    """A file's name that means the same wherever it is read."""
    if not path(text).is_absolute():
        raise Unfit(f"{shown(text)} is not an absolute name", "write /absolute/name")
    return Path(text)


_JAIL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,59}", re.ASCII)


def jail(text: str) -> str:
    """The name of a jail of fail2ban. One that begins with a hyphen would be an option."""
    if not _JAIL.fullmatch(text):
        raise Unfit(f"{shown(text)} is not a jail's name", "letters, digits and _ . -, at most 60")
    return text


def addresses(text: str) -> AddressRange:
    """First and last of an address, a network `a/n` or a range `a-b`. Strict (RFC 6943 3.1.1): no short forms."""
    if "-" in text:
        ends = [_address(part.strip()) for part in text.split("-", 1)]
        first, last = ends
        if first.version != last.version:
            raise Unfit(f"{shown(text)} mixes IPv4 and IPv6", "both ends of a range are of one family")
        if int(first) > int(last):
            raise Unfit(f"{shown(text)} ends before it begins", f"write {last}-{first}")
        return first, last
    written, slash, prefix = text.partition("/")
    first = _address(written)
    width = first.max_prefixlen
    if not slash:
        return first, first
    # Two digits short of a number of any length: int() refuses very long ones with another error.
    length = int(prefix) if prefix.isascii() and prefix.isdigit() and len(prefix) <= 3 else -1  # noqa: PLR2004
    if not 0 <= length <= width:
        raise Unfit(f"{shown(text)} has no such prefix length", f"write {first}/0 to {first}/{width}")
    below = (1 << (width - length)) - 1
    start = type(first)(int(first) & ~below)
    if start != first:
        raise Unfit(f"{shown(text)} is no network: it does not begin there", f"write {start}/{length} or {first}")
    return first, type(first)(int(first) | below)


# Letters make it one: 1.2.3 is a cut address.
_HOST_NAME = re.compile(r"(?=[^:/]*[g-zG-Z])[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", re.ASCII)


def _address(text: str) -> Address:
    for family, kind in ((socket.AF_INET, IPv4Address), (socket.AF_INET6, IPv6Address)):
        try:
            address = kind(socket.inet_pton(family, text))
        except (OSError, ValueError):  # ValueError: a NUL or a surrogate in the text
            continue
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            raise Unfit(f"{shown(text)} is an IPv4-mapped IPv6 address", f"write {address.ipv4_mapped}")
        return address
    if _HOST_NAME.fullmatch(text):
        raise Unfit(f"{shown(text)} is a name, and names are not supported here", "write its addresses, one an entry")
    raise Unfit(f"{shown(text)} is not an address", "write 192.0.2.1, 192.0.2.0/24, 192.0.2.1-192.0.2.9, or IPv6")


Until = dt.date | dt.datetime


def until(text: str) -> Until:
    """A day, or a moment; a moment without a zone is UTC."""
    try:
        # 3.11's fromisoformat also reads 20270101 and week dates: one way to write a day is enough.
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
            return dt.date.fromisoformat(text)
        moment = dt.datetime.fromisoformat(text)
        if len(text) > len("2027-01-01T"):
            aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            aware.timestamp()
            return aware
    except (ValueError, OverflowError):
        pass
    raise Unfit(f"{shown(text)} is neither a day nor a moment", "write 2027-01-01 or 2027-01-01T18:00:00Z")
