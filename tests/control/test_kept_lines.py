"""Lines are those of the values now, and only those that changed are written."""

from banlistd.control.kept_lines import KeptLines, SourceColumn


class Writer:
    """Writes down for which sources it wrote a line."""

    def __init__(self) -> None:
        self.wrote: list[str] = []

    def line(self, source: str, value: float) -> str:
        self.wrote.append(source)
        return f"{source} {value}\n"


def texts(*columns: SourceColumn) -> tuple[list[str], list[str]]:
    """The text after each column, and for which sources the last one wrote lines."""
    kept, written, found = KeptLines(), Writer(), []
    for column in columns:
        written.wrote.clear()
        found.append(kept.text("metric", column, written.line))
    return found, written.wrote


def test_only_the_line_of_a_changed_value_is_written_anew() -> None:
    found, wrote = texts(SourceColumn(["a", "b", "c"], [1, 2, 3]), SourceColumn(["a", "b", "c"], [1, 9, 3]))
    assert (found[-1], wrote) == ("a 1\nb 9\nc 3\n", ["b"])


def test_nothing_is_written_while_nothing_changes() -> None:
    found, wrote = texts(SourceColumn(["a", "b"], [1, 2]), SourceColumn(["a", "b"], [1, 2]))
    assert (found[0], wrote) == (found[1], [])


def test_with_other_sources_all_lines_are_written_anew() -> None:
    for sources in (["b", "a"], ["a"], ["a", "c"]):
        found, wrote = texts(SourceColumn(["a", "b"], [1, 2]), SourceColumn(sources, [1, 2][: len(sources)]))
        assert wrote == sources
        assert [line.split(" ")[0] for line in found[-1].splitlines()] == sources


def test_a_line_that_changes_back_is_the_first_one_again() -> None:
    found, _ = texts(SourceColumn(["a"], [1]), SourceColumn(["a"], [2]), SourceColumn(["a"], [1]))
    assert found == ["a 1\n", "a 2\n", "a 1\n"]


def test_each_metric_has_lines_of_its_own() -> None:
    kept, written, column = KeptLines(), Writer(), SourceColumn(["a"], [1])
    kept.text("one", column, written.line)
    kept.text("two", column, written.line)
    assert written.wrote == ["a", "a"]
