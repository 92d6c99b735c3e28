"""One list as it comes out of its parser: addresses, and the figures that the guards judge.

The daemon, which parses nothing itself, takes its lists so; it does not import the parsers, which are many.
"""

from dataclasses import dataclass, field

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.timed import TimedEntries
from banlistd.core.feeds.completeness import Announced
from banlistd.model import Rejected, Validators

SAMPLES = 5
SAMPLE_LENGTH = 80

LONGEST_NEXT = 2000
"""Octets of an address or a cursor of the next page."""


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


def sample_text(text: str) -> str:
    """The beginning of a rejected line, in ASCII: what is not is escaped."""
    return text[:SAMPLE_LENGTH].encode("unicode_escape").decode("ascii")[:SAMPLE_LENGTH]
