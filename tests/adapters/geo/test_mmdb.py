"""Local mmdb files: every layout, every record size, and everything that others may do to a file meanwhile."""

import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from banlistd.adapters.geo.mmdb import MmdbFile
from banlistd.core.addresses.sets import from_numbers
from banlistd.core.geo.tables import GeoTable, country_of, number_of
from banlistd.core.geo.types import By, Located, Origin
from banlistd.errors import GeoError
from banlistd.model import Family
from banlistd.ports.geo import GeoDatabase
from support.geography import DOCUMENTATION, Records, Typed, encoded_of, mmdb_of, write_mmdb

_: type[GeoDatabase] = MmdbFile

LAYOUTS: Mapping[str, Records] = {
    "MaxMind, country": {
        "192.0.2.0/24": {"country": {"iso_code": "NO", "names": {"en": "Norway"}}},
        "2001:db8::/32": {"country": {"iso_code": "SE", "names": {"en": "Sweden"}}},
    },
    "MaxMind, ASN": {
        "192.0.2.0/25": {"autonomous_system_number": 64496, "autonomous_system_organization": "Example Network"},
        "2001:db8::/48": {"autonomous_system_number": 64497},
    },
    "IPinfo": {
        "192.0.2.0/24": {"country": "Norway", "country_code": "NO", "asn": "AS64496", "as_name": "Example Network"},
        "2001:db8::/32": {"country": "Sweden", "country_code": "SE"},
    },
    "ip-location-db": {"192.0.2.0/24": {"country_code": "NO"}, "2001:db8::/32": {"country_code": "SE"}},
}


def ask(database: MmdbFile, *addresses: str) -> Sequence[Located]:
    async def run() -> Sequence[Located]:
        numbers = [int(ip_address(address)) for address in addresses]
        async with database.session() as asking:
            return await asking(Family.IPV4 if "." in addresses[0] else Family.IPV6, numbers)

    return asyncio.run(run())


def table(database: MmdbFile, by: By) -> GeoTable:
    return asyncio.run(database.table(by))


@pytest.mark.parametrize(
    ("layout", "origin", "origin6"),
    [
        ("MaxMind, country", Origin("NO", "Norway"), Origin("SE", "Sweden")),
        ("MaxMind, ASN", Origin(asn=64496, organisation="Example Network"), Origin(asn=64497)),
        ("IPinfo", Origin("NO", "Norway", 64496, "Example Network"), Origin("SE", "Sweden")),
        ("ip-location-db", Origin("NO", "Norway"), Origin("SE", "Sweden")),
    ],
)
@pytest.mark.parametrize("bits", [24, 28, 32])
def test_an_address_is_found_in_every_layout(tmp_path: Path, layout: str, origin: Origin, origin6: Origin, bits: int) -> None:
    database = MmdbFile(write_mmdb(tmp_path / "geo.mmdb", LAYOUTS[layout], bits=bits))
    assert [one.origin for one in ask(database, "192.0.2.7", "198.51.100.7")] == [origin, Origin()]
    assert [one.origin for one in ask(database, "2001:db8::7", "2001:db9::")] == [origin6, Origin()]


def test_answer_covers_its_whole_network(tmp_path: Path) -> None:
    database = MmdbFile(write_mmdb(tmp_path / "geo.mmdb", LAYOUTS["MaxMind, ASN"]))
    known, also, unknown = ask(database, "192.0.2.7", "192.0.2.127", "192.0.2.128")
    assert known is also
    assert (known.first, known.last) == (0xC0000200, 0xC000027F)
    assert unknown.first <= 0xC0000280 <= unknown.last < 2**32
    assert unknown.origin == Origin()
    (six,) = ask(database, "2001:db8::7")
    assert (six.first, six.last) == (0x20010DB8 << 96, (0x20010DB80000 << 80) + 2**80 - 1)


