"""Columns that take a row out of a table: `whitelisted`, `is_active`, or an `action` that is no ban."""

from collections.abc import Sequence

from banlistd.core.feeds.parsers.json.words import flag_of, is_word_of_no_ban, may_say_no_ban
from banlistd.core.feeds.parsers.tables.rows import PLACEHOLDERS
from banlistd.errors import ParseError
from banlistd.formats import Condition, Operator

_WRITTEN = {"true": ("true", "1", "yes", "y", "t"), "false": ("false", "0", "no", "n", "f")}
_FLAG = frozenset({"", *_WRITTEN["true"], *_WRITTEN["false"]})


def conditions_of(names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[Condition, ...]:
    """What a row must not say in columns that the header calls so. Raises ParseError where a word of a row says that it is no
    ban: no list of such words is whole.
    """
    conditions = []
    for at, name in enumerate(names):
        cells = {row[at].casefold() for row in rows if at < len(row)}
        truth = flag_of(name)
        if truth and cells and cells <= _FLAG:
            conditions.append(Condition(str(at + 1), Operator.IS_NOT, _WRITTEN[truth]))
        elif may_say_no_ban(name):
            word = next((cell for cell in sorted(cells - PLACEHOLDERS) if is_word_of_no_ban(cell)), None)
            if word is not None:
                hint = f'write {{type: csv, column: NAME, where: {{{name}: "!= {word}"}}}}, or other conditions'
                raise ParseError(f"some rows have {name}: {word}"[:150], hint[:200])
    return tuple(conditions)
