"""Whole countries and networks as a list, from real files of both kinds."""

import asyncio
import dataclasses
import ipaddress
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.fetch.file import LocalFiles, stamp_of
from banlistd.adapters.fetch.geo_blocks import GeoBlocks
from banlistd.adapters.geo.mmdb import MmdbFile
from banlistd.adapters.geo.tor_geoip import TorGeoip
from banlistd.core.addresses.comparison import sample
from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import AddressSet, complement, intersection, subtract
from banlistd.core.config.model import Source
from banlistd.core.config.sections.block import Block, Only
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError
from banlistd.model import Family, NotModified, SourceId, Validators
from banlistd.ports import Fetcher
from support.geography import DOCUMENTATION, write_mmdb
from support.in_process_parser import InProcessParser, body_of, ignored

_: type[Fetcher] = GeoBlocks

COUNTRIES = {"192.0.2.0/25": "NO", "192.0.2.128/25": "NO", "198.51.100.0/24": "SE", "2001:db8::/32": "NO"}


@dataclasses.dataclass
class DatabaseFolder:
    """A folder with the databases that are named; those that are not written are not there."""

    folder: Path
    names: tuple[str, ...] = ("countries.mmdb", "operators.mmdb", "geoip")

    def fetch(self, block: Block | None, validators: Validators | None = None, **keys: Any) -> Download | NotModified:
        databases = [
            MmdbFile(self.folder / name) if name.endswith(".mmdb") else TorGeoip(self.folder / name) for name in self.names
        ]
        blocks = GeoBlocks(lambda: databases, stamp_of, LocalFiles(InProcessParser()))
        geography = {"only" if isinstance(block, Only) else "block": block}
        source = Source(**{"id": SourceId("a"), **geography, **keys})
        return asyncio.run(blocks.fetch(source, validators or Validators(), ignored))

    def held(self, block: Block) -> AddressSet:
        fetched = self.fetch(block)
        assert isinstance(fetched, Download)
        return fetched.parsed.addresses

    def write_countries(self) -> None:
        write_mmdb(self.folder / "countries.mmdb", {net: {"country_code": code} for net, code in COUNTRIES.items()})

    def write_operators(self) -> None:
        records = {"203.0.113.0/24": 64496, "192.0.2.64/26": 64496, "2001:db8:1::/48": 64497}
        write_mmdb(
            self.folder / "operators.mmdb", {net: {"autonomous_system_number": number} for net, number in records.items()}
        )


@pytest.fixture
def place(tmp_path: Path) -> DatabaseFolder:
    return DatabaseFolder(tmp_path)


def test_country_is_read_as_few_networks(place: DatabaseFolder) -> None:
    place.write_countries()
    assert sample(place.held(Block(countries=("NO",)))) == ("192.0.2.0/24", "2001:db8::/32")
    assert sample(place.held(Block(countries=("NO", "SE")))) == ("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32")


def test_countries_and_operators_come_from_a_file_each_and_are_one_list(place: DatabaseFolder) -> None:
    place.write_countries()
    place.write_operators()
    assert sample(place.held(Block(asns=(64496,)))) == ("192.0.2.64/26", "203.0.113.0/24")
    assert sample(place.held(Block(countries=("SE",), asns=(64496, 64497)))) == (
        "192.0.2.64/26",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8:1::/48",
    )


def test_of_two_databases_that_know_an_address_the_first_is_believed(place: DatabaseFolder) -> None:
    place.write_countries()
    (place.folder / "geoip").write_text("3221225984,3221226239,DK\n3325256704,3325256959,DK\n3405803776,3405804031,NO\n")
    assert sample(place.held(Block(countries=("NO",)))) == ("192.0.2.0/24", "203.0.113.0/24", "2001:db8::/32")
    with_file = place.fetch(Block(countries=("DK",)))
    assert isinstance(with_file, Download)
    assert len(with_file.parsed.addresses) == 0


def test_unchanged_databases_are_not_read_again(place: DatabaseFolder) -> None:
    place.write_countries()
    block = Block(countries=("NO",))
    first = place.fetch(block)
    assert isinstance(first, Download)
    assert isinstance(place.fetch(block, first.validators), NotModified)
    place.write_operators()
    assert isinstance(place.fetch(block, first.validators), Download)
    place.write_countries()
    assert isinstance(place.fetch(block, first.validators), Download)


