"""What stands in the kernel, read through `nft`, and what should, worked out with `ipaddress`: nothing of banlistd's own.

Both are lists of `(first, last, source id)`: numbers, inclusive, sorted, disjoint, neighbours of one owner merged.
"""

import ipaddress
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from banlistd.adapters.netlink import NetlinkSocket
from network_namespace import nft

Ranges = list[tuple[int, int, str]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Where no list may ban, as far as the lists of these tests go there.
RESERVED = ("10.0.0.0/8", "127.0.0.0/8", "192.168.0.0/16", "fe80::/10", "::/127")

_NOBODY = ""


def expected(sources: Mapping[str, Iterable[str]], allow: Iterable[str] = ()) -> Mapping[int, Ranges]:
    """What shall stand, by IP version. `sources` in order: entries are addresses, networks, or ranges `a-b`."""
    layers = [(_NOBODY, _networks([*RESERVED, *allow]))]
    layers += [(owner, _networks(entries)) for owner, entries in sources.items()]
    return {version: _overlay([_layer(owner, networks, version) for owner, networks in layers]) for version in (4, 6)}


@dataclass(frozen=True, slots=True)
class View:
    """`contents`: the content hash of each source, by the kernel's own word; `ranges`: what stands, by IP version."""

    contents: Mapping[str, str]
    ranges: Mapping[int, Ranges]


def look() -> View:
    """Single addresses are looked up before networks, what blocks before what watches."""
    listing = json.loads(nft("-j", "list", "ruleset"))["nftables"]
    maps = {item["map"]["name"]: item["map"].get("elem", []) for item in listing if "map" in item}
    comments = {int(key["elem"]["val"]): key["elem"]["comment"].split() for key, _ in maps.pop("applied", [])}
    owners = {mark: str(words[1]) for mark, words in comments.items()}
    ranges = {}
    for version in (4, 6):
        names = [f"{lane}{kind}{version}" for lane in ("", "watch_in_") for kind in ("hosts", "nets")]
        ranges[version] = _overlay([sorted(_bounds(key, owners[mark]) for key, mark in maps.get(name, ())) for name in names])
    return View({words[1]: words[2].removeprefix("sha256=") for words in comments.values()}, ranges)


def standing() -> Mapping[int, Ranges]:
    return look().ranges


def generation() -> int:
    """A number that moves with each transaction of anybody."""
    with NetlinkSocket() as kernel:
        return kernel.generation()


def _bounds(key: Any, owner: str) -> tuple[int, int, str]:
    if isinstance(key, str):
        return int(ipaddress.ip_address(key)), int(ipaddress.ip_address(key)), owner
    if "range" in key:
        first, last = key["range"]
        return int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last)), owner
    network = ipaddress.ip_network(f"{key['prefix']['addr']}/{key['prefix']['len']}")
    return int(network[0]), int(network[-1]), owner


def _networks(entries: Iterable[str]) -> list[Network]:
    found: list[Network] = []
    for entry in entries:
        if "-" in entry:
            first, last = entry.split("-")
            found += ipaddress.summarize_address_range(ipaddress.ip_address(first), ipaddress.ip_address(last))
        else:
            found.append(ipaddress.ip_network(entry))
    return found


def _layer(owner: str, networks: Iterable[Network], version: int) -> Ranges:
    """Networks lie within each other or apart, so in order of their first addresses each one is new or already covered."""
    layer: Ranges = []
    for first, last in sorted((int(net[0]), int(net[-1])) for net in networks if net.version == version):
        if not layer or first > layer[-1][1]:
            layer.append((first, last, owner))
        elif last > layer[-1][1]:
            layer[-1] = (layer[-1][0], last, owner)
    return layer


def _overlay(layers: Sequence[Ranges]) -> Ranges:
    """Each address to the first layer that holds it. A layer is sorted and disjoint."""
    present = [(layer, [first for first, _, _ in layer]) for layer in layers if layer]
    merged: Ranges = []
    edges = {edge for layer, _ in present for first, last, _ in layer for edge in (first, last + 1)}
    for first, end in pairwise(sorted(edges)):
        owner = _owner_of(first, present)
        if owner == _NOBODY:
            continue
        if merged and merged[-1][1] == first - 1 and merged[-1][2] == owner:
            merged[-1] = (merged[-1][0], end - 1, owner)
        else:
            merged.append((first, end - 1, owner))
    return merged


def _owner_of(address: int, layers: Sequence[tuple[Ranges, list[int]]]) -> str:
    for layer, starts in layers:
        at = bisect_right(starts, address) - 1
        if at >= 0 and layer[at][1] >= address:
            return layer[at][2]
    return _NOBODY
