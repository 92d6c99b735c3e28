import pytest

from banlistd.core.download.paging import is_page_url, next_link, with_parameter
from support.processor_time import processor_seconds


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('</list?page=2>; rel="next"', "/list?page=2"),
        ("</list?page=2>; rel=next", "/list?page=2"),
        ("<?page=2>;rel=NEXT", "?page=2"),
        ('<https://lists.example/a>; rel="prev", <https://lists.example/c>; rel="next"', "https://lists.example/c"),
        ('<a>; title="x, <b>; rel=next"; rel=last, <c>; rel="last next"', "c"),
        ('<a>; rel="prev"; rel="next"', ""),
        ('<a>; rel="next"; anchor="#part"', ""),
        ('<a>; rel="nextish"', ""),
        ('<>; rel="next"', ""),
        ("</style.css>; rel=preload", ""),
        ("next", ""),
        ("", ""),
    ],
)
def test_the_next_page_of_a_header(header: str, target: str) -> None:
    assert next_link([header]) == target


def test_the_next_page_may_be_in_a_second_header() -> None:
    assert next_link(["</a>; rel=first", "</b>; rel=next"]) == "/b"


@pytest.mark.parametrize("piece", ["<", "<a>", "<a>;", '<a>;x="', "; ", " ", '"\\', "<a>; rel=", ","])
def test_a_hostile_header_costs_no_more_than_its_length(piece: str) -> None:
    header = (piece * 65_536)[:65_536]
    # At most some 6 times as long as a look at each character (measured); by the square of the length it would be thousands.
    each = processor_seconds(lambda: [character for character in header if character == "<"])
    assert processor_seconds(lambda: next_link([header])) < 100 * each


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("https://lists.example/a", "https://lists.example/a?page=2"),
        ("https://lists.example/a?key=x", "https://lists.example/a?key=x&page=2"),
        ("https://lists.example/a?page=1&key=x", "https://lists.example/a?page=2&key=x"),
        ("https://lists.example/a?page=1&page=7", "https://lists.example/a?page=2"),
        ("https://lists.example/a?pages=1", "https://lists.example/a?pages=1&page=2"),
    ],
)
def test_a_parameter_is_in_a_url_once(url: str, result: str) -> None:
    assert with_parameter(url, "page", "2") == result


def test_a_cursor_cannot_lead_to_another_parameter_or_host() -> None:
    assert (
        with_parameter("https://lists.example/a", "after", "x&key=y#z@/")
        == "https://lists.example/a?after=x%26key%3Dy%23z%40%2F"
    )


@pytest.mark.parametrize(
    ("place", "is_url"), [("https://a.example/", True), ("/a", True), ("?page=2", True), ("2", False), ("Y3Vyc29y==", False)]
)
def test_a_cursor_is_no_address(place: str, is_url: bool) -> None:
    assert is_page_url(place) is is_url
