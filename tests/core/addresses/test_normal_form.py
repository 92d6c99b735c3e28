"""What another process made: good, or wrong in one place, also where two portions of the comparison meet."""

import tracemalloc

import numpy as np
import pytest

from banlistd.core.addresses import normal_form
from banlistd.core.addresses.normal_form import normal_form_fault
from banlistd.core.addresses.sets import AddressSet, Ranges, no_addresses
from banlistd.model import Family

PORTION = normal_form._COMPARED_AT_ONCE
COUNT = 2 * PORTION + 10
PLACES = (1, PORTION - 1, PORTION, PORTION + 1, COUNT - 1)


def made_of(hosts: list[int] | np.ndarray, first: np.ndarray, last: np.ndarray) -> AddressSet:
    no6 = no_addresses(Family.IPV6)
    nets = Ranges(Family.IPV4, first.astype(np.uint32), last.astype(np.uint32))
    return AddressSet(np.array(hosts, dtype=np.uint32), nets, no6, Ranges(Family.IPV6, no6, no6))


def spaced(count: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
    first = np.arange(count, dtype=np.uint32) * np.uint32(100)
    return first, first + np.uint32(9)


def test_hosts_between_networks_are_in_order() -> None:
    first, last = spaced()
    assert normal_form_fault(made_of(first + np.uint32(50), first, last)) == ""
    assert normal_form_fault(AddressSet.none()) == ""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (-100, "overlap"),
        (-95, "overlap"),
        (-91, "overlap"),
        (-90, "touch"),
        (8, "two addresses"),
        (9, "one address"),
        (20, "reversed"),
    ],
)
def test_a_network_that_is_out_of_place_is_found(place: int, shift: int, words: str) -> None:
    first, last = spaced()
    first[place] = int(first[place]) + shift
    assert words in normal_form_fault(made_of([], first, last))


@pytest.mark.parametrize("place", PLACES)
def test_a_host_that_is_out_of_place_is_found(place: int) -> None:
    first, last = spaced()
    hosts = first + np.uint32(50)
    hosts[place] = hosts[place - 1]
    assert "not ascending" in normal_form_fault(made_of(hosts, first, last))
    hosts[place] = last[place]
    assert "inside" in normal_form_fault(made_of(hosts, first, last))


def test_the_comparison_takes_no_memory_to_speak_of() -> None:
    first, last = spaced(1_000_000)
    made = made_of(first + np.uint32(50), first, last)
    tracemalloc.start()
    assert normal_form_fault(made) == ""
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20
