"""STIX 2.1: which addresses of which indicators are banned."""

import json
from typing import Any

import pytest

from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.parsed import Parsed
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from support.written_addresses import written

_NOW = 1_767_225_600  # 2026-01-01
_STIX2 = Format(FormatType.STIX2, now=_NOW)


def _indicator(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "indicator", "pattern_type": "stix", "pattern": pattern, **more}


def _read(*objects: dict[str, Any], form: Format = _STIX2) -> Parsed:
    return parse(json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}).encode(), form)


_PATTERNS = {
    "[ipv4-addr:value = '198.51.100.7']": ["198.51.100.7"],
    "[ipv4-addr:value='198.51.100.7']": ["198.51.100.7"],
    "[ipv6-addr:value = '2001:db8::7']": ["2001:db8::7"],
    "[ipv4-addr:value = '198.51.100.0/31']": ["198.51.100.0-198.51.100.1"],
    "[ipv4-addr:value ISSUBSET '198.51.100.0/31']": ["198.51.100.0-198.51.100.1"],
    "[ipv4-addr:value IN ('198.51.100.7', '203.0.113.9')]": ["198.51.100.7", "203.0.113.9"],
    "[ipv4-addr:value = '198.51.100.7' OR ipv4-addr:value = '203.0.113.9']": ["198.51.100.7", "203.0.113.9"],
    "[ipv4-addr:value = '198.51.100.7'] OR [ipv4-addr:value = '203.0.113.9']": ["198.51.100.7", "203.0.113.9"],
    "([ipv4-addr:value = '198.51.100.7'] OR [domain-name:value = 'a.example'])": ["198.51.100.7"],
    "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.7']": ["198.51.100.7"],
    "[network-traffic:src_ref.value = '198.51.100.7']": ["198.51.100.7"],
}


@pytest.mark.parametrize(("pattern", "right"), _PATTERNS.items())
def test_the_addresses_that_meet_a_pattern_are_banned(pattern: str, right: list[str]) -> None:
    parsed = _read(_indicator(pattern))
    assert (written(parsed.addresses), parsed.rejected) == (right, 0)


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '198.51.100.7' AND network-traffic:dst_port = 22]",
        "[ipv4-addr:value != '198.51.100.7']",
        "[NOT ipv4-addr:value = '198.51.100.7']",
        "[ipv4-addr:value NOT = '198.51.100.7']",
        "[ipv4-addr:value ISSUPERSET '198.51.100.7']",
        "[ipv4-addr:value LIKE '198.51.100.%']",
        "[ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [ipv4-addr:value = '203.0.113.9']",
        "[ipv4-addr:value = '198.51.100.7'] REPEATS 5 TIMES WITHIN 60 SECONDS",
        "[ipv4-addr:value = '198.51.100.7'] AND [file:size = 7]",
        "[ipv4-addr:value = 'a.example']",
        "[ipv4-addr:value = '198.51.100.7",
        "[ipv4-addr:value =",
        "[ipv4-addr:value IN ()]",
    ],
)
def test_a_pattern_that_asks_for_more_than_an_address_is_rejected(pattern: str) -> None:
    parsed = _read(_indicator(pattern))
    assert (written(parsed.addresses), parsed.rejected) == ([], 1)


@pytest.mark.parametrize(
    "pattern", ["[file:hashes.'SHA-256' = 'aa']", "[domain-name:value = 'a.example' AND file:size = 7]", "["]
)
def test_a_pattern_without_an_address_is_passed_over(pattern: str) -> None:
    parsed = _read(_indicator(pattern))
    assert (written(parsed.addresses), parsed.rejected) == ([], 0)


_ONE = "[ipv4-addr:value = '198.51.100.7']"


@pytest.mark.parametrize(
    "more",
    [
        {"revoked": True},
        {"valid_until": "2025-12-31T23:59:59Z"},
        {"valid_until": "2025-12-31T23:59:59.999Z"},
        {"valid_from": "2026-01-02T00:00:00Z"},
        {"indicator_types": ["benign"]},
    ],
)
def test_an_indicator_that_is_not_in_force_bans_nothing(more: dict[str, Any]) -> None:
    parsed = _read(_indicator(_ONE, **more))
    assert (written(parsed.addresses), parsed.rejected) == ([], 0)


