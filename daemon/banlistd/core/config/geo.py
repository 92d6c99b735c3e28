"""What an administrator writes about countries and network operators -> what it means.

YAML 1.1's `no` comes here as the text that it was: it is Norway.
"""

import re
from pathlib import Path

from banlistd.core.config.values import Unfit, closest
from banlistd.core.geo.countries import COUNTRIES, KOSOVO, MEANT
from banlistd.core.printing import shown

# What geoipupdate and Debian's tor-geoipdb install. What is not there is passed over.
DATABASES = tuple(
    Path(name)
    for name in (
        "/var/lib/GeoIP/GeoLite2-Country.mmdb",
        "/var/lib/GeoIP/GeoLite2-ASN.mmdb",
        "/usr/share/tor/geoip",
        "/usr/share/tor/geoip6",
    )
)

_MAX_ASN = 2**32 - 1
_ASN = re.compile(r"(?:AS)?([0-9]{1,10})", re.ASCII | re.IGNORECASE)


def country(text: str) -> str:
    """ISO 3166-1 alpha-2, in small letters or capitals."""
    code = text.upper()
    if code in COUNTRIES or code == KOSOVO:
        return code
    by_name = {name.lower(): known for known, name in COUNTRIES.items()}
    # Two letters are like too many names.
    near = MEANT.get(code) or by_name.get(closest(text, by_name) if len(text) > 2 else "")  # noqa: PLR2004 - a code has two
    hint = f"did you mean {near}, {COUNTRIES[near]}?" if near else "write two letters of ISO 3166, such as NO or SE"
    raise Unfit(f"{shown(text)} is not a country", hint)


def asn(text: str) -> int:
    """The number of an autonomous system, with or without AS in front."""
    match = _ASN.fullmatch(text)
    number = int(match[1]) if match else 0
    if not 0 < number <= _MAX_ASN:
        raise Unfit(f"{shown(text)} is not the number of a network operator", "write AS64496 or 64496")
    return number
