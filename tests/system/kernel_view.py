"""What stands in the kernel, read through `nft`, and what should, worked out with `ipaddress`: nothing of banlistd's own.

Both are lists of `(first, last, source id)`: numbers, inclusive, sorted, disjoint, neighbours of one owner merged.
"""

import ipaddress
import json
import re
import socket
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from banlistd.adapters.netlink.socket import NetlinkSocket
from support.network_namespace import nft

KernelRanges = list[tuple[int, int, str]]

# Where no list may ban, as far as the lists of these tests go there.
RESERVED = ("10.0.0.0/8", "127.0.0.0/8", "192.168.0.0/16", "fe80::/10", "::/127")

_NOBODY = ""

UNUSED = "-unused"


def expected(sources: Mapping[str, Iterable[str]], allow: Iterable[str] = ()) -> Mapping[int, KernelRanges]:
    """What shall stand, by IP version. `sources` in order: entries are addresses, networks, or ranges `a-b`."""
    layers = [(_NOBODY, [*map(_span, (*RESERVED, *allow))])]
    layers += [(owner, [*map(_span, entries)]) for owner, entries in sources.items()]
    return {version: _overlay([_layer(owner, spans, version) for owner, spans in layers]) for version in (4, 6)}


@dataclass(frozen=True, slots=True)
class View:
    """`contents`: the content hash of each source, by the kernel's own word; `ranges`: what stands, by IP version.

    `blocking`: as `ranges`, without what only watches. `scoped`: what stands for some packets only, by their ports; behind the
    ports ` new` where answers pass. `listing`: nft's words, of which all this is made, in an order that says nothing.
    """

    contents: Mapping[str, str]
    ranges: Mapping[int, KernelRanges]
    blocking: Mapping[int, KernelRanges] = field(repr=False)
    scoped: Mapping[str, Mapping[int, KernelRanges]]
    listing: Sequence[Mapping[str, Any]] = field(repr=False, compare=False)

    def owner_of(self, address: str) -> str | None:
        """Who has an address banned, or watches it."""
        wanted = ipaddress.ip_address(address)
        return next((owner for first, last, owner in self.ranges[wanted.version] if first <= int(wanted) <= last), None)


def look() -> View:
    """Single addresses are looked up before networks, what blocks before what watches."""
    # Of a table's flags that nft 1.0.6 does not know, owner and persist, it prints what happens to lie in its memory.
    text = re.sub(r', "flags": (?!\[).*?\}\}', "}}", nft("-j", "list", "ruleset"), flags=re.DOTALL)
    listing = _by_first_names(json.loads(text)["nftables"])
    present = [item["map"] for item in listing if "map" in item and not item["map"]["name"].endswith(UNUSED)]
    maps = {one["name"]: one.get("elem", []) for one in present}
    maps.pop("watching", None)  # the chains of marks
    comments = {int(key["elem"]["val"]): key["elem"]["comment"].split() for key, _ in maps.pop("applied", [])}
    owners = _dispatched(listing) | {mark: str(words[1]) for mark, words in comments.items()}
    layers = {name: sorted(_bounds(key, owners[mark]) for key, mark in elements) for name, elements in maps.items()}

    def seen(*hooks: str) -> Mapping[int, KernelRanges]:
        kinds = [hook + kind for hook in hooks for kind in ("hosts", "nets")]
        return {version: _overlay([layers.get(f"{kind}{version}", []) for kind in kinds]) for version in (4, 6)}

    blocking = seen("")
    ranges = seen("", "watch_in_") if any(layers[name] for name in layers if name.startswith("watch_in_")) else blocking
    contents = {words[1]: words[2].removeprefix("sha256=") for words in comments.values()}
    scoped = {words: seen(f"scope{number}_in_") for words, number in _scopes(listing).items()}
    return View(contents, ranges, blocking, {words: found for words, found in scoped.items() if any(found.values())}, listing)


