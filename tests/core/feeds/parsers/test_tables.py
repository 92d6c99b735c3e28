"""Tables: what is a range, a network or an address in them, and what is refused because nothing says which."""

from dataclasses import replace

import pytest

from banlistd.core.addresses.sets import FAMILIES, to_text
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.parsed import Parsed
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType

CSV = FormatType.CSV
AUTO = Format()


def held(parsed: Parsed) -> str:
    """Everything that is banned, in the order of addresses."""
    ranges = [(family, *ends) for family in FAMILIES for ends in zip(*_ends(parsed, family), strict=True)]
    texts = [(to_text(family, first), to_text(family, last)) for family, first, last in ranges]
    return " ".join(first if first == last else f"{first}-{last}" for first, last in texts)


def _ends(parsed: Parsed, family: object) -> tuple[list[bytes], list[bytes]]:
    found = next(parsed.addresses.ranges(one) for one in FAMILIES if one is family)
    return list(found.first), list(found.last)


def read(text: str, form: Format = AUTO) -> str:
    return held(parse(text.encode(), form))


def refused(text: str, form: Format = AUTO) -> str:
    """The hint with which it is refused."""
    with pytest.raises(ParseError) as refusal:
        parse(text.encode(), form)
    return refusal.value.hint


# Two addresses in a line.


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.7 198.51.200.9\n",
        "198.51.100.7,203.0.113.9\n",
        "203.0.113.9\t198.51.100.7\n",
        "2001:db8::1;2001:db8:9::1\n",
        '"198.51.100.7","198.51.100.80"\n"198.51.100.9","198.51.100.81"\n',
        "198.51.100.0 198.51.100.255\n203.0.113.0 203.0.113.127\n",
        "".join(f"10.{net}.0.7 10.{net}.200.1\n" for net in range(30)),
        "ip,other\n198.51.100.7,198.51.100.80\n",
        "from,to\n" + "".join(f"198.51.100.{host},203.0.113.9\n" for host in range(5)),
        "from,to,hits\n198.51.100.7,203.0.113.9,3\n",
        "198.51.100.7 -> 203.0.113.9\n",
        "start,end\n198.51.100.255,198.51.100.0\n203.0.113.127,203.0.113.0\n192.0.2.0,192.0.2.9\n",
        '"198.51.100.7","192.0.2.9","203.0.113.9"\n"198.51.100.8","192.0.2.8","203.0.113.8"\n',
        "a,198.51.100.7,2001:db8::9\n",
    ],
)
def test_two_addresses_of_which_nothing_says_what_they_are_are_refused(text: str) -> None:
    hint = refused(text)
    assert "column: [" in hint
    assert "if only the first is" in hint


@pytest.mark.parametrize(
    "header",
    [
        "start,end",
        "First,Last",
        "ip_from,ip_to",
        "Begin IP,End IP",
        '"low","high"',
        "range_start,range_end",
        "start-address,end-address",
    ],
)
def test_a_header_that_says_start_and_end_makes_ranges(header: str) -> None:
    assert read(f"{header}\n198.51.100.3,198.51.100.9\n") == "198.51.100.3-198.51.100.9"


def test_ends_are_found_by_their_names_in_any_order() -> None:
    form = parse(b"end;cc;start\n198.51.100.9;XX;198.51.100.3\n").form
    assert (form.columns, form.separator) == (("3", "1"), ";")


@pytest.mark.parametrize("third", ["26", "/26", "255.255.255.192"])
def test_a_third_column_that_is_the_length_or_mask_makes_ranges(third: str) -> None:
    assert read(f"198.51.100.0\t198.51.100.63\t{third}\n") == "198.51.100.0-198.51.100.63"


def test_a_third_column_that_is_their_number_makes_ranges_of_two_rows() -> None:
    rows = ["198.51.100.0,198.51.100.95,96,XX\n", "203.0.113.8,203.0.113.47,40,XX\n"]
    assert read("".join(rows)) == "198.51.100.0-198.51.100.95 203.0.113.8-203.0.113.47"
    assert refused(rows[0])


