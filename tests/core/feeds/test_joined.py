import pytest

from banlistd.core.feeds.completeness import shortfall
from banlistd.core.feeds.joined import joined_lists, memory_of
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.formats import Format

V4 = b"192.0.2.1\n198.51.100.0/25\nnonsense\n"
V6 = b"2001:db8::1\n2001:db8:1::/48\n"


def test_all_parts_are_one_list_in_normal_form() -> None:
    parts = [parsed_list(body, Format()) for body in (V4, V6, b"198.51.100.128/25\n198.51.100.7\n192.0.2.1\n", b"")]
    one = joined_lists(parts)
    whole = parsed_list(V4 + V6 + b"198.51.100.128/25\n198.51.100.7\n192.0.2.1\n", Format())
    assert one.addresses == whole.addresses
    assert (one.entries, one.rejected) == (7, 1)
    assert [sample.text for sample in one.samples] == ["nonsense"]
    assert memory_of(one.addresses) == 4 + 8 + 16 + 32


def test_nothing_and_nothing_is_nothing() -> None:
    assert len(joined_lists([parsed_list(b"", Format())] * 2).addresses) == 0


@pytest.mark.parametrize(
    "one", [b"# Entries : 2 unique IPs\n192.0.2.1\n192.0.2.2\n", b"192.0.2.1\n192.0.2.2\n# END 2 entries\n"]
)
def test_a_part_that_has_less_than_it_says_is_not_made_up_for_by_another(one: bytes) -> None:
    more = b"header\n198.51.100.1\n198.51.100.2\n198.51.100.3\n# END 2 entries\n"
    whole, short = parsed_list(one, Format()), parsed_list(one.replace(b"192.0.2.2\n", b""), Format())
    for parts, is_whole in (([whole, whole], True), ([short, parsed_list(more, Format())], False)):
        found = joined_lists(parts)
        assert found.said is not None
        assert (shortfall(found.said, found.data_lines, found.addresses) == "") is is_whole


def test_the_end_counts_only_where_every_part_has_one() -> None:
    ended, plain = parsed_list(b"192.0.2.1\n# END 1 entries\n", Format()), parsed_list(b"192.0.2.2\n", Format())
    assert (both := joined_lists([ended, ended]).said) is not None
    assert both.at_end
    assert (one := joined_lists([ended, plain]).said) is not None
    assert not one.at_end
