import pytest

from banlistd.core.ruleset.measuring.repair_counts import MOST_PROGRAMS, OTHER, UNKNOWN, RepairCounts


def noted(*culprits: str) -> dict[str, int]:
    counts = RepairCounts()
    for culprit in culprits:
        counts = counts.note(culprit)
    return dict(counts.by_program)


@pytest.mark.parametrize(
    ("culprit", "program"),
    [("nft[4711]", "nft"), ("", UNKNOWN), ("nft[1], sh[2]", "nft"), ("a[b][7]", "a[b]"), ("\x1b[31m[9]", "\\x1b[31m")],
)
def test_the_program_is_counted_and_not_its_process(culprit: str, program: str) -> None:
    assert noted(culprit, culprit) == {program: 2}


def test_a_program_that_changes_its_name_takes_a_bounded_number_of_names() -> None:
    found = noted("", *(f"name{number}[1]" for number in range(1000)), "name0[2]", "")
    assert len(found) == MOST_PROGRAMS + 2
    assert (found["name0"], found[UNKNOWN], found[OTHER]) == (2, 2, 1000 - MOST_PROGRAMS)