@pytest.mark.parametrize(
    "more", [{"revoked": False}, {"valid_until": "2026-01-01T00:00:01Z"}, {"valid_from": "2026-01-01T00:00:00Z"}]
)
def test_an_indicator_in_force_bans(more: dict[str, Any]) -> None:
    assert written(_read(_indicator(_ONE, **more)).addresses) == ["198.51.100.7"]


def test_nothing_expires_where_the_time_is_not_known() -> None:
    form = Format(FormatType.STIX2)
    assert written(_read(_indicator(_ONE, valid_until="2001-01-01T00:00:00Z"), form=form).addresses) == ["198.51.100.7"]


@pytest.mark.parametrize("order", [1, -1])
def test_the_latest_version_of_an_indicator_counts(order: int) -> None:
    old = _indicator(_ONE, id="indicator--1", modified="2025-01-01T00:00:00Z")
    new = _indicator(_ONE, id="indicator--1", modified="2025-06-01T00:00:00Z", revoked=True)
    assert written(_read(*[old, new][::order]).addresses) == []


def test_only_indicators_are_bans() -> None:
    seen = {"type": "ipv4-addr", "value": "192.0.2.1"}
    about = {"type": "report", "object_refs": ["192.0.2.2"], "pattern": "[ipv4-addr:value = '192.0.2.3']"}
    assert written(_read(seen, about, _indicator(_ONE)).addresses) == ["198.51.100.7"]


def test_another_language_of_patterns_is_passed_over_or_rejected() -> None:
    parsed = _read(_indicator("alert ip 198.51.100.7", pattern_type="snort"))
    assert (written(parsed.addresses), parsed.rejected) == ([], 1)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"type": "bundle", "objects": [_indicator(_ONE)]}),
        json.dumps({"more": False, "objects": [_indicator(_ONE)]}),
        json.dumps([_indicator(_ONE)]),
        json.dumps(_indicator(_ONE)) + "\n" + json.dumps(_indicator("[file:size = 7]")),
        json.dumps({"type": "bundle", "objects": [_indicator(_ONE)]}, indent=1) * 2,
    ],
)
@pytest.mark.parametrize("kind", [FormatType.AUTO, FormatType.JSON, FormatType.STIX2])
def test_stix_is_recognised_in_every_envelope(kind: FormatType, body: str) -> None:
    parsed = parse(body.encode(), Format(kind, now=_NOW))
    assert (written(parsed.addresses), parsed.form.type) == (["198.51.100.7"], FormatType.STIX2)


def test_an_empty_envelope_is_an_empty_list() -> None:
    assert parse(b"{}", _STIX2).entries == parse(b'{"more": false, "objects": []}', _STIX2).entries == 0


@pytest.mark.parametrize("body", [b'{"error": "unauthorized"}', b'["198.51.100.7"]', b"198.51.100.7\n"])
def test_what_is_no_stix_is_a_parse_error(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse(body, _STIX2)


_TAXII = Format(FormatType.TAXII, now=_NOW)
_ADDED = Format(FormatType.TAXII, now=_NOW, changes=True)


def _envelope(*objects: dict[str, Any], form: Format = _TAXII, **more: Any) -> Parsed:
    return parse(json.dumps({**more, "objects": objects}).encode(), form)


def test_an_envelope_of_taxii_is_read_as_stix() -> None:
    parsed = _envelope(_indicator("[ipv4-addr:value = '198.51.100.7']"), more=True, next="a cursor")
    assert written(parsed.addresses) == ["198.51.100.7"]
    assert parse(b"{}", _TAXII).entries == 0


def test_an_envelope_that_goes_on_without_a_next_page_is_refused() -> None:
    with pytest.raises(ParseError, match="does not say how"):
        _envelope(_indicator("[ipv4-addr:value = '198.51.100.7']"), more=True)


@pytest.mark.parametrize("one", [_indicator("[file:size = 7]"), _indicator("", revoked=True), {"type": "identity"}], ids=str)
def test_any_object_among_the_additions_is_a_change(one: dict[str, Any]) -> None:
    with pytest.raises(ParseError, match="were added"):
        _envelope(one, form=_ADDED, more=True)


def test_additions_without_an_object_are_none() -> None:
    assert _envelope(form=_ADDED).entries == parse(b"{}", _ADDED).entries == 0


@pytest.mark.parametrize(
    "body", [b'{"title": "a collection", "can_read": true}', b"[]", b'{"objects": 5}', b"{} {}", b"no JSON"]
)
def test_what_is_no_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse(body, _TAXII)
