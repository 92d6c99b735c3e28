"""What another version of the files changes, by file and line."""

import pytest

from banlistd.core.config.kept import Files
from banlistd.core.config.reading.changes import written_changes

MAIN = b"sources:\n  - id: a\n    url: https://lists.example/a\n    every: 1h\n"
OTHER = b"# mine\nid: b\nurl: https://lists.example/b\n"


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({}, {}, []),
        (
            {"banlistd.yaml": MAIN},
            {"banlistd.yaml": MAIN + b"    enabled: no\n", "sources.d/b.yaml": OTHER},
            ["source a: changed in banlistd.yaml:5 (enabled)", "source b: added in sources.d/b.yaml:2"],
        ),
        (
            {"banlistd.yaml": MAIN, "sources.d/b.yaml": OTHER},
            {"banlistd.yaml": b"sources: []\n"},
            ["source a: removed in banlistd.yaml:2", "source b: removed in sources.d/b.yaml:2"],
        ),
        (
            {"banlistd.yaml": MAIN},
            {"banlistd.yaml": MAIN.replace(b"    every: 1h\n", b"")},
            ["source a: changed in banlistd.yaml:2 (every)"],
        ),
        ({"banlistd.yaml": MAIN}, {"banlistd.yaml": b"# a comment\n" + MAIN}, []),
        (
            {"banlistd.yaml": MAIN + b"allow: [192.0.2.1]\n"},
            {"banlistd.yaml": MAIN + b"allow: [192.0.2.2]\nuse_for: commercial\n"},
            ["allow: changed in banlistd.yaml:5", "use_for: added in banlistd.yaml:6"],
        ),
        (
            {"banlistd.yaml": b"allow: [192.0.2.1]\n" + MAIN},
            {"banlistd.yaml": MAIN},
            ["allow: removed in banlistd.yaml:1"],
        ),
        ({"banlistd.yaml": MAIN}, {"banlistd.yaml": b"\xff"}, ["source a: removed in banlistd.yaml:2"]),
    ],
)
def test_each_change_has_its_place(before: Files, after: Files, found: list[str]) -> None:
    assert [str(one) for one in written_changes(before, after)] == found


def test_a_source_that_moves_to_another_file_has_not_changed() -> None:
    one, other = b"id: b\nurl: https://lists.example/b\n", b"sources:\n  - {id: b, url: 'https://lists.example/b'}\n"
    assert written_changes({"sources.d/b.yaml": one}, {"banlistd.yaml": other}) == []


def test_no_value_is_told() -> None:
    before = {"banlistd.yaml": MAIN}
    after = {"banlistd.yaml": MAIN.replace(b"lists.example/a", b"lists.example/a?key=hidden")}
    assert "hidden" not in str(written_changes(before, after)[0])