def test_a_database_of_ipv4_alone_knows_no_ipv6(tmp_path: Path) -> None:
    path = write_mmdb(tmp_path / "geo.mmdb", {"192.0.2.0/24": {"country_code": "NO"}}, ip_version=4)
    assert ask(MmdbFile(path), "2001:db8::1") == [Located(Family.IPV6, 0, 2**128 - 1)]
    assert ask(MmdbFile(path), "192.0.2.1")[0].origin.country == "NO"
    assert table(MmdbFile(path), By.COUNTRY).select([number_of("NO")]).nets4.count() == 256


@pytest.mark.parametrize("bits", [24, 28, 32])
def test_the_table_says_of_each_address_what_the_reader_says(tmp_path: Path, bits: int) -> None:
    dice = random.Random(bits)
    records = {f"{dice.randint(1, 220)}.{dice.randint(0, 255)}.0.0/{dice.randint(9, 16)}" for _ in range(60)}
    known: dict[str, object] = {}
    for network in records:
        address, _, length = network.partition("/")
        number = int(ip_address(address)) >> (32 - int(length)) << (32 - int(length))
        code = dice.choice(["NO", "SE", "DK"])
        known[f"{ip_address(number)}/{length}"] = {"country_code": code, "asn": f"AS{dice.randint(1, 9)}"}
    database = MmdbFile(write_mmdb(tmp_path / "geo.mmdb", known, bits=bits))
    asked = [dice.getrandbits(32) for _ in range(2000)]
    answers = ask(database, *(str(ip_address(number)) for number in asked))
    countries, operators = table(database, By.COUNTRY), table(database, By.ASN)
    needles = from_numbers(Family.IPV4, asked)
    assert [country_of(int(code)) if code else "" for code in countries.layers[Family.IPV4].codes_of(needles)] == [
        one.origin.country for one in answers
    ]
    assert list(operators.layers[Family.IPV4].codes_of(needles)) == [one.origin.asn or 0 for one in answers]


def tree_of(*nodes: tuple[int, int]) -> bytes:
    """A database whose tree has these nodes, in records of 24 bits; `len(nodes)` leads to nothing, 16 more to the record."""
    record, count = encoded_of({"country_code": "NO"}), len(nodes)
    tree = b"".join(left.to_bytes(3, "big") + right.to_bytes(3, "big") for left, right in nodes)
    metadata = {
        "binary_format_major_version": Typed(5, 2),
        "binary_format_minor_version": Typed(5, 0),
        "build_epoch": Typed(9, 1_780_000_000),
        "database_type": "test",
        "description": {"en": "test"},
        "ip_version": Typed(5, 6),
        "languages": ["en"],
        "node_count": Typed(6, count),
        "record_size": Typed(5, 24),
    }
    return tree + bytes(16) + record + b"\xab\xcd\xefMaxMind.com" + encoded_of(metadata)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tree_of((0, 0)), "deeper than an address"),
        (tree_of((0, 1)), "deeper than an address"),
        (tree_of((0, 17)), "deeper than an address"),
        (tree_of(*((node + 1, node + 1) for node in range(127)), (144, 144)), "more networks than nodes"),
        (tree_of(*((node + 1, node + 1) for node in range(127)), (128, 128)), "more networks than nodes"),
    ],
    ids=["leads back to itself", "a chain without an end", "a chain with networks", "shared children", "shared, empty"],
)
def test_a_tree_that_is_no_tree_is_a_fault(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "geo.mmdb"
    path.write_bytes(content)
    with pytest.raises(GeoError, match=reason):
        table(MmdbFile(path), By.COUNTRY)


def test_a_table_has_names_and_is_empty_where_the_database_does_not_know(tmp_path: Path) -> None:
    database = MmdbFile(write_mmdb(tmp_path / "geo.mmdb", LAYOUTS["MaxMind, ASN"]))
    assert table(database, By.ASN).names == {64496: "Example Network"}
    assert table(database, By.COUNTRY).is_empty


def test_a_file_that_is_replaced_is_noticed_and_a_session_stays_with_what_it_began(tmp_path: Path) -> None:
    path = tmp_path / "geo.mmdb"
    database = MmdbFile(path)
    address = int(ip_address("192.0.2.1"))

    async def run() -> None:
        write_mmdb(path, {"192.0.2.0/24": {"country_code": "NO"}})
        async with database.session() as asking:
            assert (await asking(Family.IPV4, [address]))[0].origin.country == "NO"
            write_mmdb(path, {"192.0.2.0/24": {"country_code": "SE"}})
            assert (await asking(Family.IPV4, [address]))[0].origin.country == "NO"
        async with database.session() as asking:
            assert (await asking(Family.IPV4, [address]))[0].origin.country == "SE"

    asyncio.run(run())


def test_a_file_that_is_cut_while_it_is_read_ends_nothing(tmp_path: Path) -> None:
    records = {f"{a}.{b}.0.0/16": {"country_code": "NO", "asn": f"AS{a * 256 + b}"} for a in range(1, 30) for b in range(256)}
    path = write_mmdb(tmp_path / "geo.mmdb", records)

    async def run() -> None:
        async with MmdbFile(path).session() as asking:
            os.truncate(path, 0)
            found = await asking(Family.IPV4, [(a << 24) + (b << 16) for a in range(1, 30) for b in range(256)])
            assert {one.origin.country for one in found} == {"NO"}

    asyncio.run(run())


@pytest.mark.parametrize("by", [By.COUNTRY, By.ASN])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        bytes(1000),
        mmdb_of(LAYOUTS["IPinfo"])[:-40],
        mmdb_of(LAYOUTS["IPinfo"])[300:],
        b"\xab\xcd\xefMaxMind.com\xe0",
    ],
    ids=["empty", "a page", "zeros", "cut", "beheaded", "no metadata"],
)
def test_a_damaged_file_is_a_fault_that_names_it(tmp_path: Path, content: bytes, by: By) -> None:
    path = tmp_path / "geo.mmdb"
    path.write_bytes(content)
    with pytest.raises(GeoError, match=r"geo\.mmdb cannot be used"):
        table(MmdbFile(path), by)


