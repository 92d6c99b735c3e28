"""Which entries end by themselves, and when, in every format that says so."""

import json

import pytest

from banlistd.core.addresses.sets import to_text
from banlistd.core.addresses.timed import NEVER, TimedEntries
from banlistd.core.feeds.joined import joined_lists
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.formats import Condition, Format, FormatType, Operator
from banlistd.model import Family

NOW = 1_700_000_000


def ends(timed: TimedEntries | None) -> dict[str, int]:
    assert timed is not None
    four = zip(timed.first4, timed.until4, strict=True)
    six = zip(timed.first6, timed.until6, strict=True)
    return {to_text(Family.IPV4, first): int(until) for first, until in four} | {
        to_text(Family.IPV6, first): int(until) for first, until in six
    }


def form(kind: FormatType, end: str, **keys: object) -> Format:
    return Format(**{"type": kind, "where": (Condition(end, Operator.FUTURE, ()),), "now": NOW, **keys})  # type: ignore[arg-type]


def test_a_column_of_a_table_says_when_its_row_ends() -> None:
    body = f"ip,expires\n192.0.2.1,{NOW + 5}\n192.0.2.2,{NOW - 5}\n2001:db8::1,2023-11-15T00:00:00Z\n192.0.2.3,{NOW + 5}.2\n"
    parsed = parsed_list(body.encode(), form(FormatType.CSV, "expires", columns=("ip",)))
    assert ends(parsed.timed) == {"192.0.2.1": NOW + 5, "2001:db8::1": 1_700_006_400, "192.0.2.3": NOW + 6}
    assert len(parsed.addresses) == 3


def test_a_key_of_a_json_document_says_when_its_object_ends() -> None:
    document = [{"ip": "192.0.2.1", "until": NOW + 5}, {"ip": ["192.0.2.2", "192.0.2.3"], "until": "2999-01-01"}]
    parsed = parsed_list(json.dumps(document).encode(), form(FormatType.JSON, "until", paths=("[].ip",)))
    assert ends(parsed.timed) == {"192.0.2.1": NOW + 5, "192.0.2.2": NEVER, "192.0.2.3": NEVER}


def test_a_key_of_a_line_of_json_says_when_it_ends() -> None:
    lines = [{"ip": f"192.0.2.{number}", "until": NOW + number} for number in range(1, 4)]
    body = "\n".join(map(json.dumps, lines)).encode()
    for one in (form(FormatType.JSONL, "until", field="ip"), form(FormatType.JSONL, "until")):
        assert ends(parsed_list(body, one).timed) == {f"192.0.2.{number}": NOW + number for number in range(1, 4)}


def test_the_first_of_two_ends_counts_and_the_last_of_an_array() -> None:
    document = [{"ip": "192.0.2.1", "a": NOW + 9, "b": NOW + 5}, {"ip": "192.0.2.2", "a": [NOW - 1, NOW + 7], "b": NOW + 8}]
    where = tuple(Condition(field, Operator.FUTURE, ()) for field in ("a", "b"))
    one = Format(FormatType.JSON, paths=("[].ip",), where=where, now=NOW)
    assert ends(parsed_list(json.dumps(document).encode(), one).timed) == {"192.0.2.1": NOW + 5, "192.0.2.2": NOW + 7}


def test_an_indicator_of_stix_ends_when_it_is_no_longer_valid() -> None:
    def indicator(number: int, **keys: str) -> dict[str, str]:
        pattern = f"[ipv4-addr:value = '192.0.2.{number}']"
        return {"type": "indicator", "id": f"indicator--{number}", "pattern": pattern, "pattern_type": "stix", **keys}

    document = {"type": "bundle", "objects": [indicator(1, valid_until="2023-11-15T00:00:00Z"), indicator(2)]}
    for kind in (FormatType.STIX2, FormatType.AUTO, FormatType.JSON):
        parsed = parsed_list(json.dumps(document).encode(), Format(kind, now=NOW))
        assert ends(parsed.timed) == {"192.0.2.1": 1_700_006_400, "192.0.2.2": NEVER}


@pytest.mark.parametrize(
    ("body", "one"),
    [
        (b"192.0.2.1\n", Format(now=NOW)),
        (b"192.0.2.1,5\n", Format(FormatType.CSV, columns=("1",), where=(Condition("2", Operator.AT_LEAST, ("4",)),), now=NOW)),
        (b"192.0.2.1,2\n", form(FormatType.CSV, "2", columns=("1",))),
        (b'{"type": "bundle", "objects": []}', Format(FormatType.STIX2, now=NOW)),
    ],
)
def test_where_nothing_ends_nothing_is_kept(body: bytes, one: Format) -> None:
    assert parsed_list(body, one).timed is None


def test_of_several_bodies_each_has_its_ends() -> None:
    one = parsed_list(f"192.0.2.1,{NOW + 5}\n".encode(), form(FormatType.CSV, "2", columns=("1",)))
    other = parsed_list(b"192.0.2.2\n", Format())
    assert ends(joined_lists([one, other]).timed) == {"192.0.2.1": NOW + 5, "192.0.2.2": NEVER}
    assert joined_lists([other, other]).timed is None
