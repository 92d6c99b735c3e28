"""mmdb files of our own making. The encoder is from the format's description, version 2.0.

    write_mmdb(path, {"192.0.2.0/24": {"country_code": "NO"}}, layout="country")

maxmind.github.io/MaxMind-DB: a binary search tree, 16 bytes of zeros, records, a marker, metadata.
"""

import ipaddress
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Records = Mapping[str, Any]
"""Networks, as text, with what is known of each."""

DOCUMENTATION: Records = {
    "192.0.2.0/24": {"country": "Norway", "country_code": "NO", "asn": "AS64496", "as_name": "Example Network One"},
    "198.51.100.0/24": {"country": "Sweden", "country_code": "SE", "asn": "AS64497", "as_name": "Example Network Two"},
    "203.0.113.0/25": {"country": "Denmark", "country_code": "DK", "asn": "AS64498", "as_name": "Example Network Three"},
    "203.0.113.128/25": {"country": "Denmark", "country_code": "DK", "asn": "AS64497", "as_name": "Example Network Two"},
    "2001:db8::/32": {"country": "Finland", "country_code": "FI", "asn": "AS65536", "as_name": "Example Network Four"},
    "2001:db8:bad::/48": {"country": "Norway", "country_code": "NO", "asn": "AS64496", "as_name": "Example Network One"},
}
"""What ships as config/geo/documentation.mmdb: nobody's networks (RFC 5737, RFC 3849) and nobody's numbers (RFC 5398).

To write it anew: `(CONFIG / "geo" / "documentation.mmdb").write_bytes(mmdb_of(DOCUMENTATION))`
"""

_MARKER = b"\xab\xcd\xefMaxMind.com"
_BUILT = 1_780_000_000
_UINT16, _UINT32, _UINT64 = 5, 6, 9


class Typed(NamedTuple):
    """A number of a certain type: readers insist on those of the metadata."""

    kind: int
    number: int


def write_mmdb(path: Path, records: Records, *, bits: int = 28, ip_version: int = 6) -> Path:
    """A database in place of what was there, by way of a rename, as its publishers' programs do it."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(mmdb_of(records, bits=bits, ip_version=ip_version))
    beside.rename(path)
    return path


def mmdb_of(records: Records, *, bits: int = 28, ip_version: int = 6, aliases: bool = True) -> bytes:
    """`bits`: of one record of the tree: 24, 28 or 32. `aliases`: whether 2002::/16 leads to IPv4, as MaxMind has it."""
    data = b""
    offsets: dict[bytes, int] = {}
    # A node is two children: an int is another node, an offset of a record as a tuple, None nothing.
    nodes: list[list[int | tuple[int] | None]] = [[None, None]]
    for network, record in sorted(records.items(), key=lambda item: ipaddress.ip_network(item[0]).prefixlen):
        encoded = encoded_of(record)
        if encoded not in offsets:
            offsets[encoded] = len(data)
            data += encoded
        _put(nodes, _bits_of(network, ip_version), (offsets[encoded],))
    if ip_version == 6 and aliases:
        _alias(nodes)
    return _tree(nodes, bits) + bytes(16) + data + _MARKER + encoded_of(_metadata(len(nodes), bits, ip_version))


def _metadata(nodes: int, bits: int, ip_version: int) -> Mapping[str, Any]:
    return {
        "binary_format_major_version": Typed(_UINT16, 2),
        "binary_format_minor_version": Typed(_UINT16, 0),
        "build_epoch": Typed(_UINT64, _BUILT),
        "database_type": "banlistd-test",
        "description": {"en": "made by banlistd's tests"},
        "ip_version": Typed(_UINT16, ip_version),
        "languages": ["en"],
        "node_count": Typed(_UINT32, nodes),
        "record_size": Typed(_UINT16, bits),
    }


def _bits_of(network: str, ip_version: int) -> Sequence[int]:
    net = ipaddress.ip_network(network)
    length, width = net.prefixlen, net.max_prefixlen
    number = int(net.network_address)
    bits = [number >> (width - 1 - at) & 1 for at in range(length)]
    return [0] * 96 + bits if net.version == 4 and ip_version == 6 else bits


def _put(nodes: list[list[int | tuple[int] | None]], bits: Sequence[int], leaf: tuple[int]) -> None:
    """Wider networks come first: what stands where a node must be goes down to both of its children."""
    node = 0
    for bit in bits[:-1]:
        child = nodes[node][bit]
        if not isinstance(child, int):
            nodes.append([child, child])
            nodes[node][bit] = child = len(nodes) - 1
        node = child
    nodes[node][bits[-1]] = leaf


def _alias(nodes: list[list[int | tuple[int] | None]]) -> None:
    node = 0
    for _ in range(96):
        child = nodes[node][0]
        if not isinstance(child, int):
            return
        node = child
    four, node = node, 0
    bits = [0x2002 >> (15 - at) & 1 for at in range(16)]
    for bit in bits[:-1]:
        child = nodes[node][bit]
        if not isinstance(child, int):
            nodes.append([child, child])
            nodes[node][bit] = child = len(nodes) - 1
        node = child
    nodes[node][bits[-1]] = four


def _tree(nodes: list[list[int | tuple[int] | None]], bits: int) -> bytes:
    count = len(nodes)
    tree = bytearray()
    for node in nodes:
        left, right = (count if child is None else child if isinstance(child, int) else count + 16 + child[0] for child in node)
        if bits == 28:
            tree += (left & 0xFFFFFF).to_bytes(3, "big")
            tree.append(left >> 24 << 4 | right >> 24)
            tree += (right & 0xFFFFFF).to_bytes(3, "big")
        else:
            tree += left.to_bytes(bits // 8, "big") + right.to_bytes(bits // 8, "big")
    return bytes(tree)


def encoded_of(value: Any) -> bytes:
    """One field of the data section: maps, arrays, texts, unsigned numbers and truths, which are all that we need."""
    if isinstance(value, bool):
        return _control(14, int(value))
    if isinstance(value, int):
        return encoded_of(Typed(_UINT32, value))
    if isinstance(value, Typed):
        size = (value.number.bit_length() + 7) // 8
        return _control(value.kind, size) + value.number.to_bytes(size, "big")
    if isinstance(value, str):
        text = value.encode()
        return _control(2, len(text)) + text
    if isinstance(value, Mapping):
        return _control(7, len(value)) + b"".join(encoded_of(one) for pair in value.items() for one in pair)
    return _control(11, len(value)) + b"".join(encoded_of(one) for one in value)


def _control(kind: int, size: int) -> bytes:
    head = (kind << 5 if kind <= 7 else 0) | (size if size < 29 else 29 if size < 285 else 30)
    extended = bytes([kind - 7]) if kind > 7 else b""
    more = b"" if size < 29 else bytes([size - 29]) if size < 285 else struct.pack("!H", size - 285)
    return bytes([head]) + extended + more
