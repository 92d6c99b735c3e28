"""IPv6 addresses that arrays read: all that `inet_pton` reads, and nothing else."""

import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.sets import to_number
from banlistd.core.feeds.parsers.bare_hextets import read_hextets
from banlistd.core.feeds.parsers.formats.lines import span_of_line

ADDRESSES = st.binary(min_size=16, max_size=16).map(lambda octets: socket.inet_ntop(socket.AF_INET6, octets))
SPARSE = st.lists(st.sampled_from([0, 0, 0, 1, 0xFFFF, 0x2001]), min_size=8, max_size=8).map(
    lambda groups: socket.inet_ntop(socket.AF_INET6, b"".join(group.to_bytes(2, "big") for group in groups))
)
LENGTHS = st.integers(0, 140).map(lambda bits: f"/{bits}") | st.sampled_from(
    ["", "", "/", "/007", "/0128", "/1a", "//1", "/-1"]
)
GROUPS = st.lists(st.sampled_from(["", "", "0", "1", "ab", "FFFF", "00001", "g"]), min_size=1, max_size=10).map(":".join)
ODD = st.text("0123456789abcdefABCDEF:/. \t#", max_size=45)
LINES = st.tuples(ADDRESSES | SPARSE | GROUPS, LENGTHS).map("".join) | ODD


def read(lines: list[str]) -> list[tuple[int, int] | None]:
    """First and last address of each line, None for one that was not read."""
    block = "".join(f"{line}\n" for line in lines).encode()
    first, last, good = read_hextets(block, np.arange(len(lines)))
    last = first if last is None else last
    spans = iter(zip(map(to_number, first), map(to_number, last), strict=True))
    return [next(spans) if each else None for each in good]


@given(st.lists(LINES, min_size=1, max_size=30))
def test_what_is_read_means_what_it_means_alone(lines: list[str]) -> None:
    for line, found in zip(lines, read(lines), strict=True):
        if found is not None:
            span = span_of_line(line)
            assert span is not None, line
            assert span[1:] == found, line


@given(st.lists(st.tuples(ADDRESSES | SPARSE, st.integers(0, 128)), min_size=1, max_size=30), st.booleans(), st.booleans())
def test_every_usual_address_and_network_is_read(entries: list[tuple[str, int]], in_capitals: bool, networks: bool) -> None:
    usual = [(address, bits) for address, bits in entries if "." not in address]
    lines = [f"{address}/{bits}" if networks else address for address, bits in usual]
    lines = [line.upper() for line in lines] if in_capitals else lines
    if lines:
        found = read(lines)
        assert [line for line, each in zip(lines, found, strict=True) if each is None and "ffff:" not in line.lower()] == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        "1",
        ":",
        ":1",
        "1:",
        ":::",
        "1:::2",
        "1::2::3",
        ":1::2",
        "1::2:",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        "::12345",
        "g::",
        "::1 ",
        "::1#",
        "::1/129",
        "::1/",
        "::1/1/1",
        "/64",
        "::ffff:102:304",
        "::1.2.3.4",
    ],
)
def test_what_is_no_bare_address_is_left_to_others(line: str) -> None:
    assert read(["2001:db8::1", line, "::2"]) == [(0x20010DB8 << 96 | 1,) * 2, None, (2, 2)]


def test_only_the_lines_asked_for_are_read() -> None:
    first, last, good = read_hextets(b"::1\n::2\nx\n::4\n", np.array([1, 2]))
    assert ([to_number(each) for each in first], last, good.tolist()) == ([2], None, [True, False])
