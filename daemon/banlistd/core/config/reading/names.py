"""A source's `names:`: host names, and how often they are asked for."""

import re

from banlistd.core.config import kinds
from banlistd.core.config.values import Unfit
from banlistd.core.printing import shown

NAMES_EVERY = 300.0
"""Seconds, where an answer has no TTL: those of /etc/hosts and of mDNS. Five minutes are that of most names that change."""

SHORTEST_TTL = 60.0
"""Seconds. Load balancers give 5 or less, and a name is to cost a poll a minute at most; what it had before stays allowed for
`NAMES_TTL`. FortiOS asks at most each 60 s too, Junos each 16 s.
"""

LONGEST_TTL = 3600.0
"""Seconds. Names have up to 2^31; an address that changes is to be known within an hour, as in FortiOS (`fqdn-max-refresh`)."""

NAMES_TTL = 3600.0
"""Seconds for which an address counts after the last answer that had it: large names give other addresses each time."""

_LONGEST = 253
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)


def host_name(text: str) -> str:
    """A host name; one in another script is written as its `xn--` form."""
    if not _NAME.fullmatch(text) or len(text) > _LONGEST or text.rstrip(".").rpartition(".")[2].isdigit():
        raise Unfit(f"{shown(text)} is not a host name", "letters, digits, hyphens and dots: office.example.org")
    return text.rstrip(".").lower()


_EXAMPLE = "office.example.org"
_ONE = kinds.scalar(host_name, kinds.TEXT, "a host name", examples=(_EXAMPLE,))
HOST_NAMES = kinds.many(_ONE, f"host names, such as {_EXAMPLE}")