def test_three_rows_that_are_one_network_each_are_ranges_and_two_are_not() -> None:
    rows = ["192.0.2.0 192.0.2.127\n", "198.51.100.0 198.51.100.255\n", "203.0.113.8 203.0.113.15\n"]
    assert read("".join(rows)) == "192.0.2.0-192.0.2.127 198.51.100.0-198.51.100.255 203.0.113.8-203.0.113.15"
    assert refused("".join(rows[:2]))
    assert refused("".join([*rows, "203.0.113.65 203.0.113.70\n"]))


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("attacker,victim", "198.51.100.7 198.51.100.9"),
        ("victim,attacker", "203.0.113.80"),
        ("src_ip,dst_ip", "198.51.100.7 198.51.100.9"),
        ("ip,target", "198.51.100.7 198.51.100.9"),
        ("attacker1,attacker2", "198.51.100.7 198.51.100.9 203.0.113.80"),
    ],
)
def test_the_header_says_which_of_two_addresses_attacked(header: str, wanted: str) -> None:
    assert read(f"{header}\n198.51.100.7,203.0.113.80\n198.51.100.9,203.0.113.80\n") == wanted


def test_several_columns_each_have_addresses_where_they_are_named_so() -> None:
    form = Format(CSV, columns=("1", "2"), separator="whitespace", each=True)
    assert read("198.51.100.7 203.0.113.9\n192.0.2.1 -\n", form) == "192.0.2.1 198.51.100.7 203.0.113.9"
    assert parse(b"198.51.100.7 somewhere\n", form).rejected == 1


@pytest.mark.parametrize("odd", ["203.0.113.255\t203.0.113.0\t24", "203.0.113.0\tn/a\t24", "203.0.113.0\t255.255.255.255\t24"])
@pytest.mark.parametrize("header", ["", "Start\tEnd\tNetblock\n"])
@pytest.mark.parametrize("rows", [3, 9])
def test_an_odd_row_in_a_table_of_ranges_is_rejected_alone(odd: str, header: str, rows: int) -> None:
    good = "".join(f"198.51.{net}.0\t198.51.{net}.255\t24\n" for net in range(0, 2 * rows, 2))
    wanted = " ".join(f"198.51.{net}.0-198.51.{net}.255" for net in range(0, 2 * rows, 2))
    parsed = parse(f"{header}{odd}\n{good}".encode())
    assert (held(parsed), parsed.rejected) == (wanted, 1)


def test_a_row_whose_ends_and_size_disagree_is_rejected() -> None:
    form = Format(CSV, columns=("1", "2"), prefix="3")
    parsed = parse(b"198.51.100.0,198.51.100.255,24\n203.0.113.0,203.0.113.255,25\n", form)
    assert (held(parsed), parsed.rejected) == ("198.51.100.0-198.51.100.255", 1)


# Quoted fields over several lines.

_LOG = """"id","ip","log"
1,198.51.100.7,"GET /
2,192.0.2.66,x
192.0.2.67
""quoted"",192.0.2.68"
3,203.0.113.9,"ok"
4,203.0.113.10,ok
"""


@pytest.mark.parametrize("form", [AUTO, Format(CSV, columns=("ip",)), Format(CSV, columns=("2",), separator=","), Format(CSV)])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_in_a_quoted_field_is_no_record(form: Format, separator: str, end: str) -> None:
    if form.separator and separator != form.separator:
        pytest.skip("another separator is named")
    parsed = parse(_LOG.replace(",", separator).replace("\n", end).encode(), form)
    assert (held(parsed), parsed.rejected) == ("198.51.100.7 203.0.113.9-203.0.113.10", 0)


def test_the_first_column_of_a_quoted_table_is_not_read_as_a_plain_list() -> None:
    rows = [f'198.51.100.{host},"seen"\n' for host in range(0, 250, 2)] * 3
    text = "".join(rows) + '198.51.100.1,"a\n192.0.2.66 b"\n'
    assert "192.0.2.66" not in read(text)


def test_quoted_text_between_blanks_that_goes_on_refuses_the_list() -> None:
    assert refused('"198.51.100.7" "x\n192.0.2.66 y"\n"203.0.113.9" "z"\n')
    assert read('198.51.100.7 # "x\n203.0.113.9 # y" z\n') == "198.51.100.7 203.0.113.9"


def test_a_comment_sign_in_a_quoted_field_is_part_of_it() -> None:
    text = 'ip,note\n198.51.100.7,"a\n# b"\n203.0.113.9,x\n'
    assert read(text, Format(CSV, columns=("ip",))) == "198.51.100.7 203.0.113.9"


@pytest.mark.parametrize("tail", ["", '203.0.113.9,"x"\n', "203.0.113.9,x\n" * 5000])
@pytest.mark.parametrize("form", [Format(CSV, columns=("ip",)), Format(CSV, columns=("1",), separator=",")])
def test_a_quoted_field_without_an_end_refuses_the_list(tail: str, form: Format) -> None:
    hint = refused(f'ip,note\n198.51.100.7,"open\n{tail}', form)
    assert "written twice" in hint


