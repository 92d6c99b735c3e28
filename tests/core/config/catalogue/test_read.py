"""The files of the catalogue: what lists of one publisher have in common, and what is wrong with several entries together."""

import pytest

from banlistd.core.config.catalogue.known import known_lists, text_of
from banlistd.core.config.catalogue.read import read_catalogue, trees_of
from banlistd.core.config.catalogue.terms import ListState, Permission
from banlistd.core.config.problems import Document
from banlistd.core.config.yaml import parse_document
from banlistd.errors import ConfigError

TWO_OF_ONE_PUBLISHER = """
- publisher: P
  home: https://p.example/
  licence: CC0
  commercial: yes
  every: 2h
  minimum: 1h
  lists:
    - {id: a, url: "https://p.example/a", comment: first}
    - {id: b, url: "https://p.example/b", comment: second, licence: MIT, state: dead, successor: a}
- {id: c, url: "https://c.example/", home: h, licence: l, comment: third, every: 1h, minimum: 1h, overlaps: [a, b]}
"""


def document(text: str, name: str = "lists.yaml") -> Document:
    return parse_document(name, text.encode())


def problems_of(*texts: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read_catalogue(*(document(text, f"{number}.yaml") for number, text in enumerate(texts)))
    return list(refused.value.problems)


def entry(name: str, *more: str) -> str:
    keys = (f"id: {name}", f'url: "https://{name}.example/"', "home: h", "licence: l", "comment: c", "every: 1h", "minimum: 1h")
    return f"- {{{', '.join((*keys, *more))}}}\n"


def test_lists_have_the_keys_of_their_publisher_and_may_override_them() -> None:
    entries = read_catalogue(document(TWO_OF_ONE_PUBLISHER))
    assert list(entries) == ["a", "b", "c"]
    assert [(entries[name].publisher, entries[name].every, entries[name].licence) for name in "ab"] == [
        ("P", 7200.0, "CC0"),
        ("P", 7200.0, "MIT"),
    ]
    assert (entries["b"].state, entries["b"].commercial, entries["c"].commercial) == (
        ListState.DEAD,
        Permission.YES,
        Permission.UNKNOWN,
    )


def test_what_is_wrong_with_a_list_of_a_publisher_is_reported_in_its_line() -> None:
    problems = problems_of("- publisher: P\n  every: 1h\n  lists:\n    - id: a\n      colour: red\n")
    assert "0.yaml:4: [0].lists[0].url: is missing" in problems
    assert problems[-1].startswith("0.yaml:5: [0].lists[0].colour: is not a key here")


def test_a_name_of_two_files_is_reported() -> None:
    assert problems_of(entry("a"), entry("a")) == ['1.yaml:1: [0].id: "a" is in the catalogue twice']


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("overlaps: [zzz]", 'overlaps: "zzz" is not another entry'),
        ("overlaps: [a]", 'overlaps: "a" is not another entry'),
        ("successor: zzz", 'successor: "zzz" is not another entry that can be used'),
        ("successor: a", 'successor: "a" is not another entry that can be used'),
        ("successor: gone", 'successor: "gone" is not another entry that can be used'),
    ],
)
def test_a_reference_leads_to_another_entry(more: str, problem: str) -> None:
    assert problems_of(entry("a", more) + entry("gone", "state: dead")) == [f"0.yaml:1: [0].{problem}"]


def test_addresses_are_those_of_a_reference_for_the_allowlist() -> None:
    assert "has addresses and is a list to ban" in problems_of(entry("a", "addresses: [192.0.2.1]"))[0]


# The generated file


def test_what_was_written_is_read_from_the_generated_file() -> None:
    written = document(TWO_OF_ONE_PUBLISHER)
    known = known_lists(text_of(trees_of([written])).encode())
    assert dict(known) == read_catalogue(written)


def test_the_generated_file_says_what_is_not_known() -> None:
    text = text_of(trees_of([document(entry("a"))]))
    assert '"redistribution": "unknown"' in text
    assert '"state": "alive"' in text


def test_a_list_is_known_by_its_url() -> None:
    known = known_lists(text_of(trees_of([document(TWO_OF_ONE_PUBLISHER)])).encode())
    assert known.name_of("https://p.example/b") == "b"
    assert known.name_of("https://p.example/") is None


def test_only_an_entry_that_is_asked_for_is_read() -> None:
    known = known_lists(b'{"good": {"id": "good"}, "bad": 7}')
    assert list(known) == ["good", "bad"]
    with pytest.raises(ConfigError) as refused:
        known["good"]
    assert "catalogue.json:1: url: is missing" in refused.value.problems
    with pytest.raises(KeyError):
        known["zzz"]
