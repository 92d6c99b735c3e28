"""What scopes are made of, and how many there may be; banlistctl imports it."""

import re

MOST_SCOPES = 16
"""So many different scopes a configuration may have: each costs every clean packet one more test (see the benchmark)."""

MOST_BY_HAND = 8
"""So many different scopes manual bans may have besides."""

MOST_NUMBERS = 2 * (MOST_SCOPES + MOST_BY_HAND)
"""All scopes can be exchanged for as many others, and none of these gets the number of one that is in the firewall."""

WITH_PORTS = ("tcp", "udp", "sctp")
"""The protocols that have ports; without `protocols`, ports are those of the first two."""

SCOPE_PROTOCOLS = (*WITH_PORTS, "icmp", "icmpv6", "esp", "ah", "gre")
"""By the names that nft knows; `icmp` is of IPv4, `icmpv6` of IPv6."""

_BY_HAND = re.compile(r"manual(-[0-9a-f]{8})?", re.ASCII)


def is_by_hand(source_id: str) -> bool:
    """Whether a source is that of the manual bans, or of those of one scope."""
    return _BY_HAND.fullmatch(source_id) is not None
