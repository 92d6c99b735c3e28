"""Formats of one entry a line, by example."""

import pytest

from banlistd.core.addresses.sets import FAMILIES, to_text
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.parsed import Parsed
from banlistd.formats import Format, FormatType


def _held(parsed: Parsed) -> list[str]:
    """Everything that the set holds, one readable word each."""
    words = []
    for family in FAMILIES:
        words += [to_text(family, host) for host in parsed.addresses.hosts(family)]
        nets = parsed.addresses.nets(family)
        words += [f"{to_text(family, a)}-{to_text(family, b)}" for a, b in zip(nets.first, nets.last, strict=True)]
    return words


_ONE_LINE = {
    "1.2.3.4": "1.2.3.4",
    "  1.2.3.4\t": "1.2.3.4",
    "1.2.3.4 # why": "1.2.3.4",
    "1.2.3.4;why": "1.2.3.4",
    "1.2.3.4 // why": "1.2.3.4",
    "1.2.3.4\t9": "1.2.3.4",
    "1.2.3.4,US,2024-01-01": "1.2.3.4",
    "1.2.3.4:8080": "1.2.3.4",
    "[2001:db8::1]:443": "2001:db8::1",
    "1.2.3.4 - seen twice": "1.2.3.4",
    "1.2.3.9/24": "1.2.3.0-1.2.3.255",
    "1.2.3.9/255.255.255.0": "1.2.3.0-1.2.3.255",
    "1.2.3.4/32": "1.2.3.4",
    "1.2.3.4-1.2.3.6": "1.2.3.4-1.2.3.6",
    "1.2.3.4 - 1.2.3.6 # why": "1.2.3.4-1.2.3.6",
    "1.2.3.4\t-\t1.2.3.6": "1.2.3.4-1.2.3.6",
    "010.000.000.001": "10.0.0.1",  # decimal, not the octal of inet_aton
    "::ffff:1.2.3.4": "1.2.3.4",
    "::ffff:1.2.3.0/120": "1.2.3.0-1.2.3.255",
    "::ffff:0:0/96": "::ffff:0.0.0.0-::ffff:255.255.255.255",  # all mapped addresses, not all of IPv4
    "2001:db8::/32": "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db8::1 - 2001:db8::3": "2001:db8::1-2001:db8::3",
    "2024-05-27T19:21+0200 1.2.3.4\t": "1.2.3.4",
    "2024-05-27 19:21:07 1.2.3.4 seen": "1.2.3.4",
    "ExitAddress 1.2.3.4 2024-01-30 10:21:54": "1.2.3.4",
    "deny from 1.2.3.4": "1.2.3.4",
    "deny 1.2.3.4;": "1.2.3.4",
    "add blocked 1.2.3.0/30 timeout 0": "1.2.3.0-1.2.3.3",
}


@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
@pytest.mark.parametrize(("line", "held"), _ONE_LINE.items())
def test_first_token_of_a_line_is_its_entry(line: str, held: str, kind: FormatType) -> None:
    parsed = parse(line.encode(), Format(kind))
    assert _held(parsed) == [held]
    assert (parsed.rejected, parsed.entries, parsed.lines) == (0, 1, 1)


@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
@pytest.mark.parametrize(
    "line",
    [
        "1..218.28",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4.",
        "256.1.1.1",
        "0x7f.1.1.1",
        "0001.2.3.4",
        "1.2.3.4/33",
        "1.2.3.4/",
        "1.2.3.4/path",
        "1.2.3.4/255.0.255.0",
        "1.2.3.9-1.2.3.4",
        "1.2.3.4-2001:db8::1",
        "fe80::1%eth0",
        "2001:db8::/129",
        "example.org",
        "http://1.2.3.4/",
        "error code: 520",
        "Your IP is 1.2.3.4",
        "Blocked, 1.2.3.4, for abuse",
        "version 1.2.3.4",
        "\u0661.\u0662.\u0663.\u0664",
    ],
)
def test_a_line_without_an_address_at_its_beginning_is_rejected_and_shown(line: str, kind: FormatType) -> None:
    parsed = parse(line.encode(), Format(kind))
    assert _held(parsed) == []
    assert parsed.rejected == 1
    assert parsed.samples[0].line == 1
    assert parsed.samples[0].text.isprintable()


def test_blank_lines_and_comments_are_not_rejected() -> None:
    assert parse(b"\n  \n# 1.2.3.4\n; 1.2.3.4\n // 1.2.3.4\n").rejected == 0


