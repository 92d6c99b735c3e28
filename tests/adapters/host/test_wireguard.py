"""WireGuard's endpoints, decoded from octets as linux/wireguard.h lays them out: no kernel of the tests needs the module."""

import asyncio
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from banlistd.adapters.host import wireguard
from banlistd.adapters.host.protected import LinuxHost
from banlistd.adapters.host.route_netlink import links_of, name_of
from banlistd.adapters.netlink.messages import attribute, nested, text_attribute
from banlistd.core.addresses.text import span_text
from support.network_namespace import in_network_namespace

FAMILY, INDEX = 31, 7
GENL = struct.pack("=BBH", 1, 2, 0)
KEY = bytes(range(32))


def endpoint(address: str, port: int) -> bytes:
    if ":" in address:
        octets = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + socket.inet_pton(socket.AF_INET6, address)
        return octets + bytes(4)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(address) + bytes(8)


def peer(*attributes: bytes) -> bytes:
    """One of the array: an attribute of kind 0 with its public key first, and its networks behind."""
    networks = nested(9, nested(0, attribute(1, struct.pack("=H", socket.AF_INET)), attribute(3, b"\x18")))
    return nested(0, attribute(1, KEY), *attributes, networks)


def at(address: str, port: int) -> bytes:
    return attribute(4, endpoint(address, port))


def device(*peers: bytes) -> bytes:
    """One answer: index, name, key, port, and the peers."""
    about = attribute(1, struct.pack("=I", INDEX)) + text_attribute(2, "wg0") + attribute(4, KEY) + attribute(6, b"\x6c\xca")
    return GENL + about + (nested(8, *peers) if peers else b"")


def family(name: str, number: int) -> bytes:
    return GENL + attribute(1, struct.pack("=H", number)) + text_attribute(2, name) + attribute(3, b"\1\0\0\0")


class Kernel:
    """What the parts of a kernel answer; `asked`: the family and the body of each question."""

    def __init__(
        self, *devices: bytes, families: Sequence[bytes] = (family("nlctrl", 16), family("wireguard", FAMILY))
    ) -> None:
        self.asked: list[tuple[int, bytes]] = []
        self._answers: Mapping[int, Sequence[bytes]] = {16: families, FAMILY: devices}

    def dump_of(self, part: int, kind: int, body: bytes) -> Iterator[bytes]:
        assert part == 16
        self.asked.append((kind, body))
        return iter(self._answers[kind])


def found(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    monkeypatch.setattr(wireguard, "dump_of", kernel.dump_of)
    monkeypatch.setattr(wireguard, "links_of", lambda kind: iter([INDEX] if kind == "wireguard" else []))
    monkeypatch.setattr(wireguard, "name_of", lambda index: f"wg{index}")
    endpoints = list(wireguard.endpoints())
    assert {name for name, *_ in endpoints} <= {f"wg{INDEX}"}
    return [
        (socket.inet_ntop(socket.AF_INET if len(octets) == 4 else socket.AF_INET6, octets), port)
        for _, octets, port in endpoints
    ]


def test_endpoints_of_both_families_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(device(peer(at("198.51.100.7", 51820)), peer(at("2001:db8::7", 4500))))
    assert found(kernel, monkeypatch) == [("198.51.100.7", 51820), ("2001:db8::7", 4500)]
    assert kernel.asked[1] == (FAMILY, struct.pack("=BBH", 0, 1, 0) + attribute(1, struct.pack("=I", INDEX)))


def test_a_peer_without_an_endpoint_and_one_that_goes_on_in_a_second_answer_are_no_endpoint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel(device(peer(), peer(at("198.51.100.7", 51820))), device(peer(), peer(at("198.51.100.8", 1))), device())
    assert found(kernel, monkeypatch) == [("198.51.100.7", 51820), ("198.51.100.8", 1)]


@pytest.mark.parametrize(
    "octets", [b"", b"\2", b"\2\0\xca", b"\2\0\xca\x6c\xc6\x33", b"\1\0/run/socket", endpoint("::1", 1)[:20]]
)
def test_what_is_no_endpoint_is_left_out(octets: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(Kernel(device(peer(attribute(4, octets)))), monkeypatch) == []


def test_a_server_with_very_many_peers_protects_some(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [device(*(peer(at(f"198.51.100.{n}", 1000 + turn)) for n in range(250))) for turn in range(8)]
    assert len(found(Kernel(*many), monkeypatch)) == wireguard.MAX_ENDPOINTS


def test_a_kernel_without_wireguard_is_asked_once_and_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(families=[family("nlctrl", 16)])
    assert found(kernel, monkeypatch) == []
    assert [kind for kind, _ in kernel.asked] == [16]


@in_network_namespace
def test_this_kernel_is_asked_without_a_fault() -> None:
    assert list(wireguard.endpoints()) == []
    subprocess.run(["ip", "link", "add", "one", "type", "veth", "peer", "name", "two"], check=True, capture_output=True)
    assert {*map(name_of, links_of("veth"))} == {"one", "two"}
    assert list(links_of("wireguard")) == []


@in_network_namespace
def test_an_endpoint_is_protected_for_what_comes_from_its_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lookup(hosts: Sequence[str], *, ask: bool = True) -> Mapping[str, Sequence[str]]:
        return {}

    monkeypatch.setattr(wireguard, "endpoints", lambda: iter([("wg0", bytes((198, 51, 100, 7)), 51820)]))
    items = asyncio.run(LinuxHost(lookup, {}, tmp_path).protected(()))
    (item,) = (item for item in items if item.answers)
    assert (span_text(item.span), item.reason) == ("198.51.100.7", "WireGuard endpoint of wg0")
    assert (item.scope, item.learned) == ("answers from udp 51820", True)


@in_network_namespace
def test_endpoints_that_cannot_be_read_for_once_stay_protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lookup(hosts: Sequence[str], *, ask: bool = True) -> Mapping[str, Sequence[str]]:
        return {}

    host = LinuxHost(lookup, {}, tmp_path)
    monkeypatch.setattr(wireguard, "endpoints", lambda: iter([("wg0", bytes((198, 51, 100, 7)), 51820)]))
    before = asyncio.run(host.protected(()))
    assert "WireGuard endpoint of wg0" in {item.reason for item in before}
    monkeypatch.setattr(wireguard, "endpoints", refused)
    assert asyncio.run(host.protected(())) == before


def refused() -> Iterator[tuple[str, bytes, int]]:
    raise OSError(1, "not permitted")


@in_network_namespace
def test_without_the_right_to_ask_everything_else_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lookup(hosts: Sequence[str], *, ask: bool = True) -> Mapping[str, Sequence[str]]:
        return {}

    monkeypatch.setattr(wireguard, "endpoints", refused)
    items = asyncio.run(LinuxHost(lookup, {}, tmp_path).protected(()))
    assert "address of lo" in {item.reason for item in items}
