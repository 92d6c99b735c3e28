"""How guards are written down."""

import math

import pytest

from banlistd.core.config.keys import keys_of
from banlistd.core.config.sections.guards import Critical, Guards
from support.written_config import problems_of, read, source_of


def test_without_a_word_the_guards_have_the_documented_defaults() -> None:
    guards = source_of().guards
    assert (guards.html, guards.truncated, guards.unparseable) == (True, True, 0.5)
    assert (guards.shrink, guards.grow, guards.turnover, guards.share) == (0.5, 3.0, 0.5, 0.1)
    assert (guards.critical, guards.critical_addresses, guards.critical_allow) == (Critical.CARVE, (), False)
    assert (guards.widest4, guards.widest6) == (8, 19)
    assert (guards.accept_shrink_after, guards.max_age, guards.frozen) == (3 * 86400.0, 7 * 86400.0, 45 * 86400.0)


def test_a_source_moves_one_guard_and_leaves_the_others_as_they_are_for_all() -> None:
    config = read(
        """
defaults:
  guards: {shrink: 20%, share: 12.5%, widest4: /6}
sources:
- {id: a, path: a, guards: {shrink: 90 %, settle: 1d}}
- {id: b, path: b}
- {id: c, path: c, guards: }
"""
    )
    a, b, c = (source.guards for source in config.sources)
    assert (a.shrink, a.share, a.widest4, a.accept_shrink_after) == (0.9, 0.125, 6, 86400.0)
    assert b == c == config.defaults.guards == Guards(shrink=0.2, share=0.125, widest4=6)


def test_every_guard_can_be_switched_off_and_on_again() -> None:
    every = ", ".join(f"{name}: off" for name in keys_of(Guards) if name != "on_stale")
    config = read(f"defaults: {{guards: {{{every}}}}}\nsources: [{{id: a, path: a, guards: {{shrink: 50%, html: on}}}}]")
    off = config.defaults.guards
    assert {off.unparseable, off.shrink, off.grow, off.turnover, off.share} == {math.inf}
    assert {off.accept_shrink_after, off.max_age, off.frozen} == {math.inf}
    assert (off.critical, off.critical_addresses, off.critical_allow) == (Critical.OFF, (), False)
    assert (off.html, off.truncated, off.widest4, off.widest6) == (False, False, 0, 0)
    (source,) = config.sources
    assert (source.guards.shrink, source.guards.html, source.guards.grow) == (0.5, True, math.inf)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("shrink: 50", 'guards.shrink: "50" is not a percentage (write 0% to 100%, or off)'),
        ("shrink: 101%", 'guards.shrink: "101%" is not a percentage (write 0% to 100%, or off)'),
        ("shrink: -1%", 'guards.shrink: "-1%" is not a percentage (write 0% to 100%, or off)'),
        ("grow: x3", 'guards.grow: "x3" is not a percentage (write 0% to 999999%, or off)'),
        ("widest4: 0", 'guards.widest4: "0" is not a prefix length (write 1 to 32, or off)'),
        ("widest6: 129", 'guards.widest6: "129" is not a prefix length (write 1 to 128, or off)'),
        ("settle: 3", 'guards.settle: "3" is not a duration (write 90s, 15m, 1h30m, 1d or 1w)'),
        (
            "accept_shrink_after: 3",
            'guards.accept_shrink_after: "3" is not a duration (write 90s, 15m, 1h30m, 1d or 1w)',
        ),
        ("max_age: 2s", 'guards.max_age: "2s" is shorter than 1m (write 1m to 365d)'),
        (
            "critical_addresses: 192.0.2.1/8",
            'guards.critical_addresses: "192.0.2.1/8" is no network: it does not begin there (write 192.0.0.0/8 or 192.0.2.1)',
        ),
        ("html: maybe", 'guards.html: "maybe" is neither true nor false (write true or false)'),
        ("shrnk: 50%", "guards.shrnk: is not a key here (did you mean shrink?)"),
        ("shrink: ", "guards.shrink: has no value (write one or delete the line)"),
    ],
)
def test_a_wrong_guard_is_told_where_it_stands(written: str, words: str) -> None:
    assert problems_of(f"defaults:\n  guards:\n    {written}") == [f"banlistd.yaml:3: defaults.{words}"]
    assert problems_of(f"sources:\n- id: a\n  path: a\n  guards:\n    {written}") == [f"banlistd.yaml:5: sources[0].{words}"]


def test_guards_are_a_mapping() -> None:
    (problem,) = problems_of("defaults: {guards: off}")
    assert problem.startswith("banlistd.yaml:1: defaults.guards: is a single value and must be a mapping")


def test_the_old_name_of_a_key_works_and_not_beside_the_new_one() -> None:
    assert source_of("guards: {settle: 6h}").guards == source_of("guards: {accept_shrink_after: 6h}").guards
    (problem,) = problems_of("defaults:\n  guards:\n    settle: 6h\n    accept_shrink_after: 7h")
    words = "defaults.guards.accept_shrink_after: is another name of settle (delete one of them)"
    assert problem == f"banlistd.yaml:4: {words}"
