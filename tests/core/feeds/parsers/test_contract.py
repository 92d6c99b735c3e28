"""What holds for every format: no bytes raise, every line that says something is counted, and the quick way is the slow way."""

import contextlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.feeds.parsers import PARSERS, parse
from banlistd.core.feeds.parsers.commands.blocks import blocks_as_lines
from banlistd.core.feeds.parsers.formats.plain import parse_plain, read_line
from banlistd.core.feeds.parsers.parsed import Harvest, Parsed
from banlistd.core.feeds.parsers.spans import span_of
from banlistd.core.feeds.parsers.text import BLOCK, LONGEST_LINE, lines_of
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Family

_PIECES = (
    *("1.2.3.4", "10.0.0.0/8", "1.2.3.4/33", "256.1.1.1", "1.2.3.4/", "/24", "1..2.3", "1.2.3", "1.2.3.4.5", "0001.2.3.4"),
    *("001.002.003.004", "1.2.3.9", "255.255.255.255", "1.2.3.4/032", "1.2.3.4/255.255.255.0", "1.2.3.4:80", "99.1.2.3/7"),
    *("::1", "2001:db8::/32", "2001:db8::1", "::ffff:1.2.3.4", "::ffff:0:0/96", "fe80::1%eth0", "2001:db8::/0129", "::/08"),
    *(
        " ",
        "  ",
        "\t",
        "-",
        " - ",
        "#",
        ";",
        ",",
        "|",
        "//",
        "/",
        ".",
        ":",
        "*",
        " IN A ",
        " ok",
        " to ",
        "\n",
        "\n",
        "\r\n",
        "\r",
        "\0",
        "\xa0",
        "\x0b",
    ),
    *("name", '"', "2024-01-01 10:00:00 ", "ExitAddress ", "!", "$", "{", "}", "[", "]", '{"ip":"1.2.3.4"}', ",000,", "200"),
)
_lists = st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=3)), max_size=30).map(
    lambda pieces: "".join(pieces).encode("utf-8", "replace")
)
_bodies = st.one_of(_lists, st.binary(max_size=200), _lists.map(lambda body: b"\xff\xfe" + body))


def _slowly(body: bytes) -> Parsed:
    """Line by line, without arrays."""
    harvest = Harvest()
    for number, line in lines_of(blocks_as_lines(body)):
        read_line(number, line, harvest)
    return harvest.parsed(0, "", Format())


def _quickly(body: bytes) -> Parsed:
    harvest = Harvest()
    with contextlib.suppress(ParseError):  # what is refused as a whole has been read all the same
        parse_plain(body, Format(), harvest)
    return harvest.parsed(0, "", Format())


@pytest.mark.parametrize("kind", FormatType)
@given(body=_bodies)
def test_no_bytes_raise_anything_but_a_parse_error(kind: FormatType, body: bytes) -> None:
    with contextlib.suppress(ParseError):
        parsed = parse(body, Format(kind))
        assert len(parsed.samples) == min(parsed.rejected, 5)
        assert all(sample.text.isascii() and sample.text.isprintable() for sample in parsed.samples)


@given(
    body=_bodies,
    columns=st.sampled_from([("1",), ("2", "3"), ("0",), ("ip",), ("1", "1", "1"), ("²",), ("9" * 5000,)]),
    separator=st.sampled_from(["", ",", ";", "\t", "whitespace", "tab", "::", "#"]),
)
def test_no_bytes_and_columns_raise_anything_but_a_parse_error(body: bytes, columns: tuple[str, ...], separator: str) -> None:
    with contextlib.suppress(ParseError):
        parse(body, Format(FormatType.CSV, columns=columns, separator=separator))


_OF_LINES = [kind for kind in FormatType if kind.kind.example.is_of_lines and kind is not FormatType.AUTO]


