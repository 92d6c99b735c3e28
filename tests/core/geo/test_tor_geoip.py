"""The CSV of tor-geoipdb, in the forms that it has and in forms that it must not have."""

from pathlib import Path

import pytest

from banlistd.core.addresses.sets import from_numbers, to_number
from banlistd.core.geo.tables import country_of, number_of
from banlistd.core.geo.tor_geoip import family_of, table_of
from banlistd.model import Family

HEAD = b"# This file has been converted from somebody's database.\n#\n# CC BY-SA 4.0, 1,2,XX\n"
FOUR = HEAD + b"3221225984,3221226111,NO\n3221226112,3221226239,SE\n3325256704,3325256959,NO\n3405803776,3405804031,??\n"
SIX = HEAD + b"2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,FI\nfd00::,fd00::1,??\n"


def test_ranges_of_ipv4_are_decimal_numbers() -> None:
    layer = table_of(FOUR).layers[Family.IPV4]
    assert [country_of(int(code)) for code in layer.code] == ["NO", "SE", "NO"]
    assert [to_number(first) for first in layer.first] == [0xC0000200, 0xC0000280, 0xC6336400]
    assert not len(table_of(FOUR).layers[Family.IPV6])


def test_ranges_of_ipv6_are_text() -> None:
    layer = table_of(SIX).layers[Family.IPV6]
    assert len(layer) == 1
    assert list(layer.codes_of(from_numbers(Family.IPV6, [0x20010DB8 << 96, 0]))) == [number_of("FI"), 0]


@pytest.mark.parametrize(("body", "family"), [(FOUR, Family.IPV4), (SIX, Family.IPV6), (b"", Family.IPV4)])
def test_the_family_is_known_from_the_beginning(body: bytes, family: Family) -> None:
    assert family_of(body[:120]) is family


def test_the_last_line_may_have_no_end() -> None:
    assert len(table_of(FOUR.rstrip()).layers[Family.IPV4]) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        HEAD,
        b"<html>\n",
        b"1,2\n",
        b"1,2,NO,3\n",
        b"1,2,no\n",
        b"1,2,N\n",
        b"1,2,NOR\n",
        b"1,2,1A\n",
        b"2,1,NO\n",
        b"1,5,NO\n3,9,SE\n",
        b"5,6,NO\n1,2,SE\n",
        b"1,4294967296,NO\n",
        b"1,99999999999,NO\n",
        b"1,-2,NO\n",
        b"1,2,NO\n\n",
        b"1.0,2,NO\n",
        b"1,,NO\n",
        b"1,2,NO\r\n",
        b"1,2,N\0\n",
        b"2001:db8::,2001:db8::1\n",
        b"::,zzzz::,NO\n",
        b"::2,::1,NO\n",
        b"::1,::2,NO\n3,4,NO\n",
        b"\xff\xfe,::,NO\n",
    ],
)
def test_what_is_not_such_a_file_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        table_of(body)


def test_the_packaged_files_are_read_as_a_whole() -> None:
    for name, family, least in (("geoip", Family.IPV4, 300_000), ("geoip6", Family.IPV6, 200_000)):
        path = Path("/usr/share/tor") / name
        if not path.is_file():
            pytest.skip("no tor-geoipdb on this machine")
        body = path.read_bytes()
        layer = table_of(body).layers[family]
        assert len(layer) >= least
        # Each tenth line, as one would read it.
        lines = [line.split(b",") for line in body.splitlines()[::1000] if not line.startswith(b"#")]
        if family is Family.IPV4:
            asked = from_numbers(family, [int(line[0]) for line in lines])
            expected = [0 if line[2] == b"??" else number_of(line[2].decode()) for line in lines]
            assert list(layer.codes_of(asked)) == expected
