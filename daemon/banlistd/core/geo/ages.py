"""How old the data of local databases is: networks move between countries and operators, a few of a hundred in a year. Pure."""

from collections.abc import Mapping, Sequence

from banlistd.model import Remark

_DAY = 86_400.0
_OLD = 60 * _DAY
"""Seconds. Databases are made every day to every month, and Debian brings tor-geoipdb with its security updates."""


def remarks_on_ages(made_at: Mapping[str, float], now: float) -> Sequence[Remark]:
    """`made_at`: when the data of each database was made, by what it is called."""
    return [
        Remark(
            f"{name} is {(now - when) / _DAY:.0f} days old, and sources ban by it",
            "update it: apt-get upgrade for tor-geoipdb, geoipupdate for GeoLite2",
        )
        for name, when in made_at.items()
        if now - when > _OLD
    ]