@pytest.mark.parametrize("kind", [FormatType.P2P, FormatType.DAT, FormatType.HOSTS, FormatType.DNS_ZONE])
@given(body=_bodies)
def test_formats_with_one_reading_refuse_no_body_as_a_whole(kind: FormatType, body: bytes) -> None:
    parse(body, Format(kind))


def _read_as(kind: FormatType, *addresses: str) -> Parsed:
    return parse(kind.kind.example.written(addresses).encode(), Format(kind, pattern=kind.kind.example_pattern))


@pytest.mark.parametrize("kind", FormatType)
def test_a_format_reads_its_own_example(kind: FormatType) -> None:
    parsed = _read_as(kind, "192.0.2.1", "198.51.100.7")
    assert parsed.addresses == parse(b"192.0.2.1\n198.51.100.7\n").addresses
    assert (parsed.entries4, parsed.rejected) == (2, 0)


@pytest.mark.parametrize("kind", [kind for kind in FormatType if kind.kind.recogniser])
def test_auto_recognises_a_typical_body_of_a_format(kind: FormatType) -> None:
    typical = kind.kind.typical or kind.kind.example.written(["192.0.2.1", "198.51.100.7"])
    assert parse(typical.encode()).form.type is kind


def test_recognisers_have_an_order_that_ends_with_plain() -> None:
    asked = sorted((kind.kind.precedence, kind) for kind in FormatType if kind.kind.recogniser)
    assert len({precedence for precedence, _ in asked}) == len(asked)
    assert asked[-1][1] is FormatType.PLAIN


@pytest.mark.parametrize("kind", [kind for kind in FormatType if kind is not FormatType.AUTO])
def test_a_format_says_what_it_is_and_how_it_is_recognised(kind: FormatType) -> None:
    assert kind in PARSERS
    assert kind.kind.summary.endswith(".")
    assert bool(kind.kind.recogniser) == bool(kind.kind.recognised_by)


@given(body=_lists)
def test_arrays_read_what_single_lines_read(body: bytes) -> None:
    lines = body.replace(b"\r", b"\n").replace(b"\0", b" ") + b"\n"
    quick, slow = _quickly(lines), _slowly(lines)
    assert quick.addresses == slow.addresses
    assert (quick.entries4, quick.entries6, quick.rejected) == (slow.entries4, slow.entries6, slow.rejected)
    assert {sample.line for sample in quick.samples} == {sample.line for sample in slow.samples} or quick.rejected > 5


_octet = st.one_of(st.integers(0, 255).map(str), st.sampled_from(["256", "299", "300", "999", "1000", "00", "007", "0000", ""]))
_NO_LENGTHS = ("/33", "/99", "/256", "/", "/08", "/008", "/8/8", "/8.8", "/8.8.8.8")
_bare_lines = st.lists(
    st.builds(
        lambda octets, bits: ".".join(octets) + bits + "\n",
        st.one_of(st.tuples(*[st.integers(0, 255).map(str)] * 4), st.lists(_octet, min_size=3, max_size=5)),
        st.one_of(st.just(""), st.integers(0, 32).map("/{}".format), st.sampled_from(_NO_LENGTHS)),
    ),
    max_size=8,
)
_preambles = st.lists(st.sampled_from(["# 1.2.3.4\n", ";\n", "\n", "#\n"]), max_size=3)


@given(st.builds(lambda *parts: "".join(map("".join, parts)).encode(), _preambles, _bare_lines), st.data())
def test_lines_that_are_nearly_bare_are_read_like_single_ones(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, max(0, len(body) - 2)))
    byte = data.draw(st.sampled_from([b"", b".", b"/", b"\n", b" ", b"#", b"1", b"a", b"-", b","]))
    lines = body[:at] + byte + body[at + data.draw(st.integers(0, 1)) :] + b"\n"
    quick, slow = _quickly(lines), _slowly(lines)
    assert quick.addresses == slow.addresses
    assert (quick.entries4, quick.entries6, quick.rejected) == (slow.entries4, slow.entries6, slow.rejected)
    assert quick.samples == slow.samples


