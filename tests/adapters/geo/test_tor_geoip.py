import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from banlistd.adapters.geo.tor_geoip import TorGeoip
from banlistd.core.geo.tables import number_of
from banlistd.core.geo.types import By, Located, Origin
from banlistd.errors import GeoError
from banlistd.model import Family
from banlistd.ports.geo import GeoDatabase

_: type[GeoDatabase] = TorGeoip

NORWAY = 0xC0000200


def four(path: Path) -> TorGeoip:
    (path / "geoip").write_text(f"# made here\n{NORWAY},{NORWAY + 255},NO\n{NORWAY + 512},{NORWAY + 600},??\n")
    return TorGeoip(path / "geoip")


def six(path: Path) -> TorGeoip:
    (path / "geoip6").write_text("# made here\n2001:db8::,2001:db8::ff,SE\n")
    return TorGeoip(path / "geoip6")


def ask(database: TorGeoip, family: Family, *addresses: int) -> Sequence[Located]:
    async def run() -> Sequence[Located]:
        async with database.session() as asking:
            return await asking(family, addresses)

    return asyncio.run(run())


def test_a_country_is_known_by_its_range_and_so_is_a_gap(tmp_path: Path) -> None:
    inside, outside = ask(four(tmp_path), Family.IPV4, NORWAY + 7, NORWAY + 256)
    assert inside == Located(Family.IPV4, NORWAY, NORWAY + 255, Origin("NO", "Norway"))
    assert outside == Located(Family.IPV4, NORWAY + 256, 2**32 - 1)


def test_each_file_knows_its_own_family(tmp_path: Path) -> None:
    assert ask(four(tmp_path), Family.IPV6, 5) == [Located(Family.IPV6, 0, 2**128 - 1)]
    (found,) = ask(six(tmp_path), Family.IPV6, (0x20010DB8 << 96) + 5)
    assert found.origin == Origin("SE", "Sweden")


def test_it_has_a_table_of_countries_and_none_of_operators(tmp_path: Path) -> None:
    database = four(tmp_path)
    assert asyncio.run(database.table(By.COUNTRY)).select([number_of("NO")]).nets4.count() == 256
    assert asyncio.run(database.table(By.ASN)).is_empty


def test_a_file_that_is_replaced_is_noticed(tmp_path: Path) -> None:
    database = four(tmp_path)
    assert ask(database, Family.IPV4, NORWAY)[0].origin.country == "NO"
    (tmp_path / "new").write_text(f"{NORWAY},{NORWAY + 255},DK\n")
    (tmp_path / "new").rename(database.path)
    assert ask(database, Family.IPV4, NORWAY)[0].origin.country == "DK"


@pytest.mark.parametrize("content", ["", "<html>\n", "1,2\n"])
def test_a_file_that_is_no_such_list_is_a_fault_that_names_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "geoip").write_text(content)
    with pytest.raises(GeoError, match="geoip cannot be used"):
        ask(TorGeoip(tmp_path / "geoip"), Family.IPV4, 1)


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    assert not TorGeoip(tmp_path / "none").is_there()
    with pytest.raises(GeoError, match="No such file"):
        ask(TorGeoip(tmp_path / "none"), Family.IPV4, 1)


@pytest.mark.parametrize(
    ("head", "made_at"),
    [
        ("# Location Database Export\n#\n# Generated: Thu, 25 Jun 2026 04:33:59 GMT\n", 1_782_362_039),
        ("# Generated: tomorrow or later\n", 1_700_000_000),
        ("# Generated: Thu, 99 Jun 2026 04:33:59 GMT\n", 1_700_000_000),
        ("", 1_700_000_000),
    ],
)
def test_its_age_is_that_of_its_data_or_of_the_file(tmp_path: Path, head: str, made_at: int) -> None:
    path = tmp_path / "geoip"
    path.write_text(f"{head}3221225984,3221226239,NO\n")
    os.utime(path, (5, 1_700_000_000))
    assert asyncio.run(TorGeoip(path).made_at()) == made_at
    assert asyncio.run(TorGeoip(tmp_path / "none").made_at()) is None
