"""What the header of a table calls its columns."""

import re
from enum import Enum, auto


class Role(Enum):
    """UNNAMED: there is no name. OTHER: it says nothing of addresses. NUMBER: it counts something else, or names it."""

    UNNAMED = auto()
    OTHER = auto()
    START = auto()
    END = auto()
    ATTACKER = auto()
    VICTIM = auto()
    NETWORK = auto()
    PREFIX = auto()
    COUNT = auto()
    NUMBER = auto()


_NAMES = {
    Role.START: "start starts startip first from begin begins beginning low lower lowest min lo rangestart startrange",
    Role.END: "end ends endip last to stop finish ending high higher highest upper max hi until rangeend endrange",
    Role.ATTACKER: "attacker src source offender offending client malicious scanner bot blocked banned bad abuser intruder",
    Role.VICTIM: "victim dst dest destination target server local our own sinkhole sensor honeypot gateway reporter reportedby "
    "resolver",
    Role.NETWORK: "network net subnet base block prefixaddress networkaddress netaddress netblock",
    Role.PREFIX: "prefix prefixlen prefixlength preflen plen mask masklen masklength maskbits netmask subnetmask cidr cidrbits "
    "bits length len netmasklength wildcard wildcardmask",
    Role.COUNT: "count size hosts hostcount addresses addresscount numaddresses ips ipcount numips num number total quantity "
    "value numberofaddresses numhosts",
    Role.NUMBER: "port dstport srcport dstports score level asn as asnumber id hits attacks reports confidence severity rank "
    "weight days risk age ttl targets events seen votes percent line no nr",
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names.split()}

_AFFIXES = re.compile(r"\A(?:ip|ipv4|ipv6|addr|address|range|host)(?=[a-z])|(?:ip|ipv[46]|addr|address|host|s|\d)\Z")
_MAX_AFFIXES = 4


def role_of(name: str) -> Role:
    """Of `Start IP`, `ip_from`, `dst-address`, `prefixlen`."""
    text = re.sub(r"[^a-z0-9]", "", name[:60].casefold())
    for _ in range(_MAX_AFFIXES):
        if text in _ROLES:
            return _ROLES[text]
        shorter = _AFFIXES.sub("", text, count=1)
        if shorter in ("", text):
            break
        text = shorter
    return Role.OTHER
