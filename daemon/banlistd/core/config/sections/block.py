"""A source's `block:` and `only:`: whole countries and networks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from banlistd.core.config import kinds
from banlistd.core.config.keys import Key, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(Section):
    """Every address of these countries and networks that the local databases know."""

    title = "block"
    intro = "At least one of these keys."

    countries: Annotated[tuple[str, ...], Key(kinds.COUNTRY_CODES, "Countries by their codes: NO, SE.")] = ()
    asns: Annotated[tuple[int, ...], Key(kinds.ASNS, "Network operators by their numbers: AS64496.")] = ()

    def complaints(self) -> Iterator[tuple[str, str]]:
        if not (self.countries or self.asns):
            yield "has neither countries nor asns", "write {countries: [NO, SE]}, or {asns: [AS64496]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Only(Block):
    """Every address that the local databases do not give to these countries and networks, but for reserved ones."""

    title = "only"
    intro = "At least one of these keys. What the databases do not know is banned too, reserved addresses are not."

    def complaints(self) -> Iterator[tuple[str, str]]:
        if not (self.countries or self.asns):
            yield "has neither countries nor asns", "nothing would be let through: write {countries: [NO, SE]}"
