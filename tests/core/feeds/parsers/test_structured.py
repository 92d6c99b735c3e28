"""Tables and JSON, by example."""

import pytest

from banlistd.core.addresses.sets import to_text
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.parsed import Parsed
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Family


def _held(parsed: Parsed) -> list[str]:
    held = parsed.addresses.ranges(Family.IPV4)
    pairs = zip(held.first, held.last, strict=True)
    return [to_text(Family.IPV4, a) if a == b else f"{to_text(Family.IPV4, a)}-{to_text(Family.IPV4, b)}" for a, b in pairs]


_FEODO = b"""# banner, with 9.9.9.9
"first_seen_utc","dst_ip","dst_port"
"2024-04-04 07:03:03","1.2.3.4","443"
"2024-04-04, late","5.6.7.8","443"
# END 2 entries"""


def test_the_column_of_addresses_is_found_behind_a_quoted_header() -> None:
    parsed = parse(_FEODO)
    assert _held(parsed) == ["1.2.3.4", "5.6.7.8"]
    assert parsed.form == Format(FormatType.CSV, columns=("2",), separator=",")
    assert parsed.rejected == 0


@pytest.mark.parametrize("columns", [("2",), ("dst_ip",), ("DST_IP",)])
@pytest.mark.parametrize("separator", ["", ","])
def test_a_column_is_named_by_number_or_by_header(columns: tuple[str, ...], separator: str) -> None:
    parsed = parse(_FEODO, Format(FormatType.CSV, columns=columns, separator=separator))
    assert _held(parsed) == ["1.2.3.4", "5.6.7.8"]
    assert parsed.rejected == 0


def test_header_may_be_in_a_comment() -> None:
    body = b"#name;address\nx;1.2.3.4\ny;-\n"
    parsed = parse(body, Format(FormatType.CSV, columns=("address",), separator=";"))
    assert _held(parsed) == ["1.2.3.4"]
    assert [(sample.line, sample.text) for sample in parsed.samples] == [(3, "y;-")]


@pytest.mark.parametrize(
    ("separator", "body"),
    [
        ("tab", b"x\t1.2.3.4\t1.2.3.6\n"),
        ("whitespace", b"x  1.2.3.4   1.2.3.6\n"),
        (";", b"x;1.2.3.4;1.2.3.6\n"),
        ("::", b"x::1.2.3.4::1.2.3.6\n"),
        ("|", b"x | 1.2.3.4 | 1.2.3.6\n"),
    ],
)
def test_two_columns_are_the_ends_of_a_range(separator: str, body: bytes) -> None:
    assert _held(parse(body, Format(FormatType.CSV, columns=("2", "3"), separator=separator))) == ["1.2.3.4-1.2.3.6"]


@pytest.mark.parametrize("columns", [("absent",), ("0",), ("1", "2", "3")])
def test_a_column_that_cannot_be_is_a_parse_error(columns: tuple[str, ...]) -> None:
    with pytest.raises(ParseError):
        parse(_FEODO, Format(FormatType.CSV, columns=columns))


def test_a_row_without_its_column_is_rejected() -> None:
    parsed = parse(b"a,1.2.3.4\nb\n", Format(FormatType.CSV, columns=("2",), separator=","))
    assert (_held(parsed), parsed.rejected) == (["1.2.3.4"], 1)


def test_start_and_end_columns_are_found_to_be_ranges() -> None:
    parsed = parse(b"Start\tEnd\tPrefix\n1.2.3.0\t1.2.3.255\t24\n9.9.9.0\t9.9.9.255\t24\n")
    assert _held(parsed) == ["1.2.3.0-1.2.3.255", "9.9.9.0-9.9.9.255"]
    assert parsed.form.columns == ("1", "2")


@pytest.mark.parametrize("separator", [" ", ",", "\t"])
def test_two_addresses_of_an_event_are_no_range(separator: str) -> None:
    body = "\n".join(f"{i}.2.3.4{separator}203.0.113.9{separator}x" for i in range(1, 60))
    assert parse(body.encode()).addresses.ranges(Family.IPV4).count() == 59


def test_many_wide_ranges_are_refused_where_nothing_but_their_number_says_that_they_are_ranges() -> None:
    body = "\n".join(f"{2 * i}.0.0.0,{2 * i + 1}.255.255.254,XX" for i in range(1, 40)).encode()
    with pytest.raises(ParseError) as refusal:
        parse(body)
    assert "columns: [1, 2]" in refusal.value.hint
    named = parse(body, Format(FormatType.CSV, columns=("1", "2")))
    assert named.addresses.ranges(Family.IPV4).count() == 39 * (2 * 2**24 - 1)


def test_padded_pipes_are_a_table() -> None:
    body = b"# ASN | name | address | seen\n" + b"".join(b"NA  |  X, Inc  |  1.2.3.%d  |  2024-01-01\n" % i for i in (4, 6, 8))
    assert _held(parse(body)) == ["1.2.3.4", "1.2.3.6", "1.2.3.8"]