def _scopes(listing: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """The number of each scope that packets are asked for, by its ports; inwards only."""
    rules = [item["rule"] for item in listing if "rule" in item]
    asked = set(re.findall(r'"target": "(scope-[0-9]+-[0-9a-f]+-in)"', json.dumps(rules)))
    found: dict[str, str] = {}
    for chain in asked:
        conditions = json.dumps([rule["expr"] for rule in rules if rule["chain"] == chain])
        ports = re.findall(r'"dport"}}, "right": (?:{"set": \[)?([0-9]+)', conditions)
        found[f"{','.join(ports)}{' new' if 'direction' in conditions else ''}"] = chain.split("-")[1]
    return found


_SET_NAME = re.compile(r'"(@|(?:scoped-[0-9]+-in-)?within-[a-z0-9]+-|)([a-z0-9_]*(?:hosts|nets|allowed|answers)[46])(-[bc]|)"')


def _by_first_names(listing: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Each set and its chains under its first name. What no packet is looked up in gets a name of its own: it bans nothing."""
    used = _looked_up(listing)

    def first_name(found: re.Match[str]) -> str:
        place, first, second = found.groups()
        return f'"{place}{first}{"" if first + second in used else UNUSED}"'

    named: Sequence[Mapping[str, Any]] = json.loads(_SET_NAME.sub(first_name, json.dumps(listing)))
    return named


def _looked_up(listing: Sequence[Mapping[str, Any]]) -> AbstractSet[str]:
    """The sets that rules look into, in chains that a hook calls or another rule jumps to."""
    rules = [item["rule"] for item in listing if "rule" in item]
    called = {item["chain"]["name"] for item in listing if "hook" in item.get("chain", ())}
    called |= set(re.findall(r'"target": "([^"]+)"', json.dumps(rules)))
    return set(re.findall(r'"@([^"]+)"', json.dumps([rule for rule in rules if rule["chain"] in called])))


def contents() -> Mapping[str, str]:
    """The content hash of each source, by the kernel's own word, whatever else stands."""
    words = (comment.split() for comment in re.findall(r'comment "([^"]*)"', nft("list", "ruleset")))
    return {source_id: content_hash.removeprefix("sha256=") for _, source_id, content_hash, _ in words}


def standing() -> Mapping[int, KernelRanges]:
    return look().ranges


def generation() -> int:
    """A number that moves with each transaction of anybody."""
    with NetlinkSocket() as kernel:
        return kernel.generation()


def _dispatched(listing: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Whose mark is which by the rules, which come before the markers."""
    pairs = []
    for expression in (expression for item in listing if "rule" in item for expression in item["rule"]["expr"]):
        if "vmap" in expression and isinstance(expression["vmap"]["data"], dict):  # not a map with a name
            pairs += expression["vmap"]["data"]["set"]
    return {int(mark): str(verdict["jump"]["target"]).removeprefix("from-") for mark, verdict in pairs}


def _bounds(key: Any, owner: str) -> tuple[int, int, str]:
    if isinstance(key, str):
        return _number(key), _number(key), owner
    if "range" in key:
        return _number(key["range"][0]), _number(key["range"][1]), owner
    _, first, last = _span(f"{key['prefix']['addr']}/{key['prefix']['len']}")
    return first, last, owner


def _number(address: str) -> int:
    return int.from_bytes(socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address))


def _span(entry: str) -> tuple[int, int, int]:
    """IP version, first and last address of an address, a network, or a range."""
    first, _, last = entry.partition("-")
    if "/" not in entry:
        return 6 if ":" in entry else 4, _number(first), _number(last or first)
    network = ipaddress.ip_network(entry)
    return network.version, int(network[0]), int(network[-1])


def _layer(owner: str, spans: Iterable[tuple[int, int, int]], version: int) -> KernelRanges:
    """In order of their first addresses each one is new, or lengthens the one before, or is covered by it."""
    layer: KernelRanges = []
    for first, last in sorted((first, last) for family, first, last in spans if family == version):
        if not layer or first > layer[-1][1]:
            layer.append((first, last, owner))
        elif last > layer[-1][1]:
            layer[-1] = (layer[-1][0], last, owner)
    return layer


def _overlay(layers: Sequence[KernelRanges]) -> KernelRanges:
    """Each address to the first layer that holds it. A layer is sorted and disjoint."""
    present = [(layer, [first for first, _, _ in layer]) for layer in layers if layer]
    merged: KernelRanges = []
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


def _owner_of(address: int, layers: Sequence[tuple[KernelRanges, list[int]]]) -> str:
    for layer, starts in layers:
        at = bisect_right(starts, address) - 1
        if at >= 0 and layer[at][1] >= address:
            return layer[at][2]
    return _NOBODY
