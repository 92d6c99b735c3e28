"""What real lists say of their own size."""

import pytest

from banlistd.core.feeds.completeness import Announced, Unit, shortfall
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.reading.announced import announced, data_lines
from support.data import DATA, needs_data, real_list

ENTRIES, ADDRESSES = Unit.ENTRIES, Unit.ADDRESSES

SAID = {
    "feodo_ipblocklist_20240404.csv": Announced(28, ENTRIES, at_end=True),
    "sslbl_2020_crlf.csv": Announced(114, ENTRIES, at_end=True),
    "sslbl_2015.csv": Announced(83, ENTRIES, at_end=True),
    "spamhaus_drop_v4_20260724.jsonl": Announced(1670, ENTRIES, at_end=True),
    "fh16_dshield.netset": Announced(19, ENTRIES, at_end=False),
    "fh16_tor_exits.ipset": Announced(1053, ADDRESSES, at_end=False),
    "fh16_bitcoin_nodes_30d.ipset": Announced(19676, ADDRESSES, at_end=False),  # 19,606 lines, networks among them
    "ipsum.txt": None,
    "spamhaus_drop_20260822.txt": None,
    "dshield_block_20260822.txt": None,
}


@needs_data
@pytest.mark.parametrize("name", SAID)
def test_a_real_list_is_understood(name: str) -> None:
    assert announced(real_list(f"feeds/{name}").read_bytes()) == SAID[name]


@needs_data
def test_every_real_list_that_counts_itself_is_whole() -> None:
    counting = 0
    for path in sorted((DATA / "feeds").iterdir()):
        body = path.read_bytes()
        said = announced(body)
        if said:
            counting += 1
            assert shortfall(said, data_lines(body), parse(body).addresses) == "", path.name
    assert counting > 20


def test_a_remark_in_the_middle_of_a_list_says_nothing() -> None:
    lines = b"192.0.2.1\n" * 2000
    assert announced(lines + b"# END 5000 entries\n" + lines) is None
    assert announced(lines + b"# END 5000 entries\n") == Announced(5000, ENTRIES, at_end=True)


def test_duplicates_count_as_the_publisher_counted_them() -> None:
    body = b"192.0.2.1\n192.0.2.1\n\n# a remark\n  # another\n; and another\n// one more\n# END 2 entries\n"
    said = announced(body)
    assert said
    assert shortfall(said, data_lines(body), parse(body).addresses) == ""


def test_a_reason_names_both_numbers() -> None:
    body = b"192.0.2.1\r# END 2000 entries\r"
    said = announced(body)
    assert said
    assert shortfall(said, data_lines(body), parse(body).addresses) == "the list says that it has 2,000 entries and has 1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"# END many entries\n",
        b"# END 99999999999999999999 entries\n",
        b'{"type": "metadata", "records": "7"}\n',
        b'{"type": "metadata"}\n',
        b'{"type": "metadata", "records": \n',
        b"{" * 5000,
        b"192.0.2.1 END 7 entries\n",
        b"\xff\xfe#\x00 \x00E\x00",
    ],
)
def test_what_is_no_count_says_nothing(body: bytes) -> None:
    assert announced(body) is None
