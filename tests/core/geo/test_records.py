"""Records as they stand in real databases, and as they might stand in bad ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.geo.records import origin_of
from banlistd.core.geo.types import Origin

WHOLE = Origin("NO", "Norway", 64496, "Example Network")


@pytest.mark.parametrize(
    ("record", "origin"),
    [
        # MaxMind, DB-IP
        ({"country": {"iso_code": "NO", "names": {"en": "Norway", "de": "Norwegen"}}}, Origin("NO", "Norway")),
        ({"registered_country": {"iso_code": "NO", "names": {"en": "Norway"}}}, Origin("NO", "Norway")),
        (
            {"country": {"iso_code": "NO"}, "registered_country": {"iso_code": "SE", "names": {"en": "Sweden"}}},
            Origin("NO", "Norway"),
        ),
        (
            {"autonomous_system_number": 64496, "autonomous_system_organization": "Example Network"},
            Origin(asn=64496, organisation="Example Network"),
        ),
        # IPinfo, now and before
        ({"country": "Norway", "country_code": "NO", "asn": "AS64496", "as_name": "Example Network"}, WHOLE),
        ({"country": "NO", "country_name": "Norway", "asn": "AS64496", "as_name": "Example Network"}, WHOLE),
        # ip-location-db
        ({"country_code": "NO"}, Origin("NO", "Norway")),
        (
            {"autonomous_system_number": "64496", "autonomous_system_organization": "Example Network"},
            Origin(asn=64496, organisation="Example Network"),
        ),
        # ip-api.com
        ({"country": "Norway", "countryCode": "NO", "as": "AS64496 Example Network"}, WHOLE),
        ({"country": "Norway", "countryCode": "NO", "as": "AS64496"}, Origin("NO", "Norway", 64496)),
        ({"country": "Norway", "countryCode": "NO", "as": ""}, Origin("NO", "Norway")),
    ],
)
def test_every_layout_is_understood(record: object, origin: Origin) -> None:
    assert origin_of(record) == origin


@pytest.mark.parametrize(
    "record",
    [
        None,
        "NO",
        7,
        [],
        {},
        {"country": {}},
        {"country": {"iso_code": 7}},
        {"country": {"iso_code": "no"}},
        {"country_code": "??"},
        {"country_code": "ZZ"},
        {"country_code": "NOR"},
        {"country_code": "N1"},
        {"country_code": "ÅÅ"},
        {"country_code": None},
        {"asn": "about 64496"},
        {"asn": "AS0"},
        {"asn": -1},
        {"asn": 2**32},
        {"asn": 1.5},
        {"asn": 10**6000},
        {"asn": "AS99999999999"},
        {"asn": "AS٤"},
        {"asn": ["AS64496"]},
        {"country": ["NO"]},
        {"as_name": "Nobody's"},
    ],
)
def test_what_says_nothing_is_nothing(record: object) -> None:
    assert origin_of(record) == Origin()


def test_a_name_is_one_short_line_whatever_it_was() -> None:
    origin = origin_of({"asn": 64496, "as_name": "Evil\x1b[2J\nNetwork\u202e" + "x" * 1000})
    assert origin.organisation.isprintable()
    assert origin.organisation.startswith("Evil [2J Network")
    assert len(origin.organisation) <= 120


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["NO", "AS64496", "AS64496 x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["country", "country_code", "iso_code", "names", "en", "asn", "as", "as_name"]), inner
        )
    ),
    max_leaves=12,
)


@given(values)
def test_no_record_is_a_fault(record: object) -> None:
    origin = origin_of(record)
    assert origin.asn is None or 0 < origin.asn < 2**32
    assert all(text.isprintable() for text in (origin.country, origin.country_name, origin.organisation))
