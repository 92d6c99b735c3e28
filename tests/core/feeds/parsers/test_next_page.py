import json

import pytest

from banlistd.core.feeds.parsers.next_page import next_page
from banlistd.errors import ParseError

URL = "https://lists.example/a?page=2"

GOES_ON = [
    ({"data": ["192.0.2.1"], "next": URL}, URL),
    ({"next": {"href": URL}}, URL),
    ({"links": {"next": URL, "prev": None}}, URL),
    ({"_links": {"next": {"href": "/a?page=2"}}}, "/a?page=2"),
    ({"meta": {"pagination": {"next": URL}}}, URL),
    ({"paging": {"cursors": {"after": "c2Vjb25k"}}}, "c2Vjb25k"),
    ({"next_page": 2}, "2"),
    ({"nextPageToken": "t"}, "t"),
    ({"@odata.nextLink": URL}, URL),
    ({"more": True, "next": "cursor", "objects": []}, "cursor"),
    ({"has_more": True, "data": []}, "has_more"),
]

ENDS = [
    {"next": None},
    {"next": ""},
    {"next": False, "has_more": False},
    {"next_page": 0},
    {"data": [{"next": URL, "ip": "192.0.2.1"}]},
    {"next_update": "2026-12-01"},
    {"links": [{"rel": "self"}]},
    ["192.0.2.1"],
    {},
]


@pytest.mark.parametrize(("document", "place"), GOES_ON)
def test_a_document_that_goes_on_says_where(document: object, place: str) -> None:
    assert next_page(json.dumps(document).encode(), "") == place


@pytest.mark.parametrize("document", ENDS)
def test_a_document_that_is_all_has_no_next_page(document: object) -> None:
    assert next_page(json.dumps(document).encode(), "") == ""


@pytest.mark.parametrize(
    "body", [b"", b"192.0.2.1\n", b'{"ip": "192.0.2.1"}\n{"next": "a"}\n', b'{"next": ' * 100_000, b"\xff{"]
)
def test_what_is_no_document_has_no_next_page(body: bytes) -> None:
    assert next_page(body, "") == ""


def test_the_place_that_is_named_is_the_place_that_counts() -> None:
    body = json.dumps({"more": {"at": URL}, "a.b": "c", "next": "x"}).encode()
    assert next_page(body, "more.at") == URL
    assert next_page(body, "a.b") == "c"
    assert next_page(b'{"data": []}', "more.at") == ""


def test_a_document_that_goes_on_elsewhere_than_named_is_refused() -> None:
    with pytest.raises(ParseError, match="goes on elsewhere"):
        next_page(json.dumps({"next": URL}).encode(), "more.at")


@pytest.mark.parametrize("body", [b"192.0.2.1\n", b"[" * 100_000])
def test_a_named_place_needs_a_document(body: bytes) -> None:
    with pytest.raises(ParseError, match="JSON"):
        next_page(body, "next")


def test_a_place_without_bounds_is_refused() -> None:
    with pytest.raises(ParseError, match="2000 octets"):
        next_page(json.dumps({"next": "x" * 2001}).encode(), "next")
    assert next_page(b'{"next": ' + b"9" * 4000 + b"}", "") == ""
