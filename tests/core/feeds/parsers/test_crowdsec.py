"""Decisions of CrowdSec: which of them ban, and which answers are no list."""

import json
from typing import Any

import pytest

from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.parsed import Parsed
from banlistd.errors import ParseError
from banlistd.formats import Condition, Format, FormatType, Operator
from support.written_addresses import written

CROWDSEC = Format(FormatType.CROWDSEC)
CHANGES = Format(FormatType.CROWDSEC, changes=True)


def decision(value: str, scope: str = "Ip", **more: Any) -> dict[str, Any]:
    return {"duration": "3h59m", "id": 1, "origin": "cscli", "scope": scope, "type": "ban", "value": value, **more}


def read(new: object, deleted: object = None, form: Format = CROWDSEC) -> Parsed:
    return parse(json.dumps({"deleted": deleted, "new": new}).encode(), form)


@pytest.mark.parametrize("form", [CROWDSEC, Format()], ids=str)
def test_bans_of_addresses_and_networks_count_and_other_decisions_do_not(form: Format) -> None:
    new = [
        decision("192.0.2.7"),
        decision("198.51.100.0/24", "Range"),
        decision("2001:db8::5", "ip"),
        decision("192.0.2.9", type="captcha"),
        decision("192.0.2.10", simulated=True),
        decision("203.0.113.5", simulated=False),
    ]
    parsed = read(new, [decision("192.0.2.11")], form)
    right = ["192.0.2.7", "198.51.100.0-198.51.100.255", "203.0.113.5", "2001:db8::5"]
    assert (sorted(written(parsed.addresses)), parsed.rejected) == (sorted(right), 0)
    assert parsed.form.type is FormatType.CROWDSEC


@pytest.mark.parametrize("form", [CROWDSEC, Format()], ids=str)
def test_an_answer_without_decisions_is_an_empty_list(form: Format) -> None:
    parsed = read(None, None, form)
    assert (parsed.entries, parsed.rejected) == (0, 0)


def test_decisions_about_no_address_are_shown_as_rejected() -> None:
    parsed = read([decision("CN", "Country"), decision("evil", "Ip"), {"scope": "Ip"}, decision("192.0.2.7")])
    assert [sample.reason for sample in parsed.samples] == ["a decision about no address", "not an address", "not a decision"]
    assert written(parsed.addresses) == ["192.0.2.7"]


def test_conditions_choose_among_decisions() -> None:
    where = (Condition("origin", Operator.IS_NOT, ("CAPI",)),)
    parsed = read([decision("192.0.2.7"), decision("192.0.2.8", origin="CAPI")], form=Format(FormatType.CROWDSEC, where=where))
    assert written(parsed.addresses) == ["192.0.2.7"]


def test_an_array_of_decisions_is_read_too() -> None:
    assert written(parse(json.dumps([decision("192.0.2.7")]).encode(), CROWDSEC).addresses) == ["192.0.2.7"]
    assert parse(b"null", CROWDSEC).entries == 0


def test_changes_without_an_end_are_what_is_new() -> None:
    ended = [decision("192.0.2.9", type="captcha")]
    assert written(read([decision("192.0.2.7")], ended, CHANGES).addresses) == ["192.0.2.7"]


def test_changes_in_which_a_ban_ended_are_no_list() -> None:
    with pytest.raises(ParseError, match="have ended"):
        read([decision("192.0.2.7")], [decision("192.0.2.9")], CHANGES)


@pytest.mark.parametrize("body", [b'{"message": "access forbidden"}', b'{"new": 5}', b'"new"', b"[[]] [[]]", b"no JSON"])
def test_what_is_no_answer_of_the_local_api_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse(body, CROWDSEC)
