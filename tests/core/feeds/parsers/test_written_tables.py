"""A table that was written is read back: exactly where its format is named; where it is not, exactly or not at all."""

import csv
import io
import ipaddress
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from banlistd.core.config.model import Source
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import SourceId
from support.guarding import refuse

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Cells = Callable[[Network], list[str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """How entries are written in columns: their names, and the cells of one entry. `key`: what its second column is."""

    names: tuple[str, ...]
    cells: Cells
    key: str = ""
    lengths: Sequence[int] = (32,)


_ANY = (*range(9, 31), 32)
KINDS: Mapping[str, Kind] = {
    "address": Kind(("ip",), lambda net: [str(net[0])]),
    "network": Kind(("cidr",), lambda net: [str(net)], lengths=_ANY),
    "ends": Kind(("start_ip", "end_ip"), lambda net: [str(net[0]), str(net[-1])], "columns", _ANY),
    "prefix": Kind(("network", "prefixlen"), lambda net: [str(net[0]), str(net.prefixlen)], "prefix", _ANY),
    "slash": Kind(("network", "length"), lambda net: [str(net[0]), f"/{net.prefixlen}"], "prefix", _ANY),
    "netmask": Kind(("network", "netmask"), lambda net: [str(net[0]), str(net.netmask)], "netmask", _ANY),
    "wildcard": Kind(("network", "wildcard"), lambda net: [str(net[0]), str(net.hostmask)], "netmask", range(9, 31)),
    "count": Kind(("start", "count"), lambda net: [str(net[0]), str(net.num_addresses)], "count", range(9, 29)),
}

_NOISE: Mapping[str, Callable[[random.Random], str]] = {
    "country": lambda chance: chance.choice(("NO", "SE", "-", "")),
    "seen": lambda chance: f"2026-01-{chance.randint(1, 28):02}",
    "score": lambda chance: str(chance.choice((33, 51, 77, 99, 1001))),
    "remark": lambda chance: chance.choice(
        ("x", "a b", "scans, ssh", 'says "no"', "one\n192.0.2.66,x\ntwo", "", "a;b|c\td", "2.66")
    ),
}


@dataclass(frozen=True, slots=True)
class Written:
    text: str
    networks: list[Network]
    form: Format


def written(seed: int) -> Written:
    """A table by chance: columns in any order, any separator, quotes, header or none."""
    chance = random.Random(seed)
    kind = chance.choice(list(KINDS.values()))
    networks = [_network(chance, kind) for _ in range(chance.choice((1, 3, 5, 20)))]
    names = [*kind.names, *chance.sample(list(_NOISE), chance.randint(0, len(_NOISE)))]
    chance.shuffle(names)
    headed = chance.random() < 0.6
    separator = chance.choice((",", "\t", ";", "|"))
    buffer = io.StringIO()
    end = chance.choice(("\n", "\r\n"))
    if chance.random() < 0.5:
        writer = csv.writer(buffer, delimiter=separator, lineterminator=end)
    else:
        writer = csv.writer(buffer, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    if headed:
        writer.writerow(names)
    for network in networks:
        cells = dict(zip(kind.names, kind.cells(network), strict=True))
        row = [cells[name] if name in cells else _NOISE[name](chance) for name in names]
        # With an empty first cell a single record between semicolons is a comment, and a tab before it is no cell.
        if not row[0] and (len(networks) == 1 or separator == "\t"):
            row[0] = "x"
        writer.writerow(row)
    places = [name if headed and chance.random() < 0.5 else str(names.index(name) + 1) for name in kind.names]
    form = Format(FormatType.CSV, columns=tuple(places[:1]), separator=separator if not headed or chance.random() < 0.7 else "")
    match kind.key:
        case "columns":
            form = replace(form, columns=tuple(places))
        case "prefix":
            form = replace(form, prefix=places[1])
        case "netmask":
            form = replace(form, netmask=places[1])
        case "count":
            form = replace(form, count=places[1])
    return Written(buffer.getvalue(), networks, form)


def _network(chance: random.Random, kind: Kind) -> Network:
    if kind.key != "netmask" and chance.random() < 0.2:
        return ipaddress.IPv6Network(
            (0x20010DB8 << 96 | chance.getrandbits(96), 128 if len(kind.lengths) == 1 else 120), strict=False
        )
    return ipaddress.IPv4Network((chance.randint(1 << 24, 223 << 24), chance.choice(kind.lengths)), strict=False)


def _wanted(networks: Sequence[Network]) -> object:
    return parse("".join(f"{network}\n" for network in networks).encode()).addresses


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_a_table_is_read_back_exactly_in_the_format_it_was_written_in(seed: int) -> None:
    table = written(seed)
    parsed = parse(table.text.encode(), table.form)
    assert parsed.addresses == _wanted(table.networks)
    # A header of one name that is not asked for looks like any line.
    assert parsed.rejected <= (len(table.text.split(maxsplit=1)[0]) < 9)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_auto_reads_a_table_back_exactly_or_refuses_it(seed: int) -> None:
    table = written(seed)
    try:
        found = parsed_list(table.text.encode(), Format())
    except ParseError:
        return
    refusal = refuse(Source(id=SourceId("a"), url="https://lists.example/"), found)
    assert refusal is not None or found.addresses == _wanted(table.networks)
