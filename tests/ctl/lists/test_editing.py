"""One source is edited in the text of a file, and every other line stays."""

import pytest

from banlistd.ctl.lists.editing import HEAD, is_bare, lines_of_source, removed, switched, with_key, without_key

BLOCK = """\
# the office's lists
sources:
  # mine
  - id: a   # keep
    url: https://lists.example/a
    guards:
      enabled: 3

  # from the catalogue
  - use: tor
    enabled: yes  # since May
  - {id: b, url: "https://lists.example/b"}  # b too
"""
ALONE = "# mine\nid: a\nurl: https://lists.example/a"


def edited(text: str, source_id: str, *, on: bool = False) -> str:
    [place] = lines_of_source(text.splitlines(), source_id)
    return switched(text, place, on=on)


@pytest.mark.parametrize(
    ("source_id", "old", "new"),
    [
        ("a", "      enabled: 3\n", "      enabled: 3\n    enabled: no\n"),
        ("tor", "enabled: yes  # since May", "enabled: no  # since May"),
        ("b", 'example/b"}  # b too', 'example/b", enabled: no}  # b too'),
    ],
)
def test_a_source_is_disabled_and_nothing_else_changes(source_id: str, old: str, new: str) -> None:
    assert edited(BLOCK, source_id) == BLOCK.replace(old, new)


def test_enabling_what_was_disabled_takes_the_same_line() -> None:
    assert edited(edited(BLOCK, "b"), "b", on=True).count("enabled") == 3
    assert edited(edited(BLOCK, "tor"), "tor", on=True) == BLOCK


def test_a_file_that_is_one_source_may_lack_a_last_line_feed() -> None:
    assert edited(ALONE, "a") == f"{ALONE}\nenabled: no\n"


def test_lines_of_windows_keep_their_ends() -> None:
    assert edited(BLOCK.replace("\n", "\r\n"), "a") == edited(BLOCK, "a").replace("\n", "\r\n")


def test_a_source_is_removed_and_comments_around_it_stay() -> None:
    [place] = lines_of_source(BLOCK.splitlines(), "a")
    text = removed(BLOCK, place)
    assert "  # mine\n\n  # from the catalogue\n  - use: tor\n" in text
    assert "lists.example/a" not in text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("sources:  # mine\n  # one\n  - id: a\n    url: x\n", "sources: []  # mine\n  # one\n"),
        ("sources:\n- id: a\n  url: x\n\nlog: {format: json}\n", "sources: []\n\nlog: {format: json}\n"),
        ("sources:\r\n  - {id: a, url: x}\r\n", "sources: []\r\n"),
        ("sources:\n  - id: a\n    url: x\n  - use: tor\n", "sources:\n  - use: tor\n"),
        ("sources:\n  - use: tor\n  - {id: a, url: x}\n", "sources:\n  - use: tor\n"),
        ("- id: a\n  url: x\n", ""),
    ],
)
def test_where_no_source_is_left_that_is_written(text: str, left: str) -> None:
    [place] = lines_of_source(text.splitlines(), "a")
    assert removed(text, place) == left


@pytest.mark.parametrize(
    "text",
    [
        "sources: [{id: a, url: x}]\n",
        "sources:\n  - {id: a,\n     url: x}\n",
        "x: &a {id: a}\nsources:\n  - *a\n",
        BLOCK + BLOCK,
    ],
)
def test_what_is_written_in_another_way_is_not_found_in_one_place(text: str) -> None:
    assert len(lines_of_source(text.splitlines(), "a")) != 1


def test_only_what_banlistctl_wrote_is_bare() -> None:
    assert is_bare(HEAD + "\n")
    assert not is_bare(HEAD + "# mine\n")


TRIED = """\
sources:
  - id: a
    action: count  # for now
    shadow: 14d
    url: https://lists.example/a
  - {id: b, action: count, shadow: 14d, path: b}
  - shadow: 14d
    id: c
"""


@pytest.mark.parametrize(
    ("source_id", "old", "new"),
    [
        ("a", "action: count  # for now\n    shadow: 14d\n", "action: drop  # for now\n"),
        ("b", "action: count, shadow: 14d, path", "action: drop, path"),
    ],
)
def test_one_key_changes_and_another_goes(source_id: str, old: str, new: str) -> None:
    [place] = lines_of_source(TRIED.splitlines(), source_id)
    kept = without_key(TRIED, place, "shadow")
    assert kept is not None
    [place] = lines_of_source(kept.splitlines(), source_id)
    assert with_key(kept, place, "action", "drop") == TRIED.replace(old, new)


def test_a_key_that_is_absent_is_gone_and_one_at_a_dash_cannot_go() -> None:
    [place] = lines_of_source(BLOCK.splitlines(), "a")
    assert without_key(BLOCK, place, "shadow") == BLOCK
    [place] = lines_of_source(TRIED.splitlines(), "c")
    assert without_key(TRIED, place, "shadow") is None
