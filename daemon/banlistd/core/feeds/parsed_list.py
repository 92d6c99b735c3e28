"""One list as it comes out of its parser: addresses, and the figures that the guards judge."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.timed import TimedEntries
from banlistd.core.feeds.completeness import Announced, Unit, announced, data_lines
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.next_page import next_page
from banlistd.core.feeds.parsers.parsed import SAMPLES, sample_text
from banlistd.formats import Format, FormatType
from banlistd.model import Rejected, Validators

_MAY_BE_JSON = frozenset({FormatType.AUTO, FormatType.JSON})


@dataclass(frozen=True, slots=True, eq=False)
class ParsedList:
    """`entries`: distinct entries as they were written. `rejected`: lines that should have held an address and did not.

    `samples`: the first rejected lines, then, as line 0, the first files of an archive that were left out. `is_html`: whether
    the body looks like a web page. `said`: how many entries the list says that it has. `data_lines`: its lines that are no
    comments, where `said` counts entries, else 0. `next_page`: where the list goes on, an address or a cursor, foreign text;
    empty: nowhere. `timed`: every entry with its end, where some of them end by themselves. `held_for`: seconds until a version
    of a fleet's list is taken, where the fleet lets others try it first.
    """

    addresses: AddressSet = field(repr=False)
    entries: int
    rejected: int = 0
    samples: tuple[Rejected, ...] = ()
    is_html: bool = False
    said: Announced | None = None
    data_lines: int = 0
    next_page: str = ""
    timed: TimedEntries | None = field(default=None, repr=False)
    held_for: int = 0


@dataclass(frozen=True, slots=True)
class Download:
    """A list that arrived whole and was parsed, and what shows next time that it has not changed. `octets`: of its bodies as
    they arrived; 0: it came from no server and no file. `ttl`: seconds for which it counts; None: not known.
    """

    parsed: ParsedList
    validators: Validators
    octets: int = 0
    ttl: float | None = None


_FILES_SHOWN = 2


def with_files_left_out(samples: Sequence[Rejected], count: int, names: Sequence[str]) -> tuple[Rejected, ...]:
    """`count`: of the files of an archive that were left out, `names`: of the first of them, which are foreign text.

    At least two of them, as far as there are any, whatever lines were rejected.
    """
    room = max(_FILES_SHOWN, SAMPLES - len(samples))
    names = [sample_text(name) for name in names[:room]]
    reason = f"not read; files of the archive left out: {count:,}"
    return (*samples[: SAMPLES - len(names)], *(Rejected(0, name, reason) for name in names))


def parsed_list(body: bytes, form: Format, next_path: str = "") -> ParsedList:
    """Parse a decompressed body. `next_path`: as for `next_page`, of a JSON document.

    Raises ParseError as `parse` does. Memory and time are unbounded: not for foreign bytes.
    """
    parsed = parse(body, form)
    said = announced(body)
    lines = data_lines(body) if said is not None and said.unit is Unit.ENTRIES else 0
    is_html = parsed.looks_like == "html"
    further = next_page(body, next_path) if next_path or form.type in _MAY_BE_JSON else ""
    return ParsedList(
        parsed.addresses, parsed.entries, parsed.rejected, parsed.samples, is_html, said, lines, further, parsed.timed
    )
