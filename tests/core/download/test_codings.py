import gzip
import subprocess
import sys

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from banlistd.core.download.codings import CHUNKED, content_coding
from banlistd.core.download.decompression import Unpacking
from banlistd.errors import FetchError

LIST = b"192.0.2.1\n198.51.100.0/24\n"


@pytest.mark.parametrize(
    "encoding",
    [
        *("", "identity", "identity, identity", " none ", "NONE", "null", "binary", "8bit", "7bit", "*", ",", "raw"),
        *("utf-8", "UTF-8", "utf8", "UTF-8, UTF-8", "utf-8;charset", "charset=utf-8", "UTF-16LE", "utf-8-sig", '"utf-8"'),
        *("us-ascii", "ISO-8859-1", "iso8859-15", "windows-1252", "cp1252", "latin1", "Shift_JIS", "utf-8; q=1.0"),
        *("text/plain", "text/plain; charset=UTF-8", "application/json", "application/octet-stream"),
    ],
)
def test_what_names_no_coding_leaves_the_body_as_it_is(encoding: str) -> None:
    assert content_coding(encoding) == ""
    unpacking = Unpacking(1000, encoding)
    unpacking.feed(LIST)
    assert unpacking.finish() == LIST


@pytest.mark.parametrize(
    "encoding", ["gzip", "x-gzip", "GZIP", "utf-8, gzip", "gzip,aws-chunked", "identity, gzip", "gzip;q=1"]
)
def test_a_coding_beside_names_of_none_is_taken_off(encoding: str) -> None:
    unpacking = Unpacking(1000, encoding)
    unpacking.feed(gzip.compress(LIST))
    assert unpacking.finish() == LIST


def test_zstd_is_a_coding() -> None:
    unpacking = Unpacking(1000, "zstd")
    unpacking.feed(zstandard.ZstdCompressor().compress(gzip.compress(LIST)))
    assert unpacking.finish() == LIST


@pytest.mark.parametrize("encoding", ["compress", "aes128gcm", "dcb", "gzip, gzip", "gzip, br", "utf-9", "x\x1by", "a" * 9000])
def test_another_coding_is_refused_by_its_name(encoding: str) -> None:
    with pytest.raises(FetchError, match="did not ask for: ") as caught:
        content_coding(encoding)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 150
    assert "without a Content-Encoding" in caught.value.hint


def fed(encoding: str, data: bytes, size: int, cap: int = 100_000) -> bytes:
    unpacking = Unpacking(cap, encoding)
    for at in range(0, len(data), size):
        unpacking.feed(data[at : at + size])
    return unpacking.finish()


def test_brotli_is_a_coding_and_is_bounded() -> None:
    packed = brotli.compress(gzip.compress(LIST * 1000))
    for size in (1, 7, len(packed)):
        assert fed("br", packed, size) == LIST * 1000
    with pytest.raises(FetchError, match="cut short"):
        fed("br", packed[:-1], 7)
    for junk in (packed + b"junk", b"junk", LIST):
        for size in (len(packed), 1000):
            with pytest.raises(FetchError, match=r"damaged|follows the end|cut short"):
                fed("br", junk, size)
    with pytest.raises(FetchError, match="larger than 1000000 bytes unpacked"):
        fed("br", brotli.compress(bytes(50_000_000)), 1000, 1_000_000)


def test_brotli_is_neither_asked_for_nor_read_where_it_is_not_installed() -> None:
    program = """
import sys
sys.modules["brotli"] = None
from banlistd.core.download import codecs, codings
print(codecs.OFFERED)
try:
    codings.content_coding("br")
except Exception as error:
    print(error)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown[0] == "gzip, deflate"
    assert "did not ask for: br" in shown[1]


@pytest.mark.parametrize("encoding", ["aws-chunked", "chunked", "aws-chunked, utf-8"])
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_an_upload_that_kept_its_framing_is_refused_because_a_frame_may_cut_an_address(encoding: str, size: int) -> None:
    assert content_coding(encoding) == CHUNKED
    framed = b"9;chunk-signature=0a\r\n192.0.2.1\r\n2\r\n23\r\n0\r\n\r\n"
    for body in (framed, framed.replace(b";chunk-signature=0a", b"")):
        with pytest.raises(FetchError, match="framing"):
            fed(encoding, body, size)
    assert fed(encoding, LIST, size) == LIST
