"""The names of the formats in which a set of addresses is exported. Light: banlistctl reads them too."""

from enum import StrEnum


class ExportFormat(StrEnum):
    """What the file is for."""

    PLAIN = "plain"
    CIDR = "cidr"
    JSON = "json"
    NFT = "nft"
    IPSET = "ipset"
    ROUTEROS = "routeros"
    UNBOUND_RPZ = "unbound-rpz"
