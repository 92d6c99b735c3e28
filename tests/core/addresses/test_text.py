"""One range has one text, whoever shows it."""

import ipaddress

import numpy as np
import pytest

from banlistd.core.addresses.comparison import sample
from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.addresses.text import range_text, span_text
from banlistd.model import Family, Span


def span(first: str, last: str) -> Span:
    ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
    return (Family.IPV4 if ends[0].version == 4 else Family.IPV6), int(ends[0]), int(ends[1])


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("192.0.2.0", "192.0.2.255", "192.0.2.0/24"),
        ("192.0.2.1", "192.0.2.2", "192.0.2.1 - 192.0.2.2"),
        ("192.0.2.0", "192.0.2.2", "192.0.2.0 - 192.0.2.2"),
        ("0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::1"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::/32"),
        ("2001:db8::1", "2001:db8::2", "2001:db8::1 - 2001:db8::2"),
        ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
    ],
)
def test_a_range_is_an_address_a_network_or_two_ends(first: str, last: str, text: str) -> None:
    assert span_text(span(first, last)) == text


@pytest.mark.parametrize("family", Family)
def test_array_elements_have_the_same_text_as_integers(family: Family) -> None:
    ends = from_numbers(family, [256, 511])
    assert range_text(family, ends[0], ends[1]) == span_text((family, 256, 511))


def test_a_sample_of_a_list_has_the_same_text() -> None:
    addresses = AddressSet.of(np.array([0xC0000200], dtype=np.uint32), np.array([0xC00002FF], dtype=np.uint32))
    assert sample(addresses) == (span_text(span("192.0.2.0", "192.0.2.255")),)