def test_a_number_of_up_to_five_digits_is_an_octet_for_both_ways_or_for_neither() -> None:
    for number in [*map(str, range(1300)), "00", "09", "000", "099", "0255", "2550", "25500"]:
        body = f"9.9.9.9\n9.9.9.{number}\n".encode()
        quick, slow = _quickly(body), _slowly(body)
        assert (quick.addresses, quick.rejected) == (slow.addresses, slow.rejected), number


@given(st.lists(st.one_of(st.ip_addresses(), st.ip_addresses(network="::ffff:0:0/96")), min_size=1, max_size=40))
def test_addresses_agree_with_the_standard_library(addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> None:
    parsed = parse("\n".join(map(str, addresses)).encode())
    mapped = [a.ipv4_mapped or a if isinstance(a, ipaddress.IPv6Address) else a for a in addresses]
    assert parsed.rejected == 0
    assert parsed.entries4 == len({a for a in mapped if a.version == 4})
    assert parsed.entries6 == len({a for a in mapped if a.version == 6})
    for address in mapped:
        assert parsed.addresses.contains(Family.IPV4 if address.version == 4 else Family.IPV6, int(address))


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_networks_of_ipv4_agree_with_the_standard_library(address: ipaddress.IPv4Address, bits: int) -> None:
    network = ipaddress.ip_network(f"{address}/{bits}", strict=False)
    wanted = (Family.IPV4, int(network[0]), int(network[-1]))
    assert span_of(f"{address}/{bits}") == wanted
    assert span_of(f"{address}/{network.netmask}") == wanted
    held = _quickly(f"{address}/{bits}\n".encode()).addresses.ranges(Family.IPV4)
    assert (int(held.first[0]), int(held.last[0])) == wanted[1:]


@given(st.ip_addresses(v=6, network="2000::/3"), st.integers(0, 128))
def test_networks_of_ipv6_agree_with_the_standard_library(address: ipaddress.IPv6Address, bits: int) -> None:
    network = ipaddress.ip_network(f"{address}/{bits}", strict=False)
    assert span_of(f"{address}/{bits}") == (Family.IPV6, int(network[0]), int(network[-1]))
    addresses = _quickly(f"{address}/{bits}\n".encode()).addresses
    assert addresses.ranges(Family.IPV6).count() == network.num_addresses
    assert addresses.contains(Family.IPV6, int(network[0]))
    assert addresses.contains(Family.IPV6, int(network[-1]))


def test_lines_are_counted_over_the_edges_of_blocks() -> None:
    count = BLOCK // 4
    body = b"".join(b"9.%d.%d.1\n" % divmod(i, 256) for i in range(count)) + b"wrong\n"
    parsed = parse(body)
    assert len(body) > 2 * BLOCK
    assert parsed.entries4 == count
    assert parsed.lines == count + 1
    assert [(sample.line, sample.text) for sample in parsed.samples] == [(count + 1, "wrong")]


@pytest.mark.parametrize("kind", [kind for kind in [FormatType.AUTO, *_OF_LINES] if kind is not FormatType.JSONL])
@pytest.mark.parametrize("filler", [" ", "x", "-", ":", "1"])
@pytest.mark.parametrize("length", [LONGEST_LINE, 3 * BLOCK])
def test_a_line_too_long_is_rejected_and_the_next_one_read(kind: FormatType, filler: str, length: int) -> None:
    parsed = _read_as(kind, "5.6.7.8", f"1.2.3.4 {filler * length}", "5.6.7.9")
    first = kind.kind.example.before.count("\n") + 1
    assert parsed.rejected == 1
    assert parsed.samples[0].line == first + 1
    assert parsed.samples[0].reason == "a line of more than 10,000 bytes"
    assert (parsed.entries4, parsed.lines) == (2, first + 2)
