"""Sources that are made of others, as they are written, and as they are written wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.config.combining.combination import Combination
from banlistd.core.config.combining.order import circle_in, in_waves
from banlistd.core.config.combining.sources import remarks_on_unused
from banlistd.core.config.schema import schema
from banlistd.core.feeds.evaluate import fetch_key_of
from banlistd.model import SourceId
from support.written_config import problems_of, read

A, B, C, D = (SourceId(name) for name in "abcd")
LISTS = "".join(f"- {{id: {name}, url: 'https://lists.example/{name}'}}\n" for name in "abcd")


def combination_of(keys: str) -> Combination | None:
    return read(f"sources:\n- {{id: both, {keys}}}\n{LISTS}").sources[0].combination


@pytest.mark.parametrize(
    ("keys", "combination", "words"),
    [
        ("merge: [a, b]", Combination((A, B)), "addresses in a or b"),
        ("merge: a, window: 7d", Combination((A,), window=7 * 86400), "addresses in a within the last 7d"),
        ("merge: [a, b], exclude: c", Combination((A, B), exclude=(C,)), "addresses in a or b, not in c"),
        ("intersect: [a, b]", Combination((A, B), 2), "addresses in all of a and b"),
        ("merge: [a, b, c], at_least: 2", Combination((A, B, C), 2), "addresses in 2 of a, b and c"),
        (
            "intersect: [a, b], exclude: [c, d], window: 1d",
            Combination((A, B), 2, (C, D), 86400),
            "addresses in all of a and b within the last 1d, not in c or d",
        ),
    ],
)
def test_sources_are_combined_by_their_ids(keys: str, combination: Combination, words: str) -> None:
    assert combination_of(keys) == combination
    assert str(combination) == words


@pytest.mark.parametrize("keys", ["url: 'https://lists.example/both'", "path: /both", "block: {countries: [NO]}"])
def test_other_sources_are_no_combination(keys: str) -> None:
    assert combination_of(keys) is None


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("merge: [a, other]", 'merge[1]: no source is called "other" (write the ids of other sources of this configuration)'),
        ("merge: [a, both]", 'merge[1]: "both" is the source itself (delete it)'),
        ("intersect: [a, b], exclude: [bot]", 'exclude[0]: no source is called "bot"'),
        ("merge: []", "merge: names no source (write the ids of sources: [a, b])"),
        ("merge: [A]", 'merge[0]: "A" cannot be an id'),
        ("merge: [manual]", 'merge[0]: "manual" cannot be an id'),
        ("intersect: [a]", "intersect: names one source alone (write two or more, or merge:)"),
        ("merge: [a, b], intersect: [c, d]", "merge and intersect exclude each other"),
        ("merge: [a], url: 'https://a/'", "url and merge exclude each other (delete one of them, or write"),
        ("merge: [a], path: /a", "path and merge exclude each other (delete one of them, or write"),
        ("merge: [a, b], at_least: 3", "at_least: is 3, and merge names 2 sources (write 1 to 2)"),
        ("merge: [a, b], at_least: 0", 'at_least: "0" is not a number that fits'),
        ("intersect: [a, b], at_least: 2", "at_least: goes with merge only"),
        ("merge: [a, b, a]", 'merge[2]: "a" is named twice (delete one of them)'),
        ("merge: [a, b], exclude: [b]", 'exclude[0]: "b" is named twice (delete one of them)'),
        ("merge: [a], window: 1m", 'window: "1m" is shorter than 1h'),
        ("merge: [a], window: 91d", 'window: "91d" is longer than 90d'),  # as long as departures are kept
        ("merge: [a], format: plain", "format: goes with url and path only (a combination comes from other sources"),
        ("merge: [a], headers: {A: b}", "headers: goes with url only (a combination comes from other sources"),
        ("merge: [a], ttl: 7d", "ttl: does not go with a combination (write window: here, or ttl: at its parts)"),
        ("merge: [a], verify: {sha256: 'https://a/'}", "verify: goes with url only (a combination comes from other sources"),
        ("url: 'https://a/', exclude: [a]", "exclude: goes with merge or intersect only"),
        ("url: 'https://a/', window: 7d", "window: goes with merge or intersect only"),
        ("union: [a, b]", "union: is not a key here (did you mean merge?)"),
        ("use: known, merge: [a]", "merge: use and merge exclude each other"),
    ],
)
def test_what_is_wrong_with_a_combination_is_said_with_its_place(keys: str, problem: str) -> None:
    problems = problems_of(f"sources:\n- {{id: both, {keys}}}\n{LISTS}")
    assert any(found.startswith("banlistd.yaml:2: sources[0]") and problem in found for found in problems), problems


def test_a_part_that_is_misspelt_is_met_with_the_name_that_was_meant() -> None:
    lists = "- {id: spamhaus-drop, url: 'https://lists.example/a'}\n"
    (found,) = problems_of(f"sources:\n- id: both\n  merge:\n  - spamhaus-dorp\n{lists}")
    assert found.startswith("banlistd.yaml:4: sources[0].merge[0]: ")
    assert found.endswith("(did you mean spamhaus-drop?)")


def test_parts_are_found_in_other_files_and_among_sources_of_the_catalogue() -> None:
    config = read("sources:\n- use: known\n- {id: both, merge: [known, mine]}\n", mine="id: mine\npath: /mine\n")
    assert config.sources[1].combination == Combination((SourceId("known"), SourceId("mine")))


def test_a_part_that_is_off_is_a_problem_unless_the_combination_is_off_too() -> None:
    off = "- {id: a, url: 'https://a/', enabled: no}\n"
    (found,) = problems_of(f"sources:\n{off}- {{id: both, merge: [a]}}\n")
    assert '"a" is not enabled, and no part may be missing (write action: none there' in found
    assert read(f"sources:\n{off}- {{id: both, merge: [a], enabled: no}}\n").sources[1].combination


def test_combinations_may_be_combined_but_not_in_a_circle() -> None:
    text = "sources:\n- {id: x, merge: [a, y]}\n- {id: y, intersect: [z, b]}\n- {id: z, merge: [c], exclude: [%s]}\n" + LISTS
    assert read(text % "d").sources[0].combination == Combination((A, SourceId("y")))
    (found,) = problems_of(text % "x")
    assert found.startswith("banlistd.yaml:2: sources[0]: is made of itself: x -> y -> z -> x (")


def test_a_combination_does_not_inherit_how_long_what_left_a_list_stays() -> None:
    both, part, *_ = read(f"defaults: {{ttl: 7d}}\nsources:\n- {{id: both, merge: [a]}}\n{LISTS}").sources
    assert (both.ttl, part.ttl) == (None, 7 * 86400)


def test_a_source_with_other_faults_is_still_a_part() -> None:
    (found,) = problems_of("sources:\n- {id: both, merge: [a]}\n- {id: a, url: 'https://a/', every: never}\n")
    assert "every" in found


def test_another_combination_is_another_list() -> None:
    keys = ("merge: [a, b]", "merge: [b, a]", "intersect: [a, b]", "merge: [a, b], exclude: [c]", "merge: [a, b], window: 1d")
    sources = [read(f"sources:\n- {{id: both, {key}}}\n{LISTS}").sources[0] for key in keys]
    assert len({fetch_key_of(source) for source in sources}) == len(keys)


def test_the_schema_has_the_keys_of_combinations() -> None:
    source = schema()["$defs"]["source"]
    assert {"merge", "intersect", "at_least", "exclude", "window"} <= source["properties"].keys()
    assert {"required": ["id", "merge"]} in source["anyOf"]
    assert {"required": ["merge", "intersect"]} in source["not"]["anyOf"]
    assert json.dumps(source)


def test_a_list_that_neither_bans_nor_is_combined_is_remarked_on() -> None:
    kept = "- {id: a, url: 'https://a/', action: none}\n"
    (remark,) = remarks_on_unused(read(f"sources:\n{kept}- {{id: both, merge: [a], enabled: no}}\n"))
    assert remark.message == "a: its action is none, and no source is made of it"
    for used in ("{id: both, merge: [b], exclude: [a]}", "{id: both, merge: [a, b]}"):
        assert not remarks_on_unused(read(f"sources:\n{kept}- {{id: b, url: 'https://b/'}}\n- {used}\n"))


_MADE_OF = st.dictionaries(st.sampled_from("abcdefg"), st.sets(st.sampled_from("abcdefghi"), max_size=3))


@given(_MADE_OF)
def test_what_is_made_of_others_comes_after_them_unless_it_is_made_of_itself(made_of: dict[str, set[str]]) -> None:
    waves = in_waves(made_of)
    place = {one: number for number, wave in enumerate(waves) for one in wave}
    assert all(place[one] > place[part] for one in place for part in made_of[one] if part in made_of)
    circle = circle_in(made_of)
    assert bool(circle) == (place.keys() != made_of.keys())
    assert all(after in made_of[one] for one, after in zip(circle, [*circle[1:], *circle[:1]], strict=True))