def test_a_record_too_long_is_rejected_to_its_end() -> None:
    inside = "192.0.2.66,x\n" * 3000
    parsed = parse(f'ip,note\n198.51.100.7,"{inside}"\n203.0.113.9,x\n'.encode(), Format(CSV, columns=("ip",)))
    assert (held(parsed), parsed.rejected) == ("203.0.113.9", 1)
    assert "more than 10,000 bytes" in parsed.samples[0].reason


def test_a_quote_in_the_middle_of_a_field_opens_none() -> None:
    text = 'ip,note\n198.51.100.7,a 5" disk\n203.0.113.9,"a "b" c\n192.0.2.1,x\n'
    assert read(text, Format(CSV, columns=("ip",))) == "192.0.2.1 198.51.100.7 203.0.113.9"


# Sizes in another column.

_STATISTICS = """2|ripencc|20260101|6|19830613|20260101|+0000
ripencc|*|ipv4|*|4|summary
ripencc|*|ipv6|*|1|summary
ripencc|*|asn|*|1|summary
ripencc|NO|asn|64500|1|20110414|allocated
ripencc|NO|ipv4|198.51.100.0|96|20110414|allocated
ripencc|SE|ipv4|203.0.113.0|64|20110414|assigned|abc
ripencc||ipv4|192.0.2.0|64||available
ripencc|SE|ipv4|198.18.0.0|64|20110414|reserved
ripencc|SE|ipv6|2001:db8::|33|20110414|allocated
"""
_GIVEN_OUT = "198.51.100.0-198.51.100.95 203.0.113.0-203.0.113.63 2001:db8::-2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"


@pytest.mark.parametrize(
    "form", [AUTO, Format(CSV, columns=("4",), count="5", separator="|"), Format(CSV, columns=("4",), count="5")]
)
def test_the_statistics_of_a_registry_count_addresses_and_leave_out_what_is_not_given_out(form: Format) -> None:
    parsed = parse(_STATISTICS.encode(), form)
    assert (held(parsed), parsed.rejected) == (_GIVEN_OUT, 0)


def test_the_statistics_of_a_registry_are_refused_where_the_count_is_not_named() -> None:
    assert "count: 5" in refused(_STATISTICS, Format(CSV, columns=("4",), separator="|"))
    assert "count: 5" in refused(_STATISTICS, Format(CSV, columns=("4", "5"), separator="|"))


def test_a_count_of_ipv6_outside_of_statistics_is_a_number_of_addresses() -> None:
    form = Format(CSV, columns=("start",), count="size")
    assert read("start,size\n2001:db8::4,4\n198.51.100.7,3\n", form) == "198.51.100.7-198.51.100.9 2001:db8::4-2001:db8::7"


@pytest.mark.parametrize("count", ["0", "-1", "x", "", "4294967296", "1e2", "9" * 60])
def test_a_count_that_cannot_be_rejects_its_row(count: str) -> None:
    parsed = parse(f"198.51.100.7,{count}\n".encode(), Format(CSV, columns=("1",), count="2", separator=","))
    assert (held(parsed), parsed.rejected) == ("", 1)


