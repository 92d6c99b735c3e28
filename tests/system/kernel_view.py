"""What stands in the kernel, read through `nft`, and what should, worked out with `ipaddress`: nothing of banlistd's own.

Both are lists of `(first, last, source id)`: numbers, inclusive, sorted, disjoint, neighbours of one owner merged.
"""

import ipaddress
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from network_namespace import nft

from banlistd.adapters.netlink import NetlinkSocket

Ranges = list[tuple[int, int, str]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Where no list may ban, as far as the lists of these tests go there.
RESERVED = ("10.0.0.0/8", "127.0.0.0/8", "192.168.0.0/16", "fe80::/10", "::/127")

_NOBODY = ""


def expected(sources: Mapping[str, Iterable[str]], allow: Iterable[str] = ()) -> dict[int, Ranges]:
    """What shall stand, by IP version. `sources` in order: entries are addresses, networks, or ranges `a-b`."""
    spared = (_NOBODY, [*RESERVED, *allow])
    layers = [(owner, _networks(entries)) for owner, entries in (spared, *sources.items())]
    return {
        version: _overlay(
            [
                [(int(net[0]), int(net[-1]), owner) for net in _collapsed(nets, version)]
                for owner, nets in layers
            ]
        )
        for version in (4, 6)
    }


def standing() -> dict[int, Ranges]:
    """What the kernel holds: single addresses are looked up before networks, what blocks before what watches."""
    owners = {mark: comment.split()[1] for mark, comment in markers().items()}
    maps = _maps()
    return {
        version: _overlay(
            [
                sorted(_bounds(key, owners[mark]) for key, mark in maps.get(f"{lane}{kind}{version}", ()))
                for lane in ("", "watch_in_")
                for kind in ("hosts", "nets")
            ]
        )
        for version in (4, 6)
    }


def held_contents() -> dict[str, str]:
    """The content hash of each source, by the kernel's own word."""
    words = (comment.split() for comment in markers().values())
    return {source_id: content.removeprefix("sha256=") for _, source_id, content, *_ in words}


def markers() -> dict[int, str]:
    """The comments of `map applied`, by mark; none where there is no table."""
    found = {}
    for item in _listing():
        if item.get("map", {}).get("name") == "applied":
            for key, _ in item["map"].get("elem", ()):
                found[int(key["elem"]["val"])] = str(key["elem"]["comment"])
    return found


def generation() -> int:
    """A number that moves with each transaction of anybody."""
    with NetlinkSocket() as kernel:
        return kernel.generation()


def _maps() -> dict[str, list[tuple[Any, int]]]:
    maps = (item["map"] for item in _listing() if "map" in item and item["map"]["name"] != "applied")
    return {found["name"]: found.get("elem", []) for found in maps}


def _listing() -> list[dict[str, Any]]:
    return [item for item in json.loads(nft("-j", "list", "ruleset"))["nftables"] if "metainfo" not in item]


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


def _collapsed(networks: Iterable[Network], version: int) -> list[Network]:
    return list(ipaddress.collapse_addresses(net for net in networks if net.version == version))  # type: ignore[type-var]


def _overlay(layers: Sequence[Ranges]) -> Ranges:
    """Each address to the first layer that holds it. A layer is sorted and disjoint."""
    starts = [[first for first, _, _ in layer] for layer in layers]
    edges = sorted({edge for layer in layers for first, last, _ in layer for edge in (first, last + 1)})
    merged: Ranges = []
    for first, end in zip(edges, edges[1:], strict=False):
        owner = next((name for name in (_at(layer, start, first) for layer, start in zip(layers, starts, strict=True)) if name is not None), None)
        if not owner:
            continue
        if merged and merged[-1][1] == first - 1 and merged[-1][2] == owner:
            merged[-1] = (merged[-1][0], end - 1, owner)
        else:
            merged.append((first, end - 1, owner))
    return merged


def _at(layer: Ranges, starts: Sequence[int], address: int) -> str | None:
    at = bisect_right(starts, address) - 1
    return layer[at][2] if at >= 0 and layer[at][1] >= address else None
