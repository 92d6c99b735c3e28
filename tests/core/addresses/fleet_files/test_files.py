"""The files of a fleet's lists: they give back the very same content, and everything else is refused."""

import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.fleet_files.files import base_of, delta_file, list_after, whole_file, whole_list
from banlistd.core.addresses.normal_form import normal_form_fault
from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.errors import ParseError
from banlistd.model import Family

V4, V6 = Family.IPV4, Family.IPV6
MOST = 1 << 20


def addresses(four: list[tuple[int, int]], six: list[tuple[int, int]]) -> AddressSet:
    return AddressSet.of(
        *(from_numbers(V4, [pair[end] for pair in four]) for end in (0, 1)),
        *(from_numbers(V6, [pair[end] for pair in six]) for end in (0, 1)),
    )


def pairs(top: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    near = st.integers(0, 40) | st.integers(top - 40, top) | st.integers(0, top)
    both = st.tuples(near, st.sampled_from([0, 0, 1, 5, 300])).map(lambda pair: (pair[0], min(top, sum(pair))))
    return st.lists(both, max_size=12)


SETS = st.builds(addresses, pairs((1 << 32) - 1), pairs((1 << 128) - 1))
SOME = addresses([(1, 1), (5, 5), (10, 20), (1 << 31, 1 << 31)], [(7, 7), (256, 511)])
OTHER = addresses([(1, 1), (6, 6), (10, 20), (30, 40)], [(9, 9), (256, 511), (1 << 64, 1 << 65)])


@given(SETS)
def test_a_whole_file_gives_the_same_content(content: AddressSet) -> None:
    assert whole_list(whole_file(content), MOST).encode() == content.encode()


@given(SETS, SETS)
def test_a_delta_leads_from_its_base_to_the_same_content(base: AddressSet, content: AddressSet) -> None:
    delta = delta_file(base, content)
    assert base_of(delta) == base.content_hash()
    assert list_after(delta, base, MOST).encode() == content.encode()


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"BLZ1" + rest))
def test_other_bytes_are_no_file(octets: bytes) -> None:
    with pytest.raises(ParseError):
        whole_list(octets, MOST)
    with pytest.raises(ParseError):
        list_after(b"BLD1" + octets[4:], SOME, MOST)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_file_is_refused_or_gives_a_list_in_normal_form(place: int, change: int) -> None:
    for file, read in (
        (whole_file(SOME), whole_list),
        (delta_file(SOME, OTHER), lambda octets, most: list_after(octets, SOME, most)),
    ):
        octets = bytearray(file)
        octets[place % len(octets)] ^= change
        with suppress(ParseError):
            assert not normal_form_fault(read(bytes(octets), MOST))


@given(st.lists(st.integers(0, 4), min_size=8, max_size=8), st.binary(max_size=400))
def test_a_delta_of_any_columns_is_refused_or_gives_a_list_in_normal_form(counts: list[int], plain: bytes) -> None:
    size = 4 * sum(counts[:4]) + sum(count * width for count, width in zip(counts[4:], (4, 8, 16, 32), strict=True))
    file = struct.pack("!4s32s8I", b"BLD1", bytes(32), *counts) + zstandard.compress(plain.ljust(size, b"\1")[:size])
    with suppress(ParseError):
        assert not normal_form_fault(list_after(file, SOME, MOST))


@given(st.lists(st.integers(0, 4), min_size=4, max_size=4), st.binary(max_size=400))
def test_a_whole_file_of_any_columns_is_refused_or_gives_a_list_in_normal_form(counts: list[int], plain: bytes) -> None:
    size = sum(count * width for count, width in zip(counts, (4, 8, 16, 32), strict=True))
    file = struct.pack("!4s4I", b"BLZ1", *counts) + zstandard.compress(plain.ljust(size, b"\1")[:size])
    with suppress(ParseError):
        assert not normal_form_fault(whole_list(file, MOST))


@pytest.mark.parametrize("cut", [0, 3, 19, 20, -1])
def test_a_cut_file_is_refused(cut: int) -> None:
    with pytest.raises(ParseError):
        whole_list(whole_file(SOME)[:cut], MOST)
    with pytest.raises(ParseError):
        list_after(delta_file(SOME, OTHER)[:cut], SOME, MOST)


@pytest.mark.parametrize("content", [SOME, AddressSet.none()])
def test_what_comes_behind_the_frame_is_refused(content: AddressSet) -> None:
    with pytest.raises(ParseError, match="damaged"):
        whole_list(whole_file(content) + whole_file(content)[20:], MOST)
    with pytest.raises(ParseError, match="damaged"):
        list_after(delta_file(content, content) + b"\0", content, MOST)


def test_a_bomb_is_refused_by_what_it_says_of_itself() -> None:
    zeros = zstandard.compress(bytes(1 << 26), 19)
    assert len(zeros) < 10_000
    with pytest.raises(ParseError, match="larger than"):
        whole_list(struct.pack("!4s4I", b"BLZ1", 1 << 24, 0, 0, 0) + zeros, MOST)
    with pytest.raises(ParseError, match="another size"):
        whole_list(struct.pack("!4s4I", b"BLZ1", 1, 0, 0, 0) + zeros, MOST)
    with pytest.raises(ParseError, match="larger than"):
        list_after(struct.pack("!4s32s8I", b"BLD1", bytes(32), 0, 0, 0, 0, 1 << 24, 0, 0, 0) + zeros, SOME, MOST)