def test_what_makes_it_due_is_what_its_etag_says(place: DatabaseFolder) -> None:
    place.write_countries()
    fetched = place.fetch(Block(countries=("NO",)))
    assert isinstance(fetched, Download)
    assert fetched.validators.etag == "\n".join(stamp_of(place.folder / name) for name in place.names)


def test_without_any_database_the_list_cannot_be_had(place: DatabaseFolder) -> None:
    with pytest.raises(FetchError, match=r"no database of countries .* on this machine .*tor-geoipdb"):
        place.fetch(Block(countries=("NO",)))


def test_operators_that_no_database_knows_are_a_fault_and_no_empty_list(place: DatabaseFolder) -> None:
    place.write_countries()
    with pytest.raises(FetchError, match="knows network operators"):
        place.fetch(Block(countries=("NO",), asns=(64496,)))


def test_a_damaged_database_is_a_fault_and_not_half_a_country(place: DatabaseFolder) -> None:
    place.write_countries()
    (place.folder / "geoip").write_text("<html>\n")
    with pytest.raises(FetchError, match="geoip cannot be used"):
        place.fetch(Block(countries=("NO",)))


def test_other_sources_are_read_as_before(place: DatabaseFolder) -> None:
    (place.folder / "list").write_text("192.0.2.1\n")
    fetched = place.fetch(None, path=place.folder / "list")
    assert isinstance(fetched, Download)
    assert body_of(fetched) == b"192.0.2.1\n"


def test_the_sample_that_ships_can_be_blocked(place: DatabaseFolder) -> None:
    write_mmdb(place.folder / "countries.mmdb", DOCUMENTATION)
    assert sample(place.held(Block(countries=("DK",)))) == ("203.0.113.0/24",)
    assert sample(place.held(Block(asns=(64496,)))) == ("192.0.2.0/24", "2001:db8:bad::/48")


def test_all_but_a_country_is_the_rest_without_reserved_addresses(place: DatabaseFolder) -> None:
    place.write_countries()
    banned = place.held(Only(countries=("NO",)))
    for text, is_banned in {
        "192.0.2.1": False,
        "198.51.100.1": True,
        "8.8.8.8": True,  # of no country
        "10.0.0.1": False,
        "127.0.0.1": False,
        "224.0.0.1": False,
        "255.255.255.255": False,
        "2001:db8::1": False,
        "2001:db9::1": True,
        "fe80::1": False,
        "fd00::1": False,
        "ff02::1": False,
        "::1": False,
        "64:ff9b::c000:201": False,  # NAT64: 192.0.2.1
        "2002:c000:201::1": False,
    }.items():
        family = Family.IPV6 if ":" in text else Family.IPV4
        assert banned.contains(family, int(ipaddress.ip_address(text))) is is_banned, text


def test_all_but_is_everything_that_a_block_is_not(place: DatabaseFolder) -> None:
    place.write_countries()
    place.write_operators()
    keys: dict[str, Any] = {"countries": ("SE",), "asns": (64496, 64497)}
    left, banned = place.held(Block(**keys)), place.held(Only(**keys))
    for family in Family:
        assert len(intersection(left.ranges(family), banned.ranges(family))) == 0
        never = reserved_ranges()[family]
        rest = subtract(complement(banned.ranges(family)), never)
        assert rest.count() >= left.ranges(family).count()
        if family is Family.IPV4:
            assert rest.count() == left.ranges(family).count()


def test_a_family_that_no_database_knows_is_not_banned_as_a_whole(place: DatabaseFolder) -> None:
    (place.folder / "geoip").write_text("3221225984,3221226239,NO\n")
    with pytest.raises(FetchError, match="knows IPv6, all of which would be banned"):
        place.fetch(Only(countries=("NO",)))


def test_a_country_that_no_database_knows_does_not_ban_everything(place: DatabaseFolder) -> None:
    place.write_countries()
    with pytest.raises(FetchError, match="gives any address to these"):
        place.fetch(Only(countries=("DK",)))


def test_only_follows_its_databases(place: DatabaseFolder) -> None:
    place.write_countries()
    first = place.fetch(Only(countries=("NO",)))
    assert isinstance(first, Download)
    assert isinstance(place.fetch(Only(countries=("NO",)), first.validators), NotModified)
