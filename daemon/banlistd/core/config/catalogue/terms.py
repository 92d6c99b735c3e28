"""What may be said of a list, in one word each. banlistctl imports this module, so it imports nothing heavy."""

from enum import StrEnum


class Purpose(StrEnum):
    """Whether an entry is a list to ban, or a reference of addresses that must stay reachable."""

    BAN = "ban"
    ALLOW = "allow"


class UseFor(StrEnum):
    """What the lists are used for. `commercial`: by a business; a list whose terms forbid that is refused."""

    PRIVATE = "private"
    COMMERCIAL = "commercial"


class Permission(StrEnum):
    """What the terms of a list say of a use. `unknown`: they say nothing, or they could not be verified."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class ListState(StrEnum):
    """`deprecated`: still there, and no longer maintained or recommended. `dead`: it is gone, or stays empty."""

    ALIVE = "alive"
    DEPRECATED = "deprecated"
    DEAD = "dead"


class SizeClass(StrEnum):
    """How many entries a list has: fewer than 100, 5,000, 50,000, 500,000, or more."""

    TINY = "tiny"
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"
    HUGE = "huge"
    UNKNOWN = "unknown"


class Topic(StrEnum):
    """What a list is good for. The last ones are those of references for the allowlist."""

    ATTACKS = "attacks"
    SSH = "ssh"
    WEB = "web"
    MAIL = "mail"
    FTP = "ftp"
    VOIP = "voip"
    DNS = "dns"
    TELNET = "telnet"
    SCANNERS = "scanners"
    SPAM = "spam"
    MALWARE = "malware"
    HIJACKED = "hijacked"
    BOGONS = "bogons"
    TOR = "tor"
    PROXIES = "proxies"
    VPN = "vpn"
    HOSTING = "hosting"
    AGGREGATE = "aggregate"
    RESOLVERS = "resolvers"
    CDN = "cdn"
    CLOUD = "cloud"
    BOTS = "bots"
    MONITORING = "monitoring"
    PAYMENT = "payment"
    SERVICES = "services"
    UPDATES = "updates"
