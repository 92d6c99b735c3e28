"""Lists that no format fits, read by a pattern."""

import pytest

from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.parsed import Parsed
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Family


def _read(body: str, pattern: str) -> Parsed:
    return parse(body.encode(), Format(FormatType.PATTERN, pattern=pattern))


_RSS = """<?xml version="1.0"?><rss><channel><title>192.0.2.1 is our server</title>
<item><title>198.51.100.7 | S</title></item>
<item><title>unknown | S</title></item>
<item><title>2001:db8::7 | H</title></item></channel></rss>
"""
_SURICATA = """# drop ip [192.0.2.1] any
drop ip [198.51.100.0/24] any -> $HOME_NET any (msg:"ET DROP"; sid:1;)
alert ip [203.0.113.9] any -> $HOME_NET any (msg:"ET DROP"; sid:2;)
"""
_TABLE = "<html><table><tr><td>198.51.100.0</td>\n<td>255.255.255.0</td></tr></table></html>"


@pytest.mark.parametrize(
    ("body", "pattern", "entries", "rejected"),
    [
        (_RSS, r"<item><title>(?P<address>[^ |<]*)", 2, 1),
        (_SURICATA, r"(?m)^drop ip \[(?P<address>[^\]]+)\]", 1, 0),
        (_TABLE, r"<td>(?P<address>[^<]+)</td>\s*<td>(?P<netmask>[^<]+)</td>", 1, 0),
        ("a=198.51.100.1 b=198.51.100.9;", r"a=(?P<address>\S+) b=(?P<last>[^;]+)", 1, 0),
        ("n 198.51.100.0 len 24\nn 203.0.113.0 len 33\nn 192.0.2.1", r"n (?P<address>\S+)(?: len (?P<prefix>\S+))?", 2, 1),
        ("ip:198.51.100.300", r"ip:(?P<address>\S+)", 0, 1),
        ("nothing", r"ip:(?P<address>\S+)", 0, 0),
        ("", r"ip:(?P<address>\S+)", 0, 0),
    ],
)
def test_each_match_is_an_entry_or_rejected(body: str, pattern: str, entries: int, rejected: int) -> None:
    parsed = _read(body, pattern)
    assert (parsed.entries, parsed.rejected) == (entries, rejected)


def test_a_size_beside_the_address_makes_a_network() -> None:
    mask = _read(_TABLE, r"<td>(?P<address>[^<]+)</td>\s*<td>(?P<netmask>[^<]+)</td>")
    assert mask.addresses.ranges(Family.IPV4).count() == 256
    ends = _read("a=198.51.100.1 b=198.51.100.9;", r"a=(?P<address>\S+) b=(?P<last>[^;]+)")
    assert ends.addresses.ranges(Family.IPV4).count() == 9
    slipped = _read("a=198.51.100.9 b=198.51.100.1;", r"a=(?P<address>\S+) b=(?P<last>[^;]+)")
    assert (slipped.entries, slipped.rejected) == (0, 1)


def test_a_rejected_match_has_the_number_of_its_line() -> None:
    parsed = _read("ip:a\n\nip:198.51.100.7 ip:b\nip:c\n", r"ip:(?P<address>\S+)")
    assert [(one.line, one.text) for one in parsed.samples] == [(1, "ip:a"), (3, "ip:b"), (4, "ip:c")]


def test_a_match_that_is_too_long_is_rejected() -> None:
    parsed = _read(f"<{' ' * 10_000}198.51.100.7>", r"<(?P<address>[^>]+)>")
    assert (parsed.entries, parsed.samples[0].reason) == (0, "a match of more than 10,000 bytes")


def test_a_web_page_that_is_read_by_a_pattern_is_a_list() -> None:
    pattern = "<td>(?P<address>[^<]+)</td>"
    assert not _read(_TABLE, pattern).looks_like
    assert parse(_TABLE.encode()).looks_like == "html"


@pytest.mark.parametrize("pattern", ["", "(", "abc"])
def test_a_pattern_that_cannot_be_used_is_an_error(pattern: str) -> None:
    with pytest.raises(ParseError, match="the pattern "):
        _read("198.51.100.7", pattern)


def test_a_search_takes_linear_time() -> None:
    # An engine that goes back takes longer than the world is old for it.
    assert _read("a" * 100_000, r"(?P<address>(?:a*)*)b").entries == 0
