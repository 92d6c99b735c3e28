"""Records of the same keys are looked at by columns: what is known of them then is what one record after the other says."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.feeds.parsers.json.columns import FEWEST
from banlistd.core.feeds.parsers.json.looking import JsonLook
from banlistd.errors import ParseError

_KEYS = st.sampled_from(
    ("ip", "network", "netmask", "prefixlen", "score", "type", "active", "removed_at", "error", "via", "count")
)
_SIMPLE = st.sampled_from(
    ("192.0.2.1", "198.51.100.0/24", "2001:db8::1", "24", "/24", "255.255.255.0", "x", "", "allow", "10:00")
)
_VALUES = st.one_of(_SIMPLE, st.integers(-1, 300), st.booleans(), st.none(), st.just(0.5), st.just(["192.0.2.9"]))
_COLUMNS = st.one_of(
    st.lists(_VALUES, min_size=1, max_size=3),
    st.lists(_SIMPLE, min_size=1, max_size=3),
    st.just(["192.0.2.0", "198.51.100.128", "203.0.113.0"]),
    st.lists(st.integers(0, 130), min_size=1, max_size=3),
)


def _known(look: JsonLook) -> dict[str, Any]:
    found = {one.name: getattr(look, one.name) for one in fields(look) if not one.name.startswith("_")}
    # Of several doubts the first one is kept, and a column comes before the next one.
    return {**found, "doubt": look.doubt is None}


@given(st.dictionaries(_KEYS, _COLUMNS, min_size=1, max_size=5), st.integers(FEWEST, FEWEST + 40))
def test_columns_say_what_single_records_say(columns: dict[str, list[Any]], count: int) -> None:
    records = [{key: values[number % len(values)] for key, values in columns.items()} for number in range(count)]
    at_once, singly = JsonLook(), JsonLook()
    at_once.at_records(records)
    for record in records:
        singly.at(record, is_record=True)
    assert _known(at_once) == _known(singly)


def test_too_many_keys_with_numbers_are_refused_in_columns_too() -> None:
    keys = [f"key{number}" for number in range(5002)]
    with pytest.raises(ParseError, match="too many keys beside addresses"):
        JsonLook().at_records([{"ip": "192.0.2.1", **dict.fromkeys(keys, 7)}] * FEWEST)
