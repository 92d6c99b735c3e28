"""What is written in a format is read back exactly where the format is named; where it is not, exactly or not at all."""

import ipaddress
import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import SourceId
from support.guarding import refuse

_Network = ipaddress.IPv4Network
_PUBLIC = st.integers(128 << 24, (224 << 24) - 1)
"""A hosts file sends names to 127.0.0.0/8 to block them."""
_addresses = st.lists(_PUBLIC.map(_Network), min_size=1, max_size=80, unique=True)
_networks = st.lists(
    st.builds(lambda first, bits: _Network((first, bits), strict=False), _PUBLIC, st.integers(9, 30)), min_size=1, max_size=80
)


def _set_of(networks: Sequence[_Network]) -> AddressSet:
    return parse("".join(f"{network}\n" for network in networks).encode(), Format(FormatType.PLAIN)).addresses


def _is_exact_or_refused(text: str, networks: Sequence[_Network]) -> bool:
    try:
        found = parsed_list(text.encode(), Format())
    except ParseError:
        return True
    refusal = refuse(Source(id=SourceId("feed"), url="https://lists.example/"), found)
    return refusal is not None or found.addresses == _set_of(networks)


@pytest.mark.parametrize("kind", FormatType)
@settings(max_examples=40, deadline=None)
@given(networks=_addresses)
def test_addresses_are_read_back_in_every_format(kind: FormatType, networks: Sequence[_Network]) -> None:
    text = kind.kind.example.written(str(network[0]) for network in networks)
    parsed = parse(text.encode(), Format(kind, pattern=kind.kind.example_pattern))
    assert (parsed.addresses == _set_of(networks), parsed.rejected) == (True, 0)
    assert kind is FormatType.PATTERN or _is_exact_or_refused(text, networks)


def _json(key: str, end: str = "", length: str = "") -> Format:
    ends, lengths = ((end,) if end else ()), ((length,) if length else ())
    return Format(FormatType.JSON, paths=(f"rows[].{key}",), ends=ends, lengths=lengths)


_OBJECTS: Mapping[str, tuple[Mapping[str, str], Format]] = {
    "network": ({"cidr": "{net}"}, _json("cidr")),
    "ends": ({"start_ip": "{first}", "end_ip": "{last}"}, _json("start_ip", end="end_ip")),
    "length": ({"network": "{first}", "prefixlen": "{bits}"}, _json("network", length="prefixlen")),
    "netmask": ({"network": "{first}", "netmask": "{mask}"}, _json("network", length="netmask")),
}
_NOISE = {"country": "NO", "score": 77, "seen": "2026-01-01T10:00:00Z", "note": None, "tags": ["a", "b"]}


def _object(keys: Mapping[str, str], network: _Network, noise: Sequence[str]) -> Mapping[str, object]:
    words = {"net": network, "first": network[0], "last": network[-1], "bits": network.prefixlen, "mask": network.netmask}
    return {**{key: value.format(**words) for key, value in keys.items()}, **{name: _NOISE[name] for name in noise}}


@pytest.mark.parametrize("kind", [FormatType.JSON, FormatType.JSONL])
@pytest.mark.parametrize("name", _OBJECTS)
@settings(max_examples=40, deadline=None)
@given(networks=_networks, noise=st.lists(st.sampled_from(list(_NOISE)), unique=True))
def test_objects_are_read_back(name: str, kind: FormatType, networks: Sequence[_Network], noise: Sequence[str]) -> None:
    keys, form = _OBJECTS[name]
    rows = [_object(keys, network, noise) for network in networks]
    if kind is FormatType.JSONL:
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        form = Format(kind, field=form.paths[0].rpartition(".")[2], ends=form.ends, lengths=form.lengths)
    else:
        text = json.dumps({"rows": rows})
    parsed = parse(text.encode(), form)
    assert (parsed.addresses == _set_of(networks), parsed.rejected) == (True, 0)
    assert _is_exact_or_refused(text, networks)
