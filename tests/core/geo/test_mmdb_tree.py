"""The walk of a whole tree held against maxminddb, which looks up one address at a time."""

import ipaddress
import random
from collections.abc import Mapping
from pathlib import Path

import maxminddb
import pytest

from banlistd.core.addresses.sets import to_number
from banlistd.core.geo.mmdb_tree import Leaves, leaves_of
from banlistd.model import Family
from support.geography import Records, mmdb_of

DOCUMENTATION: Records = {
    "192.0.2.0/24": {"country_code": "NO"},
    "192.0.2.128/25": {"country_code": "SE"},
    "198.51.100.0/24": {"country_code": "NO"},
    "203.0.113.7/32": {"country_code": "DK"},
    "2001:db8::/32": {"country_code": "FI"},
    "2001:db8:1::1/128": {"country_code": "NO"},
    "8000::/1": {"country_code": "IS"},
}


def walked(path: Path, body: bytes) -> tuple[Mapping[Family, Leaves], maxminddb.Reader]:
    path.write_bytes(body)
    reader = maxminddb.open_database(str(path))
    metadata = reader.metadata()
    return leaves_of(body, metadata.node_count, metadata.record_size, metadata.ip_version), reader


def agree(leaves: Mapping[Family, Leaves], reader: maxminddb.Reader) -> int:
    """Both ends of each network are in the record that the pointer stands for; how many networks there are."""
    records: dict[int, object] = {}
    for family, kind in ((Family.IPV4, ipaddress.IPv4Address), (Family.IPV6, ipaddress.IPv6Address)):
        found = leaves[family]
        for first, last, pointer in zip(found.first, found.last, found.pointer, strict=True):
            for end in (first, last):
                record = reader.get(kind(to_number(end)))
                assert record is not None
                assert records.setdefault(int(pointer), record) == record
    return sum(len(found.first) for found in leaves.values())


@pytest.mark.parametrize("bits", [24, 28, 32])
@pytest.mark.parametrize("aliases", [True, False])
def test_every_network_is_found_once_whatever_the_size_of_records(tmp_path: Path, bits: int, *, aliases: bool) -> None:
    leaves, reader = walked(tmp_path / "db", mmdb_of(DOCUMENTATION, bits=bits, aliases=aliases))
    with reader:
        agree(leaves, reader)
    assert spans(leaves[Family.IPV4]) == {
        ("192.0.2.0", "192.0.2.127"),
        ("192.0.2.128", "192.0.2.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.7", "203.0.113.7"),
    }
    assert ("8000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") in spans(leaves[Family.IPV6])
    assert ("2001:db8:1::1", "2001:db8:1::1") in spans(leaves[Family.IPV6])
    assert not any(first.startswith("2002:") for first, _ in spans(leaves[Family.IPV6]))


def spans(leaves: Leaves) -> set[tuple[str, str]]:
    kind = ipaddress.IPv4Address if leaves.first.dtype == "uint32" else ipaddress.IPv6Address
    return {
        (str(kind(to_number(first))), str(kind(to_number(last)))) for first, last in zip(leaves.first, leaves.last, strict=True)
    }


def test_a_tree_of_ipv4_alone_has_no_ipv6(tmp_path: Path) -> None:
    records = {network: record for network, record in DOCUMENTATION.items() if ":" not in network}
    leaves, reader = walked(tmp_path / "db", mmdb_of(records, ip_version=4))
    with reader:
        assert agree(leaves, reader) == 4
    assert not len(leaves[Family.IPV6].first)


def test_network_above_all_of_ipv4_covers_it(tmp_path: Path) -> None:
    leaves, reader = walked(tmp_path / "db", mmdb_of({"::/8": {"country_code": "NO"}}, aliases=False))
    with reader:
        agree(leaves, reader)
    assert spans(leaves[Family.IPV4]) == {("0.0.0.0", "255.255.255.255")}


def test_random_databases_are_read_as_their_reader_reads_them(tmp_path: Path) -> None:
    dice = random.Random(7)
    for round_ in range(10):
        records: dict[str, object] = {}
        for _ in range(200):
            wide = dice.random() < 0.5
            length = dice.randint(1, 32) if wide else dice.randint(97, 128)
            address = ipaddress.ip_address(dice.randbytes(4 if wide else 16))
            records[str(ipaddress.ip_network((address, length), strict=False))] = {"asn": f"AS{dice.randint(1, 40)}"}
        leaves, reader = walked(tmp_path / f"db{round_}", mmdb_of(records, bits=dice.choice([24, 28, 32])))
        with reader:
            agree(leaves, reader)
            for _ in range(500):
                asked = ipaddress.IPv4Address(dice.getrandbits(32))
                held = any(
                    int(first) <= int(asked) <= int(last)
                    for first, last in zip(leaves[Family.IPV4].first, leaves[Family.IPV4].last, strict=True)
                )
                assert held is (reader.get(asked) is not None)


def test_a_tree_that_leads_back_to_itself_is_no_tree() -> None:
    # Both children of the only node are the node.
    with pytest.raises(ValueError, match="tree"):
        leaves_of(bytes(6) + bytes(16), 1, 24, 6)


def test_a_chain_without_an_end_is_no_tree() -> None:
    # Left to itself, right to nothing.
    with pytest.raises(ValueError, match="deeper than an address"):
        leaves_of(bytes(3) + b"\0\0\1" + bytes(16), 1, 24, 6)


@pytest.mark.parametrize(("count", "size"), [(0, 24), (1, 25), (1, 0), (2**31, 24), (5, 32)])
def test_a_tree_that_cannot_be_is_refused(count: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"tree|records"):
        leaves_of(bytes(40), count, size, 6)
