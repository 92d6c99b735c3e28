"""Which values meet a condition."""

import json

import pytest

from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.parsers.conditions import holds, instant_of
from banlistd.errors import ParseError
from banlistd.formats import Condition, Format, FormatType, Operator
from support.written_addresses import written

NOW = 1_767_225_600  # 2026-01-01


def _holds(operator: str, wanted: str, value: object) -> bool:
    return holds(Condition("a", Operator(operator), (wanted,)), value, NOW)


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "right"),
    [
        (">=", "90", 90, True), (">=", "90", 89.9, False), (">=", "90", "100", True), (">=", "90", "9", False),
        (">=", "90", "90%", True), (">=", "90", None, False), (">=", "90", "high", False), (">=", "90", True, False),
        ("<=", "90", 90, True), ("<", "90", 90, False), (">", "90", 90, False), ("<", "-1", "-2", True),
        (">=", "90", float("nan"), False), (">=", "90", float("inf"), False), (">=", "90", 10**400, False),
        ("=", "ADDR", "addr", True), ("=", "ADDR", " Addr ", True), ("=", "ADDR", "ADDRESS", False), ("=", "1", "1.0", True),
        ("=", "1", True, False), ("=", "true", True, True), ("=", "false", False, True), ("=", "x", None, False),
        ("=", "a", ["b", "a"], True), ("=", "a", [], False), ("=", "a", {"a": 1}, False),
        ("!=", "a", "b", True), ("!=", "a", "A", False), ("!=", "a", None, True), ("!=", "a", ["b", "a"], False),
        (">=", "2026-01-01", "2026-01-01T00:00:00Z", True), (">=", "2026-01-01", "2025-12-31 23:59:59", False),
        ("<", "2026-01-01", "2025-12-31", True), (">", "2026-01-01", "soon", False),
    ],
)  # fmt: skip
def test_a_value_is_compared(operator: str, wanted: str, value: object, *, right: bool) -> None:
    assert _holds(operator, wanted, value) == right


@pytest.mark.parametrize("value", ["de", "FR", " fr "])
def test_one_of_several_is_enough(value: str) -> None:
    assert holds(Condition("a", Operator.IS, ("DE", "FR")), value, NOW)


_FUTURE = Condition("a", Operator.FUTURE)


@pytest.mark.parametrize(
    "value",
    [
        *(
            "2026-01-02",
            "2026-01-01T00:00:01Z",
            "2026-01-01 00:00:01 UTC",
            "2026-01-01T00:30:00+00:00",
            "2025-12-31T23:30:00-01:00",
        ),
        *(NOW + 1, str(NOW + 1), 1000 * (NOW + 1), f"{NOW + 1}.5", "20260102", "2026/01/02"),
    ],
)
def test_a_time_that_has_not_come_is_in_the_future(value: object) -> None:
    assert holds(_FUTURE, value, NOW)


@pytest.mark.parametrize(
    "value", ["2026-01-01", "2025-12-31T23:59:59Z", "2026-01-01T00:30:00+01:00", NOW, 0, None, "", "null", "never"[:0], -1]
)
def test_a_time_that_has_come_or_is_none_is_not(value: object) -> None:
    assert not holds(_FUTURE, value, NOW)


@pytest.mark.parametrize("value", ["soon", "31.12.2026", "2026-13-01"])
def test_what_is_no_time_is_said(value: str) -> None:
    with pytest.raises(ParseError, match="no time at a"):
        holds(_FUTURE, value, NOW)


def test_nothing_is_in_the_future_of_an_unknown_time() -> None:
    with pytest.raises(ParseError, match="not known"):
        holds(_FUTURE, "2026-01-02", 0)


@pytest.mark.parametrize(
    "text", ["9" * 5000, "2026-01-01" * 500, "1e999", "2026-02-30", "9999999999999999999", "0000-00-00", ""]
)
def test_no_text_is_more_than_no_time(text: str) -> None:
    instant_of(text)


_RECORDS = [
    {"ip": "198.51.100.7", "score": 100, "geo": {"country": "DE"}, "until": "2026-06-01"},
    {"ip": "203.0.113.9", "score": 30, "geo": {"country": "DE"}, "until": "2026-06-01"},
    {"ip": "203.0.113.12", "score": 95, "geo": {"country": "SE"}, "until": "2025-06-01"},
]


