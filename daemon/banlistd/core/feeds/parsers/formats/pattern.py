"""What no other format fits (XML, HTML, rules): the addresses at a group of a pattern that the source names."""

from collections.abc import Mapping

from banlistd.core.config.sections.patterns import Pattern, PatternFault
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.spans import span_between, span_of
from banlistd.core.feeds.parsers.tables.rows import network_with
from banlistd.core.feeds.parsers.text import LONGEST_LINE, decoded
from banlistd.errors import ParseError
from banlistd.formats import Format
from banlistd.model import Span


def parse_pattern(body: bytes, form: Format, harvest: Harvest) -> Format:
    """The entry of each match; a match without one is rejected. Raises ParseError for a pattern that cannot be used."""
    try:
        pattern = Pattern(form.pattern)
    except PatternFault as fault:
        raise ParseError(f"the pattern {fault.args[0]}", fault.args[1]) from fault
    number, counted = 1, 0
    for begins, text, groups in pattern.matches(body):
        span = _span(groups) if len(text) <= LONGEST_LINE else None
        if span is not None:
            harvest.add(span)
            continue
        number, counted = number + body.count(b"\n", counted, begins), begins
        too_long = f"a match of more than {LONGEST_LINE:,} bytes"
        harvest.reject(number, decoded(text).strip(), too_long if len(text) > LONGEST_LINE else "no address in its group")
    return form


def _span(groups: Mapping[str, bytes]) -> Span | None:
    address, last = (decoded(groups.get(name, b"")).strip() for name in ("address", "last"))
    if last:
        return span_between(address, last)
    size = next((decoded(groups[name]).strip() for name in ("prefix", "netmask") if groups.get(name)), "")
    return network_with(address, size) if size else span_of(address)
