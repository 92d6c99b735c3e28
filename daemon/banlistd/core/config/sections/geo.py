"""Where addresses belong: the local databases, and the service for addresses that they do not know."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from banlistd.core.config import geo as geography
from banlistd.core.config import kinds, web
from banlistd.core.config.keys import Key, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Online(Section):
    """A service with the interface of ip-api.com's batch requests."""

    title = "geo.online"
    intro = "These keys are set below `online:` of `geo:`."

    enabled: Annotated[
        bool,
        Key(
            kinds.SWITCH,
            "Asks the service about banned addresses that no local database knows. Otherwise no address leaves this machine.",
        ),
    ] = False
    # Not in repr: it may contain a secret.
    url: Annotated[str, Key(web.URL, "The address of the service: http://ip-api.com/batch, or a compatible one.")] = field(
        default="", repr=False
    )

    def complaints(self) -> Iterator[tuple[str, str]]:
        if self.enabled and not self.url:
            yield "is enabled and has no url", "write url: http://ip-api.com/batch, or that of a service of your own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Geo(Section):
    """Where addresses belong: country and ASN."""

    title = "geo"
    intro = "These keys are set below `geo:`."

    databases: Annotated[
        tuple[Path, ...],
        Key(
            kinds.PATHS,
            "Databases: .mmdb files, or the CSV files of tor-geoipdb. Missing files are skipped. "
            "The first that knows an address wins.",
        ),
    ] = geography.DATABASES
    rewarm: Annotated[bool, Key(kinds.SWITCH, "Also looks up expired answers again when a list has not changed.")] = False
    expiry: Annotated[float, Key(kinds.duration_between("1h", "365d"), "How long an answer is kept.")] = 30 * 86400.0
    negative_expiry: Annotated[
        float, Key(kinds.duration_between("1m", "365d"), "How long the answer is kept that an address is unknown.")
    ] = 86400.0
    online: Annotated[Online, Key(kinds.section(Online, "online"), "A service for addresses that no database knows.")] = (
        Online()
    )
