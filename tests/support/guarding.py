"""What guards compare a list with."""

from dataclasses import replace

from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges
from banlistd.core.config.model import Source
from banlistd.core.feeds.judgement import GuardContext, judge
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.model import Refusal

NOTHING_ALLOWED = {family: Ranges.none(family) for family in FAMILIES}
NOTHING_KNOWN = GuardContext(
    reserved_ranges(),
    NOTHING_ALLOWED,
    None,
    None,
    had_end_count=False,
    days=1 / 24,
    has_moved=False,
    samples=(),
    seed=1,
)


def after(before: AddressSet | None, *, had_end_count: bool = False) -> GuardContext:
    """The content before, polled an hour ago; nothing is allowed."""
    return replace(NOTHING_KNOWN, before=before, had_end_count=had_end_count)


def refuse(source: Source, parsed: ParsedList, known: GuardContext = NOTHING_KNOWN) -> Refusal | None:
    """The refusal of the guards."""
    return judge(source, parsed, parsed.addresses, known).refusal
