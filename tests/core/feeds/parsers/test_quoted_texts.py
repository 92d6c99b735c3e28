"""Text between quotes over several lines, in what looks like a plain list: no line of it becomes an entry."""

import pytest

from banlistd.core.feeds.parsers import parse
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Family

_FOREIGN = (203 << 24) + (113 << 8) + 66
_PLAIN = "".join(f"198.51.100.{number % 250}\n" for number in range(300))


@pytest.mark.parametrize(
    "body",
    [
        _PLAIN + '192.0.2.1,"he wrote:\n203.0.113.66 is bad"\n',
        _PLAIN + '192.0.2.1;"he wrote:\n\nand then\n203.0.113.66"\n192.0.2.2\n',
        _PLAIN + '192.0.2.1\t"he wrote:\n203.0.113.66 is bad"\n',
        _PLAIN + '192.0.2.1 "he wrote:\n203.0.113.66\nis bad" x\n',
        _PLAIN + '"he wrote:\n203.0.113.66\n",192.0.2.1\n',
        _PLAIN + '192.0.2.1,"a ""word"" and\n203.0.113.66"\n',
        _PLAIN + '192.0.2.1,"one\ntwo","three\n203.0.113.66"\n',
        ';192.0.2.1;"he wrote:\n203.0.113.66 is bad"\n;192.0.2.2;"x"\n',
        '192.0.2.9;192.0.2.8;"x"\n;192.0.2.1;"he wrote:\n203.0.113.66 is bad"\n',
        ';;"he wrote:\n203.0.113.66 is bad"\n;192.0.2.2;"x"\n',
    ],
)
def test_a_line_inside_a_quoted_text_is_no_entry(body: str) -> None:
    try:
        parsed = parse(body.encode())
    except ParseError:
        return
    assert not parsed.addresses.contains(Family.IPV4, _FOREIGN)


@pytest.mark.parametrize(
    "lines",
    [
        '192.0.2.1 "a name"\n203.0.113.66 "another"\n',
        '192.0.2.1 # a 5" disk\n203.0.113.66 # a 3" one\n',
        '# the "list\n203.0.113.66\n# ends"\n',
        '; "a list\n203.0.113.66\n; ends"\n',
        '192.0.2.1 a 5" disk\n203.0.113.66 a 3" one\n',
        '192.0.2.1 "no end\n203.0.113.66\n',
        '192.0.2.1 "a, b," c\n203.0.113.66 "x"\n',
        '"192.0.2.1"\n"203.0.113.66"\n',
    ],
)
def test_quotes_of_one_line_change_nothing(lines: str) -> None:
    parsed = parse((_PLAIN + lines).encode())
    assert parsed.form.type is FormatType.PLAIN
    assert parsed.addresses.contains(Family.IPV4, _FOREIGN)


def test_a_format_that_is_named_takes_each_line_for_itself() -> None:
    body = _PLAIN + '192.0.2.1,"he wrote:\n203.0.113.66 is bad"\n'
    with pytest.raises(ParseError, match="line 301 opens a quoted text"):
        parse(body.encode())
    assert parse(body.encode(), Format(FormatType.PLAIN)).addresses.contains(Family.IPV4, _FOREIGN)


def test_the_line_that_opens_the_text_is_named() -> None:
    body = _PLAIN + '192.0.2.1 "x"\n192.0.2.3,"one\ntwo"\n192.0.2.4\n192.0.2.5,"three\n203.0.113.66"\n'
    with pytest.raises(ParseError, match="line 305 opens"):
        parse(body.encode())
