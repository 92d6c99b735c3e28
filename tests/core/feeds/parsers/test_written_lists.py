"""Lists written by a generator in every form of lines: what is read is what was written, or the list is refused.

Never otherwise: nothing is banned that was not written, and nothing that was written is lost without a word.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Family, Span

_Network = ipaddress.IPv4Network
_Write = Callable[[_Network, str], str]

_words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=12)
_names = st.one_of(
    _words, st.sampled_from(["", "192.0.2.1", "10.0.0.0/8 lan", "2001:db8::1", "Bad, Inc.", "a - b", "#3: x", "1.2.3.4-5"])
)
_addresses = st.ip_addresses(v=4).map(lambda address: ipaddress.IPv4Network(int(address)))
_public = st.integers(1 << 24, (224 << 24) - 1).map(ipaddress.IPv4Network)  # a mask is no address
_networks = st.builds(lambda net, bits: net.supernet(new_prefix=bits), _public, st.integers(8, 32))
_larger = st.builds(lambda net, bits: net.supernet(new_prefix=bits), _public, st.integers(8, 30))


_NO_NAME = "#;/ "
"""What a comment begins with."""


def _range(network: _Network, between: str) -> str:
    return f"{network[0]}{between}{network[-1]}"


def _remark(words: str) -> str:
    """An address of IPv6 alone, in some lines and not in others, is a second column."""
    try:
        ipaddress.IPv6Address(words.strip())
    except ValueError:
        return words
    return f"see {words}"


def _reversed(network: _Network) -> str:
    return ".".join(reversed(str(network[0]).split(".")))


_OF_NETWORKS: Mapping[str, _Write] = {
    "bare": lambda net, _: str(net),
    "comment": lambda net, words: f"{net} # {words}",
    "semicolon": lambda net, words: f"{net} ; {_remark(words)}",
    "blank before the slash": lambda net, _: f"{net[0]} /{net.prefixlen}",
    "blanks around the slash": lambda net, words: f"{net[0]} / {net.prefixlen} # {words}",
    "netmask": lambda net, _: f"{net[0]} {net.netmask}",
    "netmask behind a slash": lambda net, _: f"{net[0]}/{net.netmask}",
    "netmask behind a tab": lambda net, _: f"{net[0]}\t{net.netmask}\tname",
    "wildcard mask": lambda net, _: f"{net[0]} {net.hostmask}",
    "word netmask": lambda net, _: f"{net[0]} netmask {net.netmask}",
    "range": lambda net, _: _range(net, "-"),
    "spaced range": lambda net, words: f"{_range(net, ' - ')} # {words}",
    "long dash": lambda net, _: _range(net, " \u2013 "),
    "two cells": lambda net, _: _range(net, "\t"),
    "two cells and a name": lambda net, _: _range(net, ",") + ",name",
    "from and to": lambda net, _: _range(net, " to "),
    "length in the next cell": lambda net, _: f"{net[0]},{net.prefixlen}",
    "quoted": lambda net, _: f'"{net}"',
    "quoted with a comma": lambda net, _: f"'{net}',",
    "no-break space": lambda net, _: f"\u00a0{net}\u00a0",
    "ipset": lambda net, _: f"add -exist b {net}",
    "ipset with a comment": lambda net, words: f'add b {net} comment "{words.replace(chr(34), "")}"',
    "iptables": lambda net, _: f"-A INPUT -s {net} -j DROP",
    "routeros": lambda net, _: f'add list=b address={net} comment="x"',
    "apache": lambda net, _: f"Require not ip {net}",
    "cisco": lambda net, _: f"access-list 10 deny {net[0]} {net.hostmask}",
    "null route": lambda net, _: f"ip route {net[0]} {net.netmask} Null0",
    "p2p": lambda net, words: f"{words.lstrip(_NO_NAME)}:{_range(net, '-')}",
    "dat": lambda net, words: f"{_range(net, ' - ')} , 000 , {words}",
}

_OF_ADDRESSES: Mapping[str, _Write] = {
    "bind": lambda net, _: f"{_reversed(net)} IN A 127.0.0.2",
    "bind with a name": lambda net, _: f"{_reversed(net)}.bl.example. 300 IN A 127.0.0.2",
    "hosts.deny": lambda net, _: f"ALL: {net[0]}",
    "a date": lambda net, _: f"{net[0]} 2026-01-01 10:00:00",
    "a name": lambda net, _: f"{net[0]}\tnl\tname",
    "a port": lambda net, _: f"{net[0]}:8080",
    "a record": lambda net, _: f"{net[0]},443,Name of it,2026-01-01",
}


def _set_of(networks: Sequence[_Network]) -> AddressSet:
    harvest = Harvest()
    for network in networks:
        harvest.add(_span(network))
    return harvest.parsed(0, "", Format()).addresses


def _span(network: _Network) -> Span:
    return Family.IPV4, int(network[0]), int(network[-1])


def _is_read_or_refused(text: str, kind: FormatType, wanted: AddressSet) -> bool:
    try:
        parsed = parse(text.encode(), Format(kind))
    except ParseError:
        return True
    if not parsed.entries or parsed.rejected > parsed.entries:
        return True  # a guard refuses it
    held, meant = parsed.addresses.ranges(Family.IPV4), wanted.ranges(Family.IPV4)
    is_same = held.first.tolist() == meant.first.tolist() and held.last.tolist() == meant.last.tolist()
    return is_same and not parsed.entries6


@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
@pytest.mark.parametrize("name", _OF_NETWORKS)
@settings(max_examples=40)
@given(networks=st.lists(_networks, min_size=1, max_size=8), words=st.lists(_names, min_size=8, max_size=8))
def test_a_list_of_networks_is_read_back_or_refused(
    name: str, kind: FormatType, networks: Sequence[_Network], words: Sequence[str]
) -> None:
    text = "".join(f"{_OF_NETWORKS[name](net, word)}\n" for net, word in zip(networks, words, strict=False))
    assert _is_read_or_refused(text, kind, _set_of(networks))


@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
@pytest.mark.parametrize("name", _OF_ADDRESSES)
@given(addresses=st.lists(_addresses, min_size=1, max_size=8))
def test_a_list_of_addresses_is_read_back_or_refused(name: str, kind: FormatType, addresses: Sequence[_Network]) -> None:
    text = "".join(f"{_OF_ADDRESSES[name](net, '')}\n" for net in addresses)
    assert _is_read_or_refused(text, kind, _set_of(addresses))


@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
@given(networks=st.lists(_larger, min_size=1, max_size=8))
def test_counts_of_addresses_are_no_entries_alone(kind: FormatType, networks: Sequence[_Network]) -> None:
    text = "".join(f"{net[0]} {net.num_addresses}\n" for net in networks)
    assert _is_read_or_refused(text, kind, _set_of(networks))


@pytest.mark.parametrize("between", [" ", ",", ", ", "\t", ";", "|", " | "])
@given(lines=st.lists(st.lists(_public, min_size=3, max_size=5), min_size=1, max_size=5))
def test_lines_of_several_addresses_are_read_back_or_refused(between: str, lines: Sequence[Sequence[_Network]]) -> None:
    text = "".join(between.join(str(net[0]) for net in line) + "\n" for line in lines)
    assert _is_read_or_refused(text, FormatType.PLAIN, _set_of([net for line in lines for net in line]))


@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.PLAIN])
@pytest.mark.parametrize("form", ["!{}", "{} nomatch", "add b {} nomatch", "{} OK", "allow from {}"])
@given(hole=_networks)
def test_a_hole_is_never_banned(form: str, kind: FormatType, hole: _Network) -> None:
    body = f"192.0.2.0/24\n198.51.100.0/24\n203.0.113.0/24\n{hole.supernet()}\n{form.format(hole)}\n"
    assert not _holds(parse(body.encode(), Format(kind)).addresses, hole)


def _holds(addresses: AddressSet, hole: _Network) -> bool:
    return addresses.contains(Family.IPV4, int(hole[0])) or addresses.contains(Family.IPV4, int(hole[-1]))
