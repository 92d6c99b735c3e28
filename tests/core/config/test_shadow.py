"""How a source is put in shadow."""

import pytest

from support.written_config import problems_of, read


def test_a_source_that_counts_may_be_in_shadow_and_others_inherit_it_to_no_effect() -> None:
    config = read("defaults: {shadow: 14d}\nsources: [{id: a, path: a, action: count, shadow: 1h}, {id: b, path: b}]")
    assert [source.shadow for source in config.sources] == [3600.0, 14 * 86400.0]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("shadow: 14d", "goes with action: count only"),
        ("action: drop, shadow: 14d", "goes with action: count only"),
        ("action: count, shadow: 14", "is not a duration"),
        ("action: count, shadow: 1s", "shadow"),
    ],
)
def test_what_cannot_be_in_shadow_is_refused(written: str, words: str) -> None:
    (problem,) = problems_of(f"sources: [{{id: a, path: a, {written}}}]")
    assert words in problem


def test_a_backend_that_cannot_do_it_is_named_at_the_source() -> None:
    (problem,) = problems_of("backend: ipset\nsources: [{id: a, path: a, action: count, shadow: 14d}]")
    assert "is not possible with this backend" in problem
