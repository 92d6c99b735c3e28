"""What the readers of commands share."""

import re
from collections.abc import Sequence

from banlistd.core.feeds.parsers.commands.readings import LineMeaning, LineReading, doubtful
from banlistd.core.feeds.parsers.spans import short_range_of, span_of
from banlistd.model import Span

ALLOWS = re.compile(
    r"(?<!un)(?<!dis)(?<!not)(?<!not[-_])(?:allow|white|trust|accept|permit|exempt|except|bypass|exclu|ignor|safe)",
    re.IGNORECASE,
)
NEGATED = doubtful("a rule for all addresses but one", "write {type: pattern, ...} and say what in it is banned")


def rule_of(spans: Sequence[Span], *, is_ban: bool) -> LineReading:
    return LineReading(LineMeaning.BAN if is_ban else LineMeaning.EXCEPT, tuple(spans))


def span_of_word(word: str) -> Span | None:
    return span_of(word) or short_range_of(word)
