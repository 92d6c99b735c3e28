"""What is allowed by the configuration and leaves hardly a ban is remarked on."""

import pytest

from banlistd.core.config.reading.wide_allows import remarks_on_wide_allows
from support.written_config import read


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ("0.0.0.0/0", ["0.0.0.0/0 is wider than a /8"]),
        ("0.0.0.0/1, 128.0.0.0/1", ["0.0.0.0/0 is wider than a /8"]),
        ("'::/0'", ["::/0 is wider than a /12"]),
        ("8.0.0.0/7, '2000::/3', 192.0.2.0/24", ["8.0.0.0/7 is wider than a /8", "2000::/3 is wider than a /12"]),
        ("8.0.0.0/8, '2a00::/12', 10.0.0.0/7, 224.0.0.0/3, 'fc00::/7', 'ff00::/8'", []),
        ("192.0.2.1", []),
    ],
)
def test_an_entry_that_lets_nearly_everything_through_is_remarked_on(entries: str, named: list[str]) -> None:
    remarks = remarks_on_wide_allows(read(f"sources: []\nallow: [{entries}]\n"))
    assert [remark.message.partition(":")[0] for remark in remarks] == ["allow"] * len(named)
    assert [remark.message.removeprefix("allow: ").partition(": no")[0] for remark in remarks] == named


def test_without_entries_nothing_is_said() -> None:
    assert remarks_on_wide_allows(read("sources: []\n")) == []
