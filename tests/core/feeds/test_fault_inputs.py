"""Small lists in which other readers ban what is not listed, or lose what is: each is read right, or refused.

They lie beside the real lists (`support.data`), with an INDEX.md that says what is right.
"""

from typing import NamedTuple

import pytest

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.download.decompression import Unpacking
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.errors import ParseError
from banlistd.formats import Condition, Format, FormatType, Operator
from banlistd.model import SourceId
from support.data import DATA
from support.guarding import refuse

_FAULTS = DATA.parent / "faults" / "feeds"
needs_faults = pytest.mark.skipif(
    not _FAULTS.is_dir(), reason=f"no folder of faulty lists at {_FAULTS}; set BANLISTD_TEST_DATA"
)


class _Right(NamedTuple):
    """What a list bans: words with blanks between. `form`: what reads it so where `auto` does not; `auto` refuses it then,
    unless it `is_wide`: every row counts, as no condition is named.
    """

    bans: str
    form: Format | None = None
    is_wide: bool = False


def _csv(*columns: str, each: bool = False, separator: str = "") -> Format:
    return Format(FormatType.CSV, columns=columns, each=each, separator=separator)


_SCORE = Condition("abuseConfidenceScore", Operator.AT_LEAST, ("90",))
_TYPE = Condition("indicator_type", Operator.IS, ("Intel::ADDR",))

_LISTS = {
    "A1-two-on-a-line.txt": _Right("198.51.100.7 198.200.1.1", _csv("1", "2", each=True, separator="whitespace")),
    "A1-attacker-victim.txt": _Right("203.0.113.9 203.0.113.12 203.0.113.77"),
    "A1-true-range-stays.txt": _Right("198.51.100.0/24 203.0.113.0/25"),
    "A1-v6-two-on-a-line.txt": _Right("2001:db8::7 2001:db8:ffff::1", _csv("1", "2", each=True, separator=",")),
    "A2-comment-with-newline.txt": _Right("198.51.100.7 203.0.113.9 203.0.113.10"),
    "A2-log-line-in-comment.txt": _Right("198.51.100.7 203.0.113.9 203.0.113.10"),
    "A3-p2p-name-is-address.txt": _Right("198.51.100.0/24 203.0.113.0/26"),
    "A4-bind-zone.txt": _Right("198.51.100.7 203.0.113.9"),
    "A5-stream-deleted.json": _Right("198.51.100.7"),
    "A5-blacklist-whitelist.json": _Right("198.51.100.7 203.0.113.9"),
    "A6-quota-text.txt": _Right("", Format(FormatType.PLAIN)),
    "A7-bang-exception.txt": _Right("198.51.100.0-198.51.100.6 198.51.100.8-198.51.100.255"),
    "B1-rir-delegated.txt": _Right("198.51.100.0/24 203.0.113.0-203.0.113.191 192.0.2.0/26"),
    "B2-blank-netmask.txt": _Right("198.51.100.0/24 203.0.113.0/25"),
    "B2-csv-prefix-column.txt": _Right("198.51.100.0/25 203.0.113.0/26"),
    "B2-blank-before-slash.txt": _Right("198.51.100.0/24 203.0.113.0/24"),
    "B2-wildcard-mask.txt": _Right("198.51.100.0/24 203.0.113.0/25"),
    "B3-json-start-end.json": _Right("198.51.100.0/26 203.0.113.8/30"),
    "B3-jsonl-start-end.txt": _Right("198.51.100.0/26 203.0.113.8/30"),
    "B4-one-member.tar.gz": _Right("198.51.100.7 203.0.113.9 192.0.2.7"),
    "B5-v4-and-v6.zip": _Right("198.51.100.7 203.0.113.9 2001:db8::7"),
    "B6-three-on-a-line.txt": _Right("198.51.100.7 203.0.113.9 192.0.2.77"),
    "B7-csv-two-families.txt": _Right("198.51.100.7 203.0.113.9 192.0.2.7 2001:db8::7 2001:db8::9"),
    "B8-misp-ip-port.json": _Right("198.51.100.7 203.0.113.9"),
    # `192.0.2.7/tcp` is read as the address that it has.
    "B8-json-addr-space-port.json": _Right("198.51.100.7 203.0.113.9 192.0.2.7"),
    "B9-one-row-swapped.txt": _Right("198.51.100.0/24 192.0.2.0/24"),
    "C1-minified-object.json": _Right("198.51.100.7 203.0.113.0/24"),
    "C1-jsonl-long-record.jsonl": _Right("198.51.100.7 203.0.113.9"),
    "C2-zeek-intel.txt": _Right("198.51.100.7 203.0.113.0/24"),
    "C3-keys.json": _Right("198.51.100.7 203.0.113.9"),
    "C4-stix-indicator.json": _Right("198.51.100.7"),
    "C5-double-quotes.txt": _Right("198.51.100.7 203.0.113.9"),
    "C6-star.txt": _Right("198.51.100.0/24 203.0.113.9"),
    "C6-short-range.txt": _Right("198.51.100.3-198.51.100.9 203.0.113.9"),
    "C7-routeros.txt": _Right("198.51.100.7 203.0.113.0/24"),
    "C7-ipset-exist.txt": _Right("198.51.100.7 203.0.113.0/24"),
    "C7-iptables.txt": _Right("198.51.100.7 203.0.113.0/24"),
    "C7-require-not-ip.txt": _Right("198.51.100.7 203.0.113.0/24"),
    "C8-defanged.txt": _Right("198.51.100.7 203.0.113.9", Format(FormatType.PLAIN, defanged=True, urls=True)),
    "C9-nbsp.txt": _Right("198.51.100.7 203.0.113.9"),
    "C9-utf16-no-mark.txt": _Right("198.51.100.7 203.0.113.9"),
    "C10-stream-of-objects.txt": _Right("198.51.100.0/24 203.0.113.0/24"),
    "C11-integers.csv": _Right("198.51.100.0/24 203.0.113.0/26", _csv("1", "2")),
    "C12-hash-cell.txt": _Right("198.51.100.7 203.0.113.9 192.0.2.7", _csv("2", separator=",")),
    "D1-score.json": _Right(
        "198.51.100.7",
        Format(FormatType.JSON, paths=("data[].ipAddress",), where=(_SCORE,)),
        is_wide=True,
    ),
    "D1-indicator-type.txt": _Right(
        "198.51.100.7", Format(FormatType.CSV, columns=("indicator",), where=(_TYPE,)), is_wide=True
    ),
}