@pytest.mark.parametrize(
    "body",
    [
        b"1.2.3.4\r\n\r\n1.2.3.5\r\n",
        b"1.2.3.4\r\r1.2.3.5",
        b"\xef\xbb\xbf1.2.3.4\n\n1.2.3.5",
        b"1.2.3.4\0\0\n\n\x001.2.3.5\n",
        "\ufeff1.2.3.4\n\n1.2.3.5".encode("utf-16-le"),
        "\ufeff1.2.3.4\r\n\r\n1.2.3.5".encode("utf-16-be"),
    ],
)
def test_encodings_and_line_ends_make_no_difference(body: bytes) -> None:
    parsed = parse(body)
    assert _held(parsed) == ["1.2.3.4", "1.2.3.5"]
    assert (parsed.lines, parsed.rejected) == (3, 0)


def test_entries_are_counted_once_and_before_merging() -> None:
    parsed = parse(b"1.2.3.4\n1.2.3.0/24\n1.2.3.4\n2001:db8::/32\n2001:db8::1\n2001:db8::1\n")
    assert (parsed.entries4, parsed.entries6, parsed.entries) == (2, 2, 4)
    assert len(parsed.addresses) == 2


def test_a_control_sequence_in_a_rejected_line_is_harmless_when_shown() -> None:
    assert parse(b"\x1b[2Jgone\xff" + b"x" * 200).samples[0].text == ("\\x1b[2Jgone\\xff" + "x" * 200)[:80]


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html>\n<p>1.2.3.4", b" \n<HTML>", b'<?xml version="1.0"?><html>', b"<!-- x -->\n<head>"]
)
def test_web_page_is_recognised(body: bytes) -> None:
    parsed = parse(body)
    assert parsed.looks_like == "html"
    assert parsed.entries == 0


def test_a_list_with_a_comment_in_angle_brackets_is_no_web_page() -> None:
    assert parse(b"<!-- licence -->\n1.2.3.4\n").looks_like == ""


_P2P = {
    "Bad, Inc. #3 - east: west:1.2.3.4-1.2.3.6": "1.2.3.4-1.2.3.6",
    "caf\xe9:010.000.000.001-10.0.0.1": "10.0.0.1",
    "v6:2001:db8::-2001:db8::2": "2001:db8::-2001:db8::2",
    "bad:2001:db8::-2001:db8::2": "2001:db8::-2001:db8::2",  # `bad:2001:db8::` is an address too, and far away
    "1.2.3.4/30": "1.2.3.4-1.2.3.7",
    "name:1.2.3.4": "1.2.3.4",
}


@pytest.mark.parametrize(("line", "held"), _P2P.items())
def test_p2p_names_may_contain_anything(line: str, held: str) -> None:
    assert _held(parse(line.encode("latin-1"), Format(FormatType.P2P))) == [held]


def test_ranges_that_emule_allows_are_left_out() -> None:
    body = b"001.002.003.004 - 001.002.003.006 , 127 , a\n1.2.4.0-1.2.4.9,128,b, c\n1.2.5.0 - 1.2.5.2\n1.2.6.0 , 0 , d\nno\n"
    parsed = parse(body, Format(FormatType.DAT))
    assert _held(parsed) == ["1.2.6.0", "1.2.3.4-1.2.3.6", "1.2.5.0-1.2.5.2"]
    assert parsed.rejected == 1


def test_zone_data_of_rbldnsd_is_read_with_its_short_forms_and_exclusions() -> None:
    body = b"""$SOA 3600 a b 0 1 2 3 4
:127.0.0.2:blocked $
# comment
1.2.3.4
1.2.4.0/30 :3:why
1.2.5.4-9
1.2.6
!1.2.6.7
!1.2.5.4-1.2.5.8
1.3-4
9.8/16
2001:db8/32
!2001:db8:8000::/33
1.2.3.4.5
"""
    parsed = parse(body)
    assert parsed.form.type is FormatType.RBLDNSD
    assert _held(parsed) == [
        "1.2.3.4",
        "1.2.5.9",
        "1.2.4.0-1.2.4.3",
        "1.2.6.0-1.2.6.6",
        "1.2.6.8-1.2.6.255",
        "1.3.0.0-1.4.255.255",
        "9.8.0.0-9.8.255.255",
        "2001:db8::-2001:db8:7fff:ffff:ffff:ffff:ffff:ffff",
    ]
    assert [(sample.line, sample.text) for sample in parsed.samples] == [(14, "1.2.3.4.5")]


def test_a_hosts_file_bans_no_address_to_which_it_sends_names() -> None:
    body = b"127.0.0.1 localhost\n::1 localhost\nff02::1 ip6-allnodes\n0.0.0.0 a.example\n:: a.example\n1.2.3.4 b.example\n"
    parsed = parse(body)
    assert parsed.form.type is FormatType.HOSTS
    assert _held(parsed) == ["1.2.3.4"]
    assert parsed.rejected == 5
