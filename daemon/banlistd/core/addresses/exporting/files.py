"""A set of addresses as a file for another program, piece by piece. Pure: the same content gives the same octets."""

import ipaddress
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from banlistd.core.addresses.exporting.formats import ExportFormat
from banlistd.core.addresses.prefixes import networks_of
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, to_text
from banlistd.core.addresses.text import range_text
from banlistd.core.printing import counted
from banlistd.model import ContentHash, Family, SourceId

# A piece takes 1 ms: a thread that computes keeps others waiting for up to 5 ms (sys.getswitchinterval), again and again.
# Measured on a busy machine, the slowest `status` during an export of a million: 336 ms, with pieces of 5,000 801 ms.
# At worst an entry is 254 networks, and a piece then some 10 MB of text. Of single addresses it is 16 kB.
PIECE = 1_000
_PER_STATEMENT = 500  # elements of one statement of nft
_NAME = "banlistd-export"
_NFT_TABLE = "inet banlistd_export"
# hash:net takes no prefix of length 0 (ipset(8)).
_SHORTEST_OF_IPSET = 1
# Seconds; the zone is read from a file, so that only the caches of clients see it.
_TTL = 60


@dataclass(frozen=True, slots=True)
class ExportedSource:
    """A source whose content is in the file. `run`: its import run; None for manual bans. `content_hash` None: it has no
    content yet. `scope`: which packets alone it bans, as text; empty: all.
    """

    source_id: SourceId
    run: int | None
    content_hash: ContentHash | None
    scope: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """Everything that is exported, in ascending order. `ranges`: one entry each, hosts and networks, not merged.

    `left_out`: sources that are not in the file, since it would make another program block more packets than the daemon does.
    """

    sources: tuple[ExportedSource, ...]
    content_hash: ContentHash
    ranges: tuple[Ranges, Ranges]
    left_out: tuple[ExportedSource, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.ranges))


def export_of(sources: Sequence[ExportedSource], sets: Sequence[AddressSet], left_out: Sequence[ExportedSource] = ()) -> Export:
    """The union of sets. The content hash of a single one is that of the ledger."""
    addresses = sets[0] if len(sets) == 1 else _union(sets) if sets else AddressSet.none()
    by_family = [_in_order(family, addresses) for family in FAMILIES]
    return Export(tuple(sources), addresses.content_hash(), (by_family[0], by_family[1]), tuple(left_out))


