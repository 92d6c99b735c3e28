import pytest

from banlistd.core.printing import LONGEST_QUOTE, printable, quoted, shown

HOSTILE = "a\x1b[2J\r\n\u202e\ud800\x9b"


@pytest.mark.parametrize("safe", [printable, quoted, shown])
def test_hostile_text_is_escaped(safe: object) -> None:
    assert callable(safe)
    assert r"a\x1b[2J\r\n\u202e\ud800\x9b" in safe(HOSTILE)


def test_a_text_in_any_script_stays_as_it_is() -> None:
    assert printable("Größe 日本") == quoted("Größe 日本") == "Größe 日本"


def test_a_quote_is_cut_and_says_so() -> None:
    assert quoted("x" * LONGEST_QUOTE) == "x" * LONGEST_QUOTE
    assert quoted("x" * (LONGEST_QUOTE + 1)) == "x" * LONGEST_QUOTE + "..."
    assert quoted("\n" * LONGEST_QUOTE) == r"\n" * (LONGEST_QUOTE // 2) + "..."


def test_a_shown_value_has_quotation_marks_and_sixty_characters() -> None:
    assert shown("x" * 60) == '"' + "x" * 60 + '"'
    assert shown("x" * 61) == '"' + "x" * 57 + '..."'
