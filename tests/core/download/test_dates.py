import pytest

from banlistd.core.download.dates import has_day, with_day

DAY = ("2026", "01", "09")


@pytest.mark.parametrize(
    ("url", "filled"),
    [
        ("https://lists.example/%Y/%m/%d.txt", "https://lists.example/2026/01/09.txt"),
        ("https://lists.example/a-%Y%m%d00.txt", "https://lists.example/a-2026010900.txt"),
        ("https://lists.example/a?day=%Y-%m-%d&k=%20", "https://lists.example/a?day=2026-01-09&k=%20"),
        ("https://lists.example/%m%d", "https://lists.example/0109"),
        ("https://lists.example/%D0%B0/%Y", "https://lists.example/%D0%B0/2026"),
        ("https://lists.example/%d0%b0/a%20b", "https://lists.example/%d0%b0/a%20b"),
        ("https://lists.example/a", "https://lists.example/a"),
    ],
)
def test_a_day_is_put_into_a_url(url: str, filled: str) -> None:
    assert with_day(url, DAY) == filled
    assert has_day(url) is (url != filled)
