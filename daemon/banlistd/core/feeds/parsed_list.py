"""One list as it comes out of its parser: addresses, and the figures that the guards judge."""

from dataclasses import dataclass, field

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.completeness import Announced, Unit, announced, data_lines
from banlistd.core.feeds.parsers import parse
from banlistd.formats import Format
from banlistd.model import Rejected, Validators


@dataclass(frozen=True, slots=True, eq=False)
class ParsedList:
    """`entries`: distinct entries as they were written. `rejected`: lines that should have held an address and did not.

    `samples`: the first rejected lines. `is_html`: whether the body looks like a web page. `said`: how many entries the list
    says that it has. `data_lines`: its lines that are no comments, where `said` counts entries, else 0.
    """

    addresses: AddressSet = field(repr=False)
    entries: int
    rejected: int = 0
    samples: tuple[Rejected, ...] = ()
    is_html: bool = False
    said: Announced | None = None
    data_lines: int = 0


@dataclass(frozen=True, slots=True)
class Download:
    """A list that arrived whole and was parsed, and what shows next time that it has not changed."""

    parsed: ParsedList
    validators: Validators


def parsed_list(body: bytes, form: Format) -> ParsedList:
    """Parse a decompressed body. Raises ParseError as `parse` does. Memory and time are unbounded: not for foreign bytes."""
    parsed = parse(body, form)
    said = announced(body)
    lines = data_lines(body) if said is not None and said.unit is Unit.ENTRIES else 0
    return ParsedList(
        parsed.addresses, parsed.entries, parsed.rejected, parsed.samples, parsed.looks_like == "html", said, lines
    )