def test_random_damage_is_a_fault_or_a_wrong_answer_and_never_worse(tmp_path: Path) -> None:
    whole, dice = mmdb_of(LAYOUTS["IPinfo"]), random.Random(5)
    path = tmp_path / "geo.mmdb"
    faults = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 8)):
            damaged[dice.randrange(len(damaged))] = dice.getrandbits(8)
        path.write_bytes(damaged)
        try:
            table(MmdbFile(path), By.COUNTRY)
            ask(MmdbFile(path), "192.0.2.1", "203.0.113.1")
        except GeoError:
            faults += 1
    assert faults


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    database = MmdbFile(tmp_path / "none.mmdb")
    assert not database.is_there()
    with pytest.raises(GeoError, match="No such file"):
        ask(database, "192.0.2.1")


def test_sessions_leave_no_file_open(tmp_path: Path) -> None:
    database = MmdbFile(write_mmdb(tmp_path / "geo.mmdb", LAYOUTS["IPinfo"]))
    (tmp_path / "bad.mmdb").write_bytes(b"bad")

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    ask(database, "192.0.2.1")
    before = open_files()
    for _ in range(20):
        ask(database, "192.0.2.1")
        table(database, By.COUNTRY)
        with pytest.raises(GeoError):
            ask(MmdbFile(tmp_path / "bad.mmdb"), "192.0.2.1")
    assert open_files() <= before


def test_its_age_is_that_of_its_data(tmp_path: Path) -> None:
    path = write_mmdb(tmp_path / "a.mmdb", DOCUMENTATION)
    assert asyncio.run(MmdbFile(path).made_at()) == 1_780_000_000
    assert asyncio.run(MmdbFile(tmp_path / "none.mmdb").made_at()) is None


@pytest.mark.parametrize(
    "body", [b"", b"build_epoch\x04\x02\x7f\xff\xff\xff", b"x" * 300_000, b"build_epoch\x08\x02" + b"\xff" * 8]
)
def test_without_a_date_of_its_data_its_age_is_that_of_the_file(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "a.mmdb"
    path.write_bytes(body)
    os.utime(path, (5, 1_700_000_000))
    assert asyncio.run(MmdbFile(path).made_at()) == 1_700_000_000