def test_addresses_are_found_beneath_the_arrays_of_a_json_document() -> None:
    body = b'{"date": "x", "prefixes": [{"net": "1.2.3.0/31", "region": "eu-west-1"}], "ips": ["5.6.7.8", "2001:db8::/32"]}'
    parsed = parse(body)
    assert _held(parsed) == ["1.2.3.0-1.2.3.1", "5.6.7.8"]
    assert (parsed.entries4, parsed.entries6, parsed.rejected) == (2, 1, 0)
    assert parsed.form.paths == ("prefixes[].net", "ips[]")


def test_error_body_with_the_clients_address_bans_nothing() -> None:
    parsed = parse(b'{"error": "rate limited", "ip": "1.2.3.4"}')
    assert (_held(parsed), parsed.rejected) == ([], 1)


@pytest.mark.parametrize("path", ["a.b[].ip", "a.b[].more", "a.b[].more[]"])
def test_a_path_steps_through_keys_and_arrays(path: str) -> None:
    body = b'{"a": {"b": [{"ip": "1.2.3.4", "more": ["1.2.3.4", 7]}]}, "ip": "9.9.9.9"}'
    parsed = parse(body, Format(FormatType.JSON, paths=(path,)))
    assert _held(parsed) == ["1.2.3.4"]
    assert parsed.rejected == (0 if path == "a.b[].ip" else 1)


def test_a_path_may_begin_in_an_array() -> None:
    assert _held(parse(b'[{"ip": "1.2.3.4"}]', Format(FormatType.JSON, paths=("[].ip",)))) == ["1.2.3.4"]


def test_one_of_several_paths_may_be_absent() -> None:
    form = Format(FormatType.JSON, paths=("v4[]", "v6[]"))
    assert _held(parse(b'{"v4": ["1.2.3.4"]}', form)) == ["1.2.3.4"]


def test_an_empty_array_at_a_path_is_an_empty_list() -> None:
    parsed = parse(b'{"v4": []}', Format(FormatType.JSON, paths=("v4[].ip",)))
    assert (parsed.entries, parsed.rejected) == (0, 0)


@pytest.mark.parametrize("body", [b"1.2.3.4", b'{"v4": [', b'{"message": "Internal Server Error"}', b"[" * 100_000])
def test_a_body_that_is_not_the_named_json_is_a_parse_error(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse(body, Format(FormatType.JSON, paths=("v4[]",)))


@pytest.mark.parametrize("body", [b'{"v4": ["1.2.3.4"', b"[" * 100_000, b'{"a": "1.2.3.4"}\n{', b'[\n"1.2.3.4",\n"1.2.3.5",\n'])
def test_cut_json_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError, match="JSON"):
        parse(body)


@pytest.mark.parametrize("body", [b"[2001:db8::1]:443\n2001:db8::2\n", b"[bad]\n2001:db8::1\n2001:db8::2\n"])
def test_a_bracket_alone_does_not_make_json(body: bytes) -> None:
    parsed = parse(body)
    assert (parsed.entries6, parsed.form.type) == (2, FormatType.PLAIN)


@pytest.mark.parametrize("field", ["", "net.cidr"])
@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.JSONL])
def test_records_are_read_by_their_field(kind: FormatType, field: str) -> None:
    body = b"""{"net":{"cidr":"1.2.3.0/31"},"seen_by":"9.9.9.9"}
{"net":{"cidr":"1.2.4.0/31"}}
{"net":{"cidr":"none"}}
{"type":"metadata","records":3,"server":"8.8.8.8"}
"""
    parsed = parse(body, Format(kind, field=field))
    assert _held(parsed) == ["1.2.3.0-1.2.3.1", "1.2.4.0-1.2.4.1"]
    assert [(sample.line, sample.reason) for sample in parsed.samples] == [(3, "no address at net.cidr")]
    assert parsed.form == Format(FormatType.JSONL, field="net.cidr")


def test_lines_that_are_no_records_are_a_parse_error_where_records_are_named() -> None:
    with pytest.raises(ParseError):
        parse(b"1.2.3.4\n1.2.3.5\n", Format(FormatType.JSONL))


@pytest.mark.parametrize("kind", FormatType)
def test_an_empty_body_is_an_empty_list_in_every_format(kind: FormatType) -> None:
    columns = ("ip",) if kind is FormatType.CSV else ()
    pattern = "(?P<address>[0-9.]+)" if kind is FormatType.PATTERN else ""
    parsed = parse(b"", Format(kind, columns=columns, paths=("a",), field="a", pattern=pattern))
    assert (len(parsed.addresses), parsed.entries, parsed.rejected, parsed.lines) == (0, 0, 0, 0)
