"""What is shown of a list that came in an archive."""

import pytest

from banlistd.core.feeds.found_list import Findings, skipped_in_words
from banlistd.core.feeds.reading.whole_list import with_files_left_out
from banlistd.model import Rejected

_LINES = tuple(Rejected(number, "x", "no address") for number in range(1, 6))


@pytest.mark.parametrize(("lines", "files", "shown"), [(0, 5, 5), (5, 0, 0), (5, 1, 1), (5, 5, 2), (3, 3, 2), (1, 9, 4)])
def test_lines_and_files_share_the_room(lines: int, files: int, shown: int) -> None:
    samples = with_files_left_out(_LINES[:lines], files, [f"{number}.md" for number in range(min(files, 5))])
    assert len(samples) == min(lines + files, 5)
    assert len([one for one in samples if not one.line]) == shown


def test_the_name_of_a_file_is_escaped() -> None:
    (sample,) = with_files_left_out((), 1, ["a\x1b[31m\u00e9\n.md"])
    assert sample.text == "a\\x1b[31m\\xe9\\n.md"


def test_files_are_named_after_the_lines() -> None:
    findings = Findings(7, with_files_left_out(_LINES[:1], 1, ["a.md"]))
    assert skipped_in_words(findings) == (
        '7 lines skipped (the first: line 1 "x": no address); file "a.md": not read; files of the archive left out: 1'
    )
    assert skipped_in_words(Findings(0, findings.skipped[1:])).startswith('file "a.md"')
