"""The number of a content of a fleet's list, from what a poll left."""

import pytest

from banlistd.control.commands.fleet.fleet import _number


@pytest.mark.parametrize(
    ("etag", "number"),
    [
        ("main/drop/12", 12),
        ("", 0),
        ('"5f3e-12"', 0),
        ('W/"main/drop/12"', 0),
        ("main/other/12", 0),
        ("main/drop/", 0),
        ("main/drop/x", 0),
        ("main/drop/" + 5000 * "9", 0),
    ],
)
def test_the_etag_of_another_server_has_no_number(etag: str, number: int) -> None:
    assert _number(etag, "main/drop/") == number
