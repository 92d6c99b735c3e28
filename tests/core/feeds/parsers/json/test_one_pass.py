"""JSON lines whose field is not named are parsed once; what the last line changes changes what all lines are read as."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.json import texts
from banlistd.errors import ParseError
from banlistd.formats import FormatType
from banlistd.model import Family

_COUNT = 3000
"""Lines: more octets than are kept until it is known how to read them."""


def _lines(records: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def _records(count: int = _COUNT) -> list[dict[str, Any]]:
    return [{"ip": f"198.51.{number // 250}.{number % 250}", "score": number % 100} for number in range(count)]


def test_each_line_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    parse_line = texts.json_object_of

    def counted(line: bytes) -> dict[str, Any] | None:
        nonlocal count
        count += 1
        return parse_line(line)

    monkeypatch.setattr(texts, "json_object_of", counted)
    parsed = parse(_lines(_records()))
    assert parsed.form.type is FormatType.JSONL
    assert parsed.form.field == "ip"
    assert parsed.entries == count == _COUNT


@pytest.mark.parametrize("count", [100, _COUNT])
def test_lines_without_an_address_are_rejected_wherever_they_are(count: int) -> None:
    records: list[dict[str, Any]] = [{"ip": None}, *_records(count), {"ip": ""}, {"note": "none"}]
    parsed = parse(_lines(records) + b"no record\n")
    assert parsed.entries == count
    assert [sample.line for sample in parsed.samples] == [1, count + 2, count + 3, count + 4]


@pytest.mark.parametrize("count", [100, _COUNT])
def test_a_flag_in_the_last_line_holds_for_all(count: int) -> None:
    parsed = parse(_lines([*_records(count), {"ip": "203.0.113.9", "whitelisted": True}]))
    assert parsed.entries == count
    assert not parsed.addresses.contains(Family.IPV4, (203 << 24) + (113 << 8) + 9)


@pytest.mark.parametrize("count", [100, _COUNT])
def test_a_second_field_in_the_last_line_is_a_doubt(count: int) -> None:
    with pytest.raises(ParseError, match="several"):
        parse(_lines([*_records(count), {"ip": "203.0.113.9", "gateway_of": "203.0.113.1", "host": "203.0.113.7"}]))


def test_a_family_that_comes_late_is_read() -> None:
    parsed = parse(_lines([*_records(), {"ip": "203.0.113.9", "ipv6": "2001:db8::9"}]))
    assert (parsed.entries4, parsed.entries6) == (_COUNT + 1, 1)