_TWO = "198.51.100.0-198.51.100.255 203.0.113.0-203.0.113.127"


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.0 255.255.255.0\n203.0.113.0 255.255.255.128\n",
        "198.51.100.0 0.0.0.255\n203.0.113.0 0.0.0.127\n",
        "198.51.100.0 /24\n203.0.113.0 /25 # seen\n",
        "198.51.100.0/24\n203.0.113.0 /25\n",
        "198.51.100.0/24\n203.0.113.0 255.255.255.128\n",
        "a,198.51.100.0,255.255.255.0\nb,203.0.113.0,255.255.255.128\n",
        "198.51.100.0\t/24\tx\n203.0.113.0\t/25\ty\n",
        "net;mask;cc\n198.51.100.0;24;XX\n203.0.113.0;25;XX\n",
        "cc,prefixlen,network\nXX,24,198.51.100.0\nXX,25,203.0.113.0\n",
        '"network","netmask"\n"198.51.100.0","255.255.255.0"\n"203.0.113.0","255.255.255.128"\n',
        "start,count\n198.51.100.0,256\n203.0.113.0,128\n",
    ],
)
def test_the_size_in_another_cell_is_read_where_the_header_or_each_row_says_so(text: str) -> None:
    parsed = parse(text.encode())
    assert (held(parsed), parsed.rejected) == (_TWO, 0)


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.0,24,XX\n203.0.113.0,25,XX\n",
        "198.51.100.0,256\n203.0.113.0,128\n",
        "198.51.100.0|256|XX\n",
        "network,prefixlen\n198.51.100.7,24\n203.0.113.9,24\n",
        "198.51.100.7 255.255.255.0\n203.0.113.9 255.255.255.0\n",
        "198.51.100.0 255.255.255.0\n203.0.113.9 seen\n203.0.113.17 twice\n",
        "198.51.100.0 /24\n203.0.113.9 seen\n203.0.113.17 twice\n",
        "198.51.100.0 /24\n" + "203.0.113.9\n" * 9 + "192.0.2.1 remark\n",
    ],
)
def test_what_may_be_a_size_or_something_else_is_refused(text: str) -> None:
    hint = refused(text)
    assert "prefix: " in hint
    assert "for the addresses alone" in hint


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.7,22\n203.0.113.9,23\n192.0.2.1,25\n",
        "198.51.100.7\t8\n203.0.113.9\t3\n192.0.2.1\t1\n",
        "ip,score\n198.51.100.7,16\n203.0.113.9,16\n192.0.2.1,16\n",
        "198.51.100.7 1\n203.0.113.9 2\n192.0.2.1 4\n",
        "198.51.100.7 255.255.255.255\n203.0.113.9 255.255.255.255\n192.0.2.1 255.255.255.255\n",
    ],
)
def test_a_number_that_is_no_size_changes_nothing(text: str) -> None:
    assert read(text) == "192.0.2.1 198.51.100.7 203.0.113.9"


_SIZED = Format(CSV, columns=("1",), separator=",")


@pytest.mark.parametrize("form", [replace(_SIZED, prefix="2"), replace(_SIZED, netmask="2")])
@pytest.mark.parametrize("size", ["26", "/26", "/ 26", "255.255.255.192", "0.0.0.63"])
def test_a_named_size_may_be_written_in_every_way(form: Format, size: str) -> None:
    assert read(f"198.51.100.0,{size}\n203.0.113.0/26,\n", form) == "198.51.100.0-198.51.100.63 203.0.113.0-203.0.113.63"


@pytest.mark.parametrize("size", ["", "33", "-", "255.0.255.0", "1.2.3.4", "::1", "x", "9" * 60, "²"])
def test_an_address_whose_size_is_missing_or_wrong_is_rejected_not_read_alone(size: str) -> None:
    parsed = parse(f"198.51.100.0,{size}\n".encode(), Format(CSV, columns=("1",), separator=",", prefix="2"))
    assert (held(parsed), parsed.rejected) == ("", 1)


def test_a_mask_of_ipv6_is_read() -> None:
    form = Format(CSV, columns=("1",), separator=",", netmask="2")
    assert read("2001:db8::,ffff:ffff:ffff:ffff::\n", form) == "2001:db8::-2001:db8::ffff:ffff:ffff:ffff"


def test_two_named_columns_that_are_no_ends_are_refused_with_the_key_to_write() -> None:
    form = Format(CSV, columns=("1", "2"), separator="whitespace")
    assert "netmask: 2" in refused("198.51.100.0 255.255.255.0\n", form)
    assert "prefix: 2" in refused("198.51.100.0 24\n", form)


# IPv4 and IPv6 in two columns.


@pytest.mark.parametrize("form", [AUTO, *(Format(CSV, columns=columns) for columns in (("ipv4", "ipv6"), ("2", "3")))])
def test_columns_of_two_families_are_no_range(form: Format) -> None:
    text = "name,ipv4,ipv6\na,198.51.100.7,2001:db8::7\nb,203.0.113.9,\nc,-,2001:db8::9\n"
    parsed = parse(text.encode(), form)
    assert (held(parsed), parsed.rejected) == ("198.51.100.7 203.0.113.9 2001:db8::7 2001:db8::9", 0)


def test_families_without_a_header_are_found_in_two_rows() -> None:
    text = "198.51.100.7|2001:db8::7\n203.0.113.9|\n"
    assert read(text) == "198.51.100.7 203.0.113.9 2001:db8::7"


def test_a_row_of_one_family_among_two_is_rejected() -> None:
    form = Format(CSV, columns=("1", "2"), separator=",")
    parsed = parse(b"198.51.100.7,2001:db8::7\n" + b"192.0.2.1,\n" * 250 + b"203.0.113.1,203.0.113.9\n", form)
    assert (held(parsed), parsed.rejected) == ("192.0.2.1 198.51.100.7 2001:db8::7", 1)