@pytest.mark.parametrize(
    ("where", "right"),
    [
        ((Condition("score", Operator.AT_LEAST, ("90",)),), ["198.51.100.7", "203.0.113.12"]),
        ((Condition("geo.country", Operator.IS, ("DE", "FR")),), ["198.51.100.7", "203.0.113.9"]),
        ((Condition("until", Operator.FUTURE),), ["198.51.100.7", "203.0.113.9"]),
        (
            (Condition("until", Operator.FUTURE), Condition("score", Operator.AT_LEAST, ("90",))),
            ["198.51.100.7"],
        ),
        ((Condition("absent", Operator.IS, ("x",)),), []),
        ((Condition("absent", Operator.IS_NOT, ("x",)),), ["198.51.100.7", "203.0.113.9", "203.0.113.12"]),
    ],
)
def test_records_count_where_all_conditions_are_met(where: tuple[Condition, ...], right: list[str]) -> None:
    as_json = parse(
        json.dumps({"data": _RECORDS}).encode(), Format(FormatType.JSON, paths=("data[].ip",), where=where, now=NOW)
    )
    lines = "\n".join(map(json.dumps, _RECORDS)).encode()
    as_lines = parse(lines, Format(FormatType.JSONL, field="ip", where=where, now=NOW))
    assert written(as_json.addresses) == written(as_lines.addresses) == right
    assert as_json.rejected == as_lines.rejected == 0


def test_conditions_hold_for_places_that_are_found() -> None:
    where = (Condition("score", Operator.AT_LEAST, ("90",)),)
    form = Format(FormatType.JSON, where=where)
    assert written(parse(json.dumps(_RECORDS).encode(), form).addresses) == ["198.51.100.7", "203.0.113.12"]


def test_the_value_of_an_outer_object_counts_where_the_inner_has_none() -> None:
    body = b'[{"score": 95, "ips": ["198.51.100.7"]}, {"score": 5, "ips": ["203.0.113.9"]}]'
    form = Format(FormatType.JSON, paths=("[].ips[]",), where=(Condition("score", Operator.AT_LEAST, ("90",)),))
    assert written(parse(body, form).addresses) == ["198.51.100.7"]


def test_keys_are_left_out_by_their_values() -> None:
    body = b'{"198.51.100.7": {"score": 90}, "203.0.113.9": {"score": 20}}'
    form = Format(FormatType.JSON, paths=("{}",), where=(Condition("score", Operator.AT_LEAST, ("90",)),))
    assert written(parse(body, form).addresses) == ["198.51.100.7"]


def test_a_record_whose_time_cannot_be_read_is_rejected() -> None:
    form = Format(FormatType.JSONL, field="ip", where=(Condition("until", Operator.FUTURE),), now=NOW)
    parsed = parse(b'{"ip": "198.51.100.7", "until": "soon"}\n', form)
    assert (parsed.entries, parsed.rejected, parsed.samples[0].reason) == (0, 1, "no time at until")


_TABLE = """ip,score,country,until
198.51.100.7,100,DE,2026-06-01
203.0.113.9,30,DE,2026-06-01
203.0.113.12,95,SE,2025-06-01
203.0.113.14,95,SE,
"""


@pytest.mark.parametrize(
    ("where", "right"),
    [
        ((Condition("score", Operator.AT_LEAST, ("90",)),), ["198.51.100.7", "203.0.113.12", "203.0.113.14"]),
        ((Condition("3", Operator.IS, ("de",)),), ["198.51.100.7", "203.0.113.9"]),
        ((Condition("Until", Operator.FUTURE),), ["198.51.100.7", "203.0.113.9"]),
        ((Condition("until", Operator.FUTURE), Condition("2", Operator.AT_LEAST, ("90",))), ["198.51.100.7"]),
        ((Condition("9", Operator.IS, ("x",)),), []),
    ],
)
@pytest.mark.parametrize("columns", [("ip",), ("1",)])
def test_rows_count_where_all_conditions_are_met(
    columns: tuple[str, ...], where: tuple[Condition, ...], right: list[str]
) -> None:
    parsed = parse(_TABLE.encode(), Format(FormatType.CSV, columns=columns, where=where, now=NOW))
    assert (written(parsed.addresses), parsed.rejected) == (right, 0)


def test_rows_of_a_table_without_a_header_are_told_by_number() -> None:
    where = (Condition("2", Operator.IS, ("ADDR",)),)
    body = b"198.51.100.7,ADDR\n192.0.2.1,DOMAIN\n"
    assert written(parse(body, Format(FormatType.CSV, columns=("1",), where=where)).addresses) == ["198.51.100.7"]


def test_conditions_hold_for_columns_that_are_found() -> None:
    body = b"n,ip\n" + b"".join(b"%d,203.0.113.%d\n" % (number, 2 * number) for number in range(9))
    form = Format(FormatType.CSV, where=(Condition("n", Operator.ABOVE, ("6",)),))
    assert written(parse(body, form).addresses) == ["203.0.113.14", "203.0.113.16"]


def test_a_condition_about_no_column_is_a_parse_error() -> None:
    with pytest.raises(ParseError, match="no column named points"):
        parse(_TABLE.encode(), Format(FormatType.CSV, columns=("ip",), where=(Condition("points", Operator.IS, ("1",)),)))


def test_a_row_whose_time_cannot_be_read_is_rejected() -> None:
    where = (Condition("until", Operator.FUTURE),)
    parsed = parse(b"ip,until\n198.51.100.7,soon\n", Format(FormatType.CSV, columns=("ip",), where=where, now=NOW))
    assert (parsed.entries, parsed.rejected, parsed.samples[0].reason) == (0, 1, "no time at until")
