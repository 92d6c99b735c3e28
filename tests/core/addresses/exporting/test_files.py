"""Exported files: each format is read back to the same addresses, and the same content gives the same octets."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from banlistd.core.addresses.exporting.files import PIECE, Export, ExportedSource, export_of, piece, pieces
from banlistd.core.addresses.exporting.formats import ExportFormat
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, from_numbers
from banlistd.core.feeds.parsers import parse
from banlistd.formats import Format, FormatType
from banlistd.model import ContentHash, Family, SourceId

BODY = b"""\
192.0.2.1
192.0.2.3
192.0.2.4-192.0.2.6
198.51.100.0/24
203.0.113.200-203.0.113.255
64.0.0.0/2
2001:db8::1
2001:db8:1::/48
2001:db8:2::5-2001:db8:2::9
2001:db8:0:1:0:0:0:1
"""
V4 = Family.IPV4
SOURCE = ExportedSource(SourceId("tor"), 7, ContentHash("ab" * 32))


def addresses_of(body: bytes, form: Format | None = None) -> AddressSet:
    return parse(body, form or Format()).addresses


def exported(addresses: AddressSet) -> Export:
    return export_of([SOURCE], [addresses])


def text_of(export: Export, form: ExportFormat) -> str:
    return "".join(piece(export, form, number) for number in range(pieces(export)))


def many(count: int) -> AddressSet:
    """Single addresses that do not touch, of both families."""
    return addresses_of("".join(f"10.{n >> 7}.{(n & 127) * 2}.1\n2001:db8::{n * 2:x}\n" for n in range(count)).encode())


@pytest.mark.parametrize("form", [ExportFormat.PLAIN, ExportFormat.JSON])
def test_what_was_exported_is_read_back_to_the_same_content_hash(form: ExportFormat) -> None:
    export = exported(addresses_of(BODY))
    read = addresses_of(text_of(export, form).encode(), JSON if form is ExportFormat.JSON else PLAIN)
    assert read.content_hash() == export.content_hash == addresses_of(BODY).content_hash()


PLAIN = Format(type=FormatType.PLAIN)
JSON = Format(type=FormatType.JSON, paths=("addresses[]",))


@pytest.mark.parametrize("form", ExportFormat)
@pytest.mark.parametrize("addresses", [addresses_of(BODY), many(PIECE + 1)], ids=["of every kind", "of several pieces"])
def test_every_format_is_read_back_to_the_same_addresses(form: ExportFormat, addresses: AddressSet) -> None:
    text = text_of(exported(addresses), form).encode()
    read = addresses_of(text, JSON if form is ExportFormat.JSON else None)
    families = FAMILIES if form is not ExportFormat.UNBOUND_RPZ else [V4]  # our parser reads no IPv6 there
    assert all(read.ranges(family) == addresses.ranges(family) for family in families)


@pytest.mark.parametrize("form", ExportFormat)
def test_the_same_content_gives_the_same_octets_whatever_the_order_of_its_lines(form: ExportFormat) -> None:
    turned = b"\n".join(reversed(BODY.split()))
    assert text_of(exported(addresses_of(turned)), form) == text_of(exported(addresses_of(BODY)), form)


@pytest.mark.parametrize("form", ExportFormat)
def test_the_file_names_source_run_and_hash(form: ExportFormat) -> None:
    export = exported(addresses_of(BODY))
    head = piece(export, form, 0)
    for fact in ("tor", "7", SOURCE.content_hash, export.content_hash):
        assert str(fact) in head


def test_several_sources_are_merged() -> None:
    export = export_of([SOURCE], [addresses_of(b"192.0.2.1\n192.0.2.0/28\n"), addresses_of(b"192.0.2.8/29\n192.0.2.40\n")])
    assert lines_of(export, ExportFormat.PLAIN) == ["192.0.2.0/28", "192.0.2.40"]


def test_nothing_is_a_file_without_an_address() -> None:
    export = export_of([], [])
    assert lines_of(export, ExportFormat.PLAIN) == []
    assert text_of(export, ExportFormat.JSON).endswith('"addresses": [\n]}\n')


@pytest.mark.parametrize(
    ("form", "lines"),
    [
        (ExportFormat.PLAIN, ["0.0.0.0/0", "2001:db8::/32"]),
        (ExportFormat.CIDR, ["0.0.0.0/0", "2001:db8::/32"]),
    ],
)
def test_the_whole_of_a_family_is_one_network(form: ExportFormat, lines: Sequence[str]) -> None:
    assert lines_of(everything(), form) == lines


def test_ipset_takes_no_network_of_all_addresses() -> None:
    lines = lines_of(everything(), ExportFormat.IPSET)
    assert "add banlistd-export-4 0.0.0.0/1" in lines
    assert "add banlistd-export-4 128.0.0.0/1" in lines
    assert "create banlistd-export-4 hash:net family inet maxelem 2 -exist" in lines


def everything() -> Export:
    """Every IPv4 address, and a network of IPv6."""
    lowest, highest = (from_numbers(V4, [number]) for number in (0, 2**32 - 1))
    first, last = ends_of(b"2001:db8::/32")
    return exported(AddressSet.of(lowest, highest, first, last))


def ends_of(network: bytes) -> tuple[Addresses, Addresses]:
    nets = addresses_of(network).nets6
    return nets.first, nets.last


def lines_of(export: Export, form: ExportFormat) -> list[str]:
    return [line for line in text_of(export, form).splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("192.0.2.0/24", "24.0.2.0.192.rpz-ip"),
        ("192.0.2.7", "32.7.2.0.192.rpz-ip"),
        ("2001:db8::/32", "32.zz.db8.2001.rpz-ip"),
        ("2001:db8::1", "128.1.zz.db8.2001.rpz-ip"),
        ("2001:db8:0:1:1:1:0:0", "128.zz.1.1.1.0.db8.2001.rpz-ip"),
        ("2001:db8:1:2:3:4:0:5", "128.5.0.4.3.2.1.db8.2001.rpz-ip"),
    ],
)
def test_a_response_policy_zone_has_reversed_names(entry: str, name: str) -> None:
    text = text_of(exported(addresses_of(entry.encode())), ExportFormat.UNBOUND_RPZ)
    assert f"\n{name} IN CNAME .\n" in text


@pytest.mark.parametrize("form", ExportFormat)
def test_a_file_says_which_packets_a_source_blocks_and_which_sources_are_left_out(form: ExportFormat) -> None:
    part = replace(SOURCE, scope="tcp to port 22")
    text = text_of(export_of([part], [addresses_of(BODY)], [replace(part, source_id=SourceId("web"))]), form)
    if form is ExportFormat.JSON:
        document = json.loads(text)
        assert [(one["id"], one["scope"]) for one in document["sources"]] == [("tor", "tcp to port 22")]
        assert [one["id"] for one in document["left_out"]] == ["web"]
    else:
        assert f"tor: run 7, {'ab' * 32}; banlistd blocks only tcp to port 22\n" in text
        assert "web: left out, because banlistd blocks only tcp to port 22; name it to export it\n" in text