# Of one form, and refused by it: there is no other.
_NO_LISTS = {"A6-quota-text.txt"}


def _read(name: str, form: Format) -> AddressSet | None:
    """The addresses that a first poll would ban; None where it is refused."""
    unpacking = Unpacking(1 << 20)
    unpacking.feed((_FAULTS / name).read_bytes())
    try:
        parsed = parsed_list(unpacking.finish(), form)
    except ParseError:
        return None
    refusal = refuse(Source(id=SourceId("feed"), url="https://lists.example/"), parsed)
    return None if refusal else parsed.addresses


def _wanted(bans: str) -> AddressSet:
    lines = []
    for word in bans.split():
        first, _, last = word.partition("-")
        lines += [f"{first} - {last}"] if last else [word]
    return parsed_list("".join(f"{line}\n" for line in lines).encode(), Format(FormatType.PLAIN)).addresses


@needs_faults
def test_every_faulty_list_is_in_the_table() -> None:
    # What servers send is played by servers: tests/adapters/fetch.
    names = {path.name for path in _FAULTS.iterdir() if not path.name.startswith(("H", "INDEX"))}
    assert names == _LISTS.keys()


@needs_faults
@pytest.mark.parametrize(("name", "right"), _LISTS.items(), ids=_LISTS)
def test_a_first_poll_bans_what_a_faulty_list_says_or_nothing(name: str, right: _Right) -> None:
    found = _read(name, Format())
    if right.form is None:
        assert found == _wanted(right.bans)
    else:
        assert (found is not None) == right.is_wide


@needs_faults
@pytest.mark.parametrize(("name", "form", "bans"), [(name, one.form, one.bans) for name, one in _LISTS.items() if one.form])
def test_a_format_reads_a_list_that_auto_is_not_sure_of(name: str, form: Format, bans: str) -> None:
    assert _read(name, form) == (None if name in _NO_LISTS else _wanted(bans))
