import bz2
import gzip
import lzma
import random
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from banlistd.core.download.decompression import Unpacking, unpack
from banlistd.errors import FetchError, PassingError
from support.data import real_list
from support.hostile_bytes import xz_with_dictionary, zstd_frame

LIST = b"".join(b"192.0.2.%d\n" % number for number in range(256)) * 20
CAP = 1 << 20

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
each_kind = pytest.mark.parametrize("kind", PACKERS)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def fed_in_pieces(data: bytes, size: int, encoding: str = "", cap: int = CAP) -> bytes:
    unpacking = Unpacking(cap, encoding)
    feed_all(unpacking, data, size)
    return unpacking.finish()


def feed_all(unpacking: Unpacking, data: bytes, size: int) -> None:
    for start in range(0, len(data), size):
        unpacking.feed(data[start : start + size])


def test_a_plain_body_is_given_back_without_a_copy() -> None:
    assert unpack(LIST, CAP) is LIST


def test_an_empty_body_is_empty() -> None:
    assert unpack(b"", CAP) == b""
    assert Unpacking(CAP).finish() == b""
    assert Unpacking(CAP, "gzip").finish() == b""


@each_kind
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_every_kind_is_unpacked_however_it_arrives(kind: str, size: int) -> None:
    assert fed_in_pieces(PACKERS[kind](LIST), size) == LIST


@each_kind
@pytest.mark.parametrize("size", [1, 100_000])
def test_every_member_of_a_stream_is_read(kind: str, size: int) -> None:
    pack = PACKERS[kind]
    assert fed_in_pieces(pack(LIST) + pack(b"") + pack(b"198.51.100.1\n"), size) == LIST + b"198.51.100.1\n"


def test_more_members_than_any_tool_makes_are_refused() -> None:
    with pytest.raises(FetchError, match="10000 members"):
        unpack(gzip.compress(b"") * 10_001, CAP)


@each_kind
@pytest.mark.parametrize("size", [1, 100_000])
def test_nul_padding_after_the_end_is_tolerated(kind: str, size: int) -> None:
    assert fed_in_pieces(PACKERS[kind](LIST) + bytes(1000), size) == LIST


@each_kind
@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("junk", [b"x", b"<html>", b"\0\0\0x", b"\0" * 40 + b"\x1f\x8b\x08"])
def test_junk_after_the_end_is_refused(kind: str, size: int, junk: bytes) -> None:
    with pytest.raises(FetchError, match="follows the end"):
        fed_in_pieces(PACKERS[kind](LIST) + junk, size)


@each_kind
@pytest.mark.parametrize("missing", [1, 4, 20])
def test_a_cut_stream_is_refused_and_worth_another_try(kind: str, missing: int) -> None:
    with pytest.raises(PassingError, match="cut short"):
        unpack(PACKERS[kind](LIST)[:-missing], CAP)


@each_kind
def test_a_cut_second_member_is_refused(kind: str) -> None:
    pack = PACKERS[kind]
    with pytest.raises(PassingError, match="cut short"):
        unpack(pack(LIST) + pack(LIST)[:-9], CAP)


def test_a_changed_byte_under_a_checksum_is_refused() -> None:
    packed = bytearray(gzip.compress(LIST))
    packed[-6] ^= 1
    with pytest.raises(FetchError, match="damaged"):
        unpack(bytes(packed), CAP)


@pytest.mark.parametrize(
    "packed", [zstd_frame(0xA8, [(1, 10, b"\n")]), xz_with_dictionary(LIST, 40)], ids=["zstd, window of 2 GiB", "xz, 4 GiB"]
)
def test_a_header_that_asks_for_gigabytes_is_refused_with_that_reason(packed: bytes) -> None:
    with pytest.raises(FetchError, match="more memory than is allowed"):
        unpack(packed, CAP)


def test_a_member_without_a_name_is_read() -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open(zipfile.ZipInfo(""), "w") as member:
        member.write(LIST)
    assert unpack(buffer.getvalue(), CAP) == LIST


@each_kind
@pytest.mark.parametrize("size", [64, 1 << 20])
def test_a_bomb_is_refused_at_the_cap(kind: str, size: int) -> None:
    bomb = PACKERS[kind](bytes(40 * CAP))
    with pytest.raises(FetchError, match="larger than 1048576 bytes unpacked"):
        fed_in_pieces(bomb, size)


@cache
def list_bomb(kind: str) -> bytes:
    """bzip2 takes seconds for it."""
    return PACKERS[kind](b"192.0.2.1\n" * 2_000_000)


@each_kind
@pytest.mark.parametrize("size", [64, 1 << 20])
def test_a_bomb_does_not_even_reach_a_large_cap(kind: str, size: int) -> None:
    bomb = list_bomb(kind)
    unpacking = Unpacking(1 << 30)
    with pytest.raises(FetchError, match="over 250 times its size"):
        feed_all(unpacking, bomb, size)
    # Only zstd gives more than a mebibyte at once.
    assert len(unpacking._body.getvalue()) <= (24 if kind == "zstd" else 17) << 20


@each_kind
def test_a_body_of_exactly_the_cap_is_taken(kind: str) -> None:
    noise = random.Random(1).randbytes(5000) * 2
    assert unpack(PACKERS[kind](noise), 20_000) == noise
    assert fed_in_pieces(PACKERS["gzip"](b"1" * 5000), 100, cap=5000) == b"1" * 5000


