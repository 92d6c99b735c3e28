"""The worst lists of each format and archive, small; `python tests/parser_bounds.py --size 64` measures the largest."""

import pytest

from banlistd.formats import Format, FormatType
from parser_bounds import ARCHIVES, LISTS, MIB, SHAPES, Figures, encoding_of, measured
from support.processor_time import step_seconds

SIZE = MIB // 4

# What goes wrong with an archive, and nothing else may.
REASONS = {
    "zstd, window 31": "more memory than is allowed",
    "xz, dictionary of 4 GiB": "more memory than is allowed",
    "gzip bomb": "larger than",
    "zip in zip": "archive in the archive",
    "zip, many members": "more than 1000 members",
}


# Tables that say nothing, or may say two things.
UNREADABLE = {
    "CSV, a quoted field without an end": "has no end",
    "CSV, lines of quotes": "has no end",
    "CSV, comments with quotes": "has no end",
    "CSV, numbers in 1000 columns": "nothing says whether each is listed",
    "CSV, 1000 columns": "nothing says whether each is listed",
}


# What the slowest list takes for each octet is what Python takes for 80 steps of a plain loop; what the daemon's loop was busy
# at once, for 200,000 (measured). Seconds of machines cannot be compared.
STEPS_OF_AN_OCTET, STEPS_AT_ONCE = 250, 4_000_000


@pytest.fixture(scope="module")
def step() -> float:
    """Processor seconds of a step on this machine."""
    return step_seconds()


def assert_bounded(figures: Figures, step: float, most: int = 200 * MIB) -> None:
    # Libraries take 35 MiB, a dictionary or a window at most 128 MiB.
    assert 0 < figures.process < most
    assert figures.growth < 16 * MIB
    assert figures.busy < STEPS_AT_ONCE * step


@pytest.mark.parametrize("name", LISTS)
def test_a_list_of_any_format_is_read_in_bounded_memory(name: str, step: float) -> None:
    make, kind = LISTS[name]
    figures = measured(make(SIZE), Format(kind), SIZE)
    assert_bounded(figures, step)
    assert "elements" in figures.outcome


@pytest.mark.parametrize("kind", FormatType)
def test_the_example_of_a_format_is_read_in_bounded_memory(kind: FormatType, step: float) -> None:
    count = 10_000
    body = kind.kind.example.written(f"192.{number >> 8}.{number & 255}.1" for number in range(count)).encode()
    pattern = "(?P<address>[0-9.]{7,})" if kind is FormatType.PATTERN else ""
    figures = measured(body, Format(kind, pattern=pattern), len(body))
    assert_bounded(figures, step)
    assert figures.outcome == f"{count:,} elements"


@pytest.mark.parametrize("name", SHAPES)
def test_no_shape_takes_more_memory_than_is_allowed_or_time_by_more_than_its_length(name: str, step: float) -> None:
    make, kind = SHAPES[name]
    # So many empty objects would take 320 MiB.
    size = 8 * MIB if name.startswith("JSON, ") else MIB
    figures = measured(make(size), Format(kind), size)
    assert_bounded(figures, step, 350 * MIB)
    assert figures.seconds < STEPS_OF_AN_OCTET * step * size
    reasons = ("elements", "more memory than is allowed", "JSON", "places", UNREADABLE.get(name, "elements"))
    assert any(reason in figures.outcome for reason in reasons)


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_any_kind_is_read_in_bounded_memory(name: str, step: float) -> None:
    figures = measured(ARCHIVES[name](SIZE), Format(FormatType.AUTO), SIZE, encoding_of(name))
    assert_bounded(figures, step)
    assert REASONS.get(name, "elements") in figures.outcome
