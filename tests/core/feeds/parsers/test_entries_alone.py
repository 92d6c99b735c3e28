"""Lines that are one entry each and nothing else are plain: what is left out for them would have found nothing."""

from hypothesis import assume, given
from hypothesis import strategies as st

from banlistd.core.feeds.parsers.formats.suspicions import first_suspicion
from banlistd.core.feeds.parsers.registry import recognisers
from banlistd.core.feeds.parsers.text import BLOCK, are_entries_alone, normalised
from banlistd.formats import FormatType

_ENTRIES = st.lists(st.from_regex(r"\A[0-9A-Fa-f.:/]{1,20}\Z"), min_size=1, max_size=12)


@given(look=_ENTRIES | st.lists(st.ip_addresses().map(str), min_size=1), entries=st.integers(min_value=0, max_value=5))
def test_no_format_and_no_suspicion_fits_them(look: list[str], entries: int) -> None:
    if are_entries_alone(look):
        answers = [recognise(look) for recognise in recognisers()]
        assert {answer.type for answer in answers if answer is not None} == {FormatType.PLAIN}
        assert first_suspicion(look, entries) is None


def test_a_word_more_in_one_line_is_seen() -> None:
    assert are_entries_alone(["198.51.100.7", "203.0.113.0/24", "2001:db8::/32"])
    for odd in ("198.51.100.7 203.0.113.9", "198.51.100.7,5", "$TTL 3600", "a.example", "", "198.51.100.7\n203.0.113.9 x"):
        assert not are_entries_alone(["198.51.100.7", odd])


@given(text=st.text("\r\n\0a.", max_size=30), blanks=st.sampled_from([0, BLOCK - 3, BLOCK - 2, BLOCK - 1, BLOCK]))
def test_returns_and_feeds_end_lines_alike(text: str, blanks: int) -> None:
    assume(3 * text.count("\0") <= len(text))  # more of them are UTF-16
    body = b"x" * blanks + text.encode()
    wanted = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\0", b" ")
    assert normalised(body).removesuffix(b"\n") == wanted.removesuffix(b"\n")