def test_a_body_that_arrives_above_the_cap_is_refused() -> None:
    with pytest.raises(FetchError, match="larger than 100 bytes"):
        unpack(b"1" * 101, 100)
    with pytest.raises(FetchError, match="larger than 100 bytes"):
        fed_in_pieces(b"1" * 101, 10, cap=100)


@pytest.mark.parametrize("text", [b"BZh is a callsign\n", b"BZh9 and more text\n", b"PK\n", b"1.2.3.4", b"\x1f"])
def test_text_that_begins_almost_like_an_archive_is_text(text: bytes) -> None:
    assert unpack(text, CAP) == text


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP"])
def test_a_transfer_encoding_is_taken_off_and_then_the_files_own(encoding: str) -> None:
    assert fed_in_pieces(gzip.compress(LIST), 50, encoding) == LIST
    assert fed_in_pieces(gzip.compress(bz2.compress(LIST)), 50, encoding) == LIST


def test_deflate_is_read_with_and_without_its_wrapper() -> None:
    bare = zlib.compressobj(wbits=-15)
    assert fed_in_pieces(zlib.compress(LIST), 50, "deflate") == LIST
    assert fed_in_pieces(bare.compress(LIST) + bare.flush(), 50, "deflate") == LIST


def test_deflate_with_junk_after_its_end_is_refused() -> None:
    with pytest.raises(FetchError, match="follows the end"):
        fed_in_pieces(zlib.compress(LIST) + b"junk", 50, "deflate")


def test_a_bomb_within_a_bomb_is_refused_at_the_first_layer() -> None:
    with pytest.raises(FetchError, match="unpacked"):
        fed_in_pieces(gzip.compress(gzip.compress(bytes(40 * CAP)) * 100), 1 << 20, "gzip")


def test_an_encoding_that_we_did_not_ask_for_is_refused() -> None:
    with pytest.raises(FetchError, match="did not ask"):
        Unpacking(CAP, "compress")
    with pytest.raises(FetchError, match="did not ask"):
        Unpacking(CAP, "gzip, gzip")


def test_the_largest_member_of_a_zip_that_is_no_readme_is_the_list() -> None:
    assert unpack(zipped(("docs/README.txt", LIST * 2), ("../../etc/list", LIST), ("small", b"x")), CAP) == LIST


def test_a_stored_member_is_read() -> None:
    assert fed_in_pieces(zipped(("list", LIST), method=zipfile.ZIP_STORED), 999) == LIST


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (zipped(), "has no list in it"),
        (zipped(("README", LIST), ("folder/", b"")), "has no list in it"),
        (zipped(("list", LIST), method=zipfile.ZIP_LZMA), "method 14"),
        (zipped(("list", bytes(40 * CAP))), "larger than"),
        (zipped(("list", LIST))[:-1], "cut short"),
        (zipped(("list", LIST))[:300], "cut short"),
        (zipped(("list", LIST)) + b"junk", "follows the end"),
        (zipped(*((str(number), b"") for number in range(1001))), "1000 members"),
    ],
    ids=["empty", "readmes only", "rare method", "bomb", "last byte missing", "most missing", "junk", "members"],
)
def test_a_zip_that_cannot_be_trusted_is_refused(archive: bytes, reason: str) -> None:
    with pytest.raises(FetchError, match=reason):
        unpack(archive, CAP)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from([*PACKERS, "zip"]),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4),
    keep=st.integers(1, 500),
)
def test_hostile_bytes_are_unpacked_or_refused_but_nothing_else(kind: str, changes: list[tuple[int, int]], keep: int) -> None:
    content = random.Random(2).randbytes(150) * 2
    data = bytearray(zipped(("list", content)) if kind == "zip" else PACKERS[kind](content))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        result = unpack(bytes(data[:keep]), CAP)
    except FetchError:
        return
    assert len(result) <= CAP


@pytest.mark.parametrize("suffix", ["txt.gz", "txt.bz2", "txt.xz", "txt.zst"])
def test_real_archives_contain_the_real_list(suffix: str) -> None:
    expected = real_list("feeds/spamhaus_drop_20260822.txt").read_bytes()
    assert fed_in_pieces(real_list(f"archives/drop.{suffix}").read_bytes(), 1000) == expected


def test_real_archives_with_two_members_are_whole() -> None:
    expected = real_list("feeds/spamhaus_drop_20260822.txt").read_bytes()
    assert unpack(real_list("archives/drop_two_gz_members.txt.gz").read_bytes(), CAP) == expected
    assert unpack(real_list("archives/drop_two_members.zip").read_bytes(), CAP) == expected


def test_a_real_cut_archive_is_refused() -> None:
    with pytest.raises(PassingError, match="cut short"):
        unpack(real_list("archives/drop_truncated.txt.gz").read_bytes(), CAP)


def test_a_real_bomb_is_refused() -> None:
    with pytest.raises(FetchError, match="over 250 times its size"):
        unpack(real_list("archives/bomb_200MB_of_spaces.gz").read_bytes(), 64 << 20)


def test_a_real_list_that_is_only_named_gz_is_text() -> None:
    body = real_list("feeds/p2p_china_misnamed.p2p.gz").read_bytes()
    assert unpack(body, CAP) is body