def pieces(export: Export) -> int:
    """How many pieces a file has: the head and the foot are in the first and the last one."""
    return max(1, sum(-(-len(ranges) // PIECE) for ranges in export.ranges))


def piece(export: Export, form: ExportFormat, number: int) -> str:
    """A piece of the file, from 0 to less than `pieces`."""
    text = _head(export, form) if number == 0 else ""
    at = number
    for ranges in export.ranges:
        count = -(-len(ranges) // PIECE)
        if 0 <= at < count:
            text += _section(ranges.family, form) if at == 0 else ""
            part = slice(at * PIECE, (at + 1) * PIECE)
            is_last = number == pieces(export) - 1
            text += _body(form, Ranges(ranges.family, ranges.first[part], ranges.last[part]), is_last=is_last)
        at -= count
    return text + ("]}\n" if form is ExportFormat.JSON and number == pieces(export) - 1 else "")


def _union(sets: Sequence[AddressSet]) -> AddressSet:
    joined = [
        np.concatenate([part for one in sets for part in (one.hosts(family), getattr(one.nets(family), end))])
        for family in FAMILIES
        for end in ("first", "last")
    ]
    return AddressSet.of(*joined)


def _in_order(family: Family, addresses: AddressSet) -> Ranges:
    hosts, nets = addresses.hosts(family), addresses.nets(family)
    first, last = np.concatenate([hosts, nets.first]), np.concatenate([hosts, nets.last])
    order = np.argsort(first, kind="stable")
    return Ranges(family, first[order], last[order])


def _facts(export: Export) -> Iterator[str]:
    yield f"exported by banlistd: {counted(len(export), 'entry', 'entries')}, SHA-256 of the content {export.content_hash}"
    for source in export.sources:
        run = "" if source.run is None else f"run {source.run}, "
        scope = f"; banlistd blocks only {source.scope}" if source.scope else ""
        yield f"{source.source_id}: {run}{source.content_hash or 'no content yet'}{scope}"
    for source in export.left_out:
        yield f"{source.source_id}: left out, because banlistd blocks only {source.scope}; name it to export it"


def _head(export: Export, form: ExportFormat) -> str:
    match form:
        case ExportFormat.JSON:
            return _json_head(export)
        case ExportFormat.UNBOUND_RPZ:
            serial = int(export.content_hash[:8], 16)
            zone = f"$TTL {_TTL}\n@ IN SOA localhost. root.localhost. {serial} 3600 600 86400 {_TTL}\n@ IN NS localhost.\n"
            return zone + "".join(f"; {fact}\n" for fact in _facts(export))
        case ExportFormat.NFT:
            return _comments(export) + f"add table {_NFT_TABLE}\n" + "".join(map(_nft_set, FAMILIES))
        case ExportFormat.IPSET:
            return _comments(export) + "".join(map(_ipset_set, export.ranges))
        case ExportFormat.PLAIN | ExportFormat.CIDR | ExportFormat.ROUTEROS:
            return _comments(export)


def _comments(export: Export) -> str:
    return "".join(f"# {fact}\n" for fact in _facts(export))


def _json_head(export: Export) -> str:
    sources, left_out = (
        [{"id": one.source_id, "run": one.run, "content_hash": one.content_hash, "scope": one.scope} for one in sources]
        for sources in (export.sources, export.left_out)
    )
    facts = {"sources": sources, "left_out": left_out, "content_hash": export.content_hash, "entries": len(export)}
    head = json.dumps(facts)
    return f'{head[:-1]}, "addresses": [\n'


def _nft_set(family: Family) -> str:
    kind = "ipv4_addr" if family is Family.IPV4 else "ipv6_addr"
    name = f"{_NFT_TABLE} {_set_name(family)}"
    return f"add set {name} {{ type {kind}; flags interval; }}\nflush set {name}\n"


def _set_name(family: Family) -> str:
    return "blocked4" if family is Family.IPV4 else "blocked6"


def _ipset_set(ranges: Ranges) -> str:
    """`maxelem` is the number of elements; ipset reserves no memory for it."""
    starts = range(0, len(ranges), PIECE)
    parts = (
        networks_of(ranges.family, ranges.first[at : at + PIECE], ranges.last[at : at + PIECE], _SHORTEST_OF_IPSET)
        for at in starts
    )
    name, kind = _ipset_name(ranges.family), "inet" if ranges.family is Family.IPV4 else "inet6"
    most = max(1, sum(map(len, parts)))
    return f"create {name} hash:net family {kind} maxelem {most} -exist\nflush {name}\n"


def _ipset_name(family: Family) -> str:
    return f"{_NAME}-{'4' if family is Family.IPV4 else '6'}"


def _section(family: Family, form: ExportFormat) -> str:
    if form is not ExportFormat.ROUTEROS:
        return ""
    return f"/{'ip' if family is Family.IPV4 else 'ipv6'} firewall address-list\n"


def _body(form: ExportFormat, ranges: Ranges, *, is_last: bool) -> str:
    match form:
        case ExportFormat.JSON:
            return ",\n".join(f'"{entry}"' for entry in _entries(ranges)) + ("\n" if is_last else ",\n")
        case ExportFormat.NFT:
            entries = [*_entries(ranges)]
            starts = range(0, len(entries), _PER_STATEMENT)
            parts = (", ".join(entries[at : at + _PER_STATEMENT]) for at in starts)
            return "".join(f"add element {_NFT_TABLE} {_set_name(ranges.family)} {{ {part} }}\n" for part in parts)
        case _:
            return "".join(f"{line}\n" for line in _lines(form, ranges))


def _lines(form: ExportFormat, ranges: Ranges) -> Iterable[str]:
    """The lines of the formats that have one for each entry, or for each network of it."""
    family = ranges.family
    match form:
        case ExportFormat.CIDR:
            return (f"{address}/{length}" for address, length in _networks(ranges))
        case ExportFormat.IPSET:
            name, networks = _ipset_name(family), _networks(ranges, _SHORTEST_OF_IPSET)
            return (f"add {name} {address}/{length}" for address, length in networks)
        case ExportFormat.ROUTEROS:
            return (f"add list={_NAME} address={address}/{length}" for address, length in _networks(ranges))
        case ExportFormat.UNBOUND_RPZ:
            return (f"{_rpz_name(family, address, length)} IN CNAME ." for address, length in _networks(ranges))
        case ExportFormat.PLAIN | ExportFormat.JSON | ExportFormat.NFT:
            return _entries(ranges)


def _entries(ranges: Ranges) -> Iterator[str]:
    for first, last in zip(ranges.first, ranges.last, strict=True):
        yield to_text(ranges.family, first) if first == last else range_text(ranges.family, first, last).replace(" ", "")


def _networks(ranges: Ranges, shortest: int = 0) -> Iterator[tuple[str, int]]:
    networks = networks_of(ranges.family, ranges.first, ranges.last, shortest)
    firsts: Addresses = networks.first
    for first, length in zip(firsts, networks.length.tolist(), strict=True):
        yield to_text(ranges.family, first), length


def _rpz_name(family: Family, address: str, length: int) -> str:
    """`24.0.2.0.192.rpz-ip`, `32.zz.db8.2001.rpz-ip` (draft-vixie-dnsop-dns-rpz-00, section 4.1.1)."""
    if family is Family.IPV4:
        return f"{length}.{'.'.join(reversed(address.split('.')))}.rpz-ip"
    words = ipaddress.IPv6Address(address).exploded.split(":")
    labels = [format(int(word, 16), "x") for word in reversed(words)]
    return f"{length}.{'.'.join(_shortened(labels))}.rpz-ip"


def _shortened(labels: Sequence[str]) -> Sequence[str]:
    """The first of the longest runs of zeros, of at least two, becomes `zz`."""
    runs = [(begin, end) for begin in range(len(labels)) for end in range(begin + 2, len(labels) + 1)]
    zeros = [(end - begin, -begin) for begin, end in runs if set(labels[begin:end]) == {"0"}]
    if not zeros:
        return labels
    size, begin = max(zeros)
    return [*labels[:-begin], "zz", *labels[size - begin :]]
