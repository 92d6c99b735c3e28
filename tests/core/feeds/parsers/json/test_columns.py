"""Many JSON values at once are read as each of them is, and seen as each of them is."""

import json
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.json import looking, reading
from banlistd.core.feeds.parsers.json.columns import FEWEST, bare_quads, count_masks
from banlistd.core.feeds.parsers.json.values import is_netmask, spans_in
from banlistd.core.feeds.parsers.parsed import Parsed
from banlistd.errors import ParseError

_COUNT = 3 * FEWEST
_QUADS = [f"198.51.{number // 250}.{number % 250}" for number in range(_COUNT)]
_NETWORKS = [f"198.51.{number}.0/24" for number in range(_COUNT)]
_ODD: tuple[Any, ...] = (
    *("2001:db8::1", "198.51.100.7:80", "!198.51.100.7", "198.51.100.7 nomatch", "a.example", "", "198.51.100.7\n203.0.113.9"),
    *(" 198.51.100.7", "198.51.100.7/33", "255.255.255.0", "1.2.3", "1.2.3.4-9", "é", None, 7, True, [], {}, ["203.0.113.9"]),
)
_WORDS = st.sampled_from(["eu-west-1", "GLOBAL", "24", "allow", "203.0.113.1", "255.255.255.0", "x", "", 24, None])
_KEYS = st.sampled_from(["region", "service", "netmask", "length", "action", "type", "start", "end", "deleted", "gateway"])


def _read(body: bytes) -> tuple[object, ...]:
    try:
        parsed = parse(body)
    except ParseError as error:
        return error.message, error.hint
    return _said(parsed)


def _said(parsed: Parsed) -> tuple[object, ...]:
    return parsed.addresses.content_hash(), parsed.entries, parsed.rejected, parsed.samples, parsed.form


def _one_by_one(body: bytes) -> tuple[object, ...]:
    with patch.object(looking, "FEWEST", 1 << 60), patch.object(reading, "FEWEST", 1 << 60):
        return _read(body)


@given(st.lists(st.sampled_from(_ODD), max_size=2), st.integers(0, _COUNT), st.sampled_from([_QUADS, _NETWORKS]))
def test_an_array_is_read_as_its_items_are(odd: Sequence[Any], at: int, usual: Sequence[str]) -> None:
    body = json.dumps({"blocked": [*usual[:at], *odd, *usual[at:]]}).encode()
    assert _read(body) == _one_by_one(body)


@given(st.dictionaries(_KEYS, st.lists(_WORDS, min_size=1, max_size=3), max_size=3), st.sampled_from(_ODD), st.booleans())
def test_rows_are_read_as_each_row_is(columns: dict[str, list[Any]], odd: object, has_odd: bool) -> None:
    rows: list[dict[str, Any]] = [
        {"ip": ip, **{key: words[number % len(words)] for key, words in columns.items()}}
        for number, ip in enumerate(_NETWORKS[:FEWEST] + _QUADS[:FEWEST])
    ]
    if has_odd:
        rows[FEWEST]["ip"] = odd
    body = json.dumps({"data": rows}).encode()
    assert _read(body) == _one_by_one(body)


def test_rows_of_the_usual_kind_are_seen_at_once() -> None:
    rows = [{"ip_prefix": one, "region": "eu-west-1"} for one in _NETWORKS]
    with patch.object(looking.JsonLook, "_see_values", side_effect=AssertionError):
        parsed = parse(json.dumps({"prefixes": rows}).encode())
    assert parsed.entries == _COUNT
    assert parsed.form.paths == ("prefixes[].ip_prefix",)


@given(st.lists(st.sampled_from([*_QUADS[:3], *_NETWORKS[:3], "010.1.1.1", "1.2.3.4/08", *_ODD]), min_size=1, max_size=4))
def test_a_block_is_what_each_value_is(values: list[Any]) -> None:
    block = bare_quads(values)
    if block is not None:
        first, last = block
        expected = [spans_in(value)[0][1:] for value in values]
        assert list(zip(first.tolist(), last.tolist(), strict=True)) == expected


@pytest.mark.parametrize("mask", ["255.255.255.0", "255.0.0.0", "255.255.255.255", "254.0.0.0", "255.255.0.255", "0.0.0.0"])
def test_masks_are_counted_as_each_is(mask: str) -> None:
    block = bare_quads([mask, "198.51.100.0/24"])
    assert block is not None
    assert count_masks(*block) == is_netmask(spans_in(mask)[0])
