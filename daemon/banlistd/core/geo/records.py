"""A record of a database or a service, in any of the known layouts -> an Origin. Foreign data: nothing of it is believed. Pure.

| who | country | ASN |
|---|---|---|
| MaxMind, DB-IP | `country: {iso_code, names: {en}}` | `autonomous_system_number`, `autonomous_system_organization` |
| IPinfo | `country_code`, `country` (its name; in old files the code) | `asn: AS64496`, `as_name` |
| ip-location-db | `country_code` | as MaxMind |
| ip-api.com | `countryCode`, `country` | `as: AS64496 Example Network` |
"""

import re
from collections.abc import Mapping

from banlistd.core.geo.countries import NAMES
from banlistd.core.geo.tables import is_country
from banlistd.core.geo.types import Origin

_LONGEST_NAME = 120
_LONGEST = 400
_MAX_ASN = 2**32 - 1
_ASN = re.compile(r"(?:AS)?([0-9]{1,10})(?: (.{1,400}))?", re.ASCII | re.DOTALL)


def origin_of(record: object) -> Origin:
    """What a record says; nothing where it says nothing, or is in no layout that is known."""
    if not isinstance(record, Mapping):
        return Origin()
    country, name = _country(record)
    asn, organisation = _asn(record)
    return Origin(country, name or NAMES.get(country, "") if country else "", asn, organisation if asn is not None else "")


def _country(record: Mapping[object, object]) -> tuple[str, str]:
    for key in ("country", "registered_country"):
        nested = record.get(key)
        if isinstance(nested, Mapping) and (code := _code(nested.get("iso_code"))):
            names = nested.get("names")
            return code, _text(names.get("en")) if isinstance(names, Mapping) else ""
    for key in ("country_code", "countryCode"):
        if code := _code(record.get(key)):
            return code, _text(record.get("country") or record.get("country_name"))
    return _code(record.get("country")), _text(record.get("country_name"))


def _asn(record: Mapping[object, object]) -> tuple[int | None, str]:
    for key, name in (("autonomous_system_number", "autonomous_system_organization"), ("asn", "as_name"), ("as", "as")):
        number, rest = _number(record.get(key))
        if number is not None:
            return number, rest or (_text(record.get(name)) if name != key else "")
    return None, ""


def _code(value: object) -> str:
    return value if isinstance(value, str) and is_country(value) else ""


def _text(value: object) -> str:
    """One line that can be printed; anything else becomes blanks, and what is too long is cut."""
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in value[:_LONGEST_NAME]).strip()


def _number(value: object) -> tuple[int | None, str]:
    """Of 64496, "64496", "AS64496" or "AS64496 Example Network". 0 is reserved (RFC 7607)."""
    if isinstance(value, int):
        return (value, "") if 0 < value <= _MAX_ASN else (None, "")
    match = _ASN.fullmatch(value[:_LONGEST]) if isinstance(value, str) else None
    if match is None or not 0 < int(match[1]) <= _MAX_ASN:
        return None, ""
    return int(match[1]), _text(match[2])