def lying_frame(says: int) -> bytes:
    """64 MiB in 262 kB that say that they are so many octets, and of which the library looks at 1 KiB at a time."""
    small = zstandard.ZstdCompressionParameters(window_log=10, write_content_size=True)
    frame = bytearray(zstandard.ZstdCompressor(compression_params=small).compress(bytes(1 << 26)))
    frame[6:10] = struct.pack("<I", says)  # behind magic, descriptor and window (RFC 8878, 3.1.1.1)
    assert zstandard.frame_content_size(bytes(frame)) == says
    return bytes(frame)


BOMB = zstandard.compress(bytes(1 << 26), 19)
FRAMES = [BOMB, lying_frame(4), lying_frame(MOST), lying_frame(1 << 31), zstandard.compress(bytes(MOST)), b""]


def memory_of(work: Callable[[], object]) -> int:
    """Octets that Python and numpy took for it at most."""
    tracemalloc.start()
    try:
        with suppress(ParseError):
            work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@given(st.lists(st.integers(0, 40) | st.integers(0, (1 << 32) - 1), min_size=8, max_size=8), st.sampled_from(FRAMES))
def test_a_bomb_of_any_counts_takes_no_memory_above_the_bound(counts: list[int], frame: bytes) -> None:
    size = len(frame)
    whole, delta = struct.pack("!4s4I", b"BLZ1", *counts[:4]), struct.pack("!4s32s8I", b"BLD1", bytes(32), *counts)
    assert memory_of(lambda: whole_list(whole + frame, MOST)) < MOST + 2 * size + 100_000
    assert memory_of(lambda: list_after(delta + frame, SOME, MOST)) < MOST + 2 * size + 100_000


@pytest.mark.parametrize("frame", [lying_frame(MOST), zstandard.compress(bytes(MOST))], ids=["lying", "zeros"])
def test_a_bomb_whose_counts_fit_its_frame_takes_a_few_times_the_bound(frame: bytes) -> None:
    whole = struct.pack("!4s4I", b"BLZ1", MOST // 4, 0, 0, 0) + frame
    delta = struct.pack("!4s32s8I", b"BLD1", bytes(32), 0, 0, 0, 0, MOST // 4 - len(SOME), 0, 0, 0) + frame
    assert memory_of(lambda: whole_list(whole, MOST)) < 8 * MOST
    assert memory_of(lambda: list_after(delta, SOME, MOST)) < 8 * MOST


def test_a_frame_that_does_not_say_its_size_is_refused() -> None:
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(4))
    with pytest.raises(ParseError, match="another size"):
        whole_list(struct.pack("!4s4I", b"BLZ1", 1, 0, 0, 0) + frame, MOST)


def test_a_file_or_a_list_above_its_bound_is_refused() -> None:
    many = AddressSet.of(np.arange(0, 4_000_000, 4, dtype=np.uint32))
    file, delta = whole_file(many), delta_file(AddressSet.none(), many)
    assert len(file) < 100_000
    with pytest.raises(ParseError, match="larger than"):
        whole_list(file, 3_999_999)
    with pytest.raises(ParseError, match="larger than"):
        list_after(delta, AddressSet.none(), 3_999_999)
    with pytest.raises(ParseError, match="larger than"):
        whole_list(file, len(file) - 1)
    assert whole_list(file, 4_000_000) == list_after(delta, AddressSet.none(), 4_000_000) == many


@pytest.mark.parametrize("places", [(0, 0), (1, 0), (4, 0)])
def test_a_delta_that_takes_away_what_is_not_there_is_refused(places: tuple[int, int]) -> None:
    gaps = np.diff(np.array(places, dtype=np.uint32), prepend=np.uint32(0)).astype(">u4")
    planes = gaps.view(np.uint8).reshape(-1, 4).T.tobytes()
    file = struct.pack("!4s32s8I", b"BLD1", bytes(32), 2, 0, 0, 0, 0, 0, 0, 0) + zstandard.compress(planes)
    with pytest.raises(ParseError, match="does not have"):
        list_after(file, SOME, MOST)


def test_a_delta_that_takes_more_than_there_is_is_refused() -> None:
    file = struct.pack("!4s32s8I", b"BLD1", bytes(32), 9, 0, 0, 0, 0, 0, 0, 0) + zstandard.compress(bytes(36))
    with pytest.raises(ParseError, match="more entries away"):
        list_after(file, SOME, MOST)


def test_a_changed_entry_in_a_hundred_is_a_small_file() -> None:
    random = np.random.default_rng(19)
    before = np.unique(random.integers(1 << 24, 1 << 31, 100_000, dtype=np.uint32))
    left = np.delete(before, random.choice(len(before), 500, replace=False))
    after = np.unique(np.concatenate([left, random.integers(1 << 24, 1 << 31, 500, dtype=np.uint32)]))
    base, content = AddressSet.of(before), AddressSet.of(after)
    # Of numbers without a pattern, about 15 bits each; raw they are 4 octets.
    assert len(whole_file(content)) < 2.2 * len(content)
    assert len(delta_file(base, content)) < 1_000 * 2.9