def test_a_row_of_two_families_among_ranges_is_rejected() -> None:
    form = Format(CSV, columns=("1", "2"), separator=",")
    parsed = parse(b"198.51.100.7,198.51.100.9\n203.0.113.1,2001:db8::1\n203.0.113.2,\n", form)
    assert (held(parsed), parsed.rejected) == ("198.51.100.7-198.51.100.9", 2)


# Headers, quotes, numbers, number signs.


@pytest.mark.parametrize("mark", ["#fields\t", "#Fields:\t", "#", "# ", "#\t"])
def test_names_in_a_commented_header_are_counted_as_the_columns_are(mark: str) -> None:
    text = f"{mark}indicator\tindicator_type\tsource\n198.51.100.7\tAddr\tX\n203.0.113.0/24\tSubnet\tX\n"
    assert read(text, Format(CSV, columns=("indicator",))) == "198.51.100.7 203.0.113.0-203.0.113.255"


def test_the_extended_log_format_names_its_fields() -> None:
    text = "#Version: 1.0\n#Fields: date c-ip cs-method\n2026-01-01 198.51.100.7 GET\n"
    assert read(text, Format(CSV, columns=("c-ip",))) == "198.51.100.7"


@pytest.mark.parametrize("form", [AUTO, Format(CSV), Format(CSV, columns=("1",))])
@pytest.mark.parametrize("end", ["", ","])
def test_one_quoted_address_in_each_line_is_read(form: Format, end: str) -> None:
    assert read(f'"198.51.100.7"{end}\n"203.0.113.0/24"{end}\n"2001:db8::7"{end}\n', form).count(" ") == 2


def test_whole_numbers_are_ends_where_columns_are_named() -> None:
    form = Format(CSV, columns=("1", "2"))
    text = '"3325256704","3325256959","NO"\n"3405803776","3405803839","SE"\n"x","1","-"\n'
    parsed = parse(text.encode(), form)
    assert (held(parsed), parsed.rejected) == ("198.51.100.0-198.51.100.255 203.0.113.0-203.0.113.63", 1)
    assert read(text) == ""


def test_whole_numbers_of_ipv6_and_of_mapped_ipv4_are_ends() -> None:
    mapped = 0xFFFF << 32 | 0xC6336400
    low = 0x20010DB8 << 96
    text = f"{mapped},{mapped + 255}\n{low},{low + 15}\n"
    assert read(text, Format(CSV, columns=("1", "2"))) == "198.51.100.0-198.51.100.255 2001:db8::-2001:db8::f"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("#1,198.51.100.7\n#2,203.0.113.9\n# END\n", ("2",)),
        ("channel,ip\n#irc,198.51.100.7\n#ops,203.0.113.9\n", ("ip",)),
        (";198.51.100.7;x\n;203.0.113.9;y\n", ("2",)),
        ("; made by hand\na;198.51.100.7\n;203.0.113.9\n", ("2",)),
        ('"#1","198.51.100.7"\n"#2","203.0.113.9"\n', ("2",)),
    ],
)
def test_a_first_cell_with_a_comment_sign_is_a_cell_where_each_record_has_it(text: str, columns: tuple[str, ...]) -> None:
    separator = ";" if text.startswith(";") else ","
    assert read(text, Format(CSV, columns=columns, separator=separator)) == "198.51.100.7 203.0.113.9"


@pytest.mark.parametrize(
    "text",
    [
        "id,ip\n1,198.51.100.7\n#2,192.0.2.66\n",
        "id,ip\n1,198.51.100.7\n# 2,192.0.2.66\n",
        "id,ip\n# lifted,192.0.2.66\n1,198.51.100.7\n",
    ],
)
def test_a_record_that_is_commented_out_is_no_record(text: str) -> None:
    assert read(text, Format(CSV, columns=("ip",))) == "198.51.100.7"


def test_records_that_may_all_be_commented_out_are_refused() -> None:
    assert refused("#2026-01-01,198.51.100.7\n#2026-01-02,203.0.113.9\n", Format(CSV, columns=("2",), separator=","))


def test_a_network_with_its_mask_and_gateway_is_read_whole() -> None:
    text = "network,netmask,gateway\n198.51.100.0,255.255.255.0,192.0.2.1\n203.0.113.0,255.255.255.128,192.0.2.1\n"
    assert read(text) == _TWO
