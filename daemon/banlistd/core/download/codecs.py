"""The stream compressions that lists come in: their magic bytes, and one decompressor for each, with bounded output."""

import bz2
import importlib
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import zstandard

LONGEST_MAGIC = 10
OUTPUT_STEP = 1_048_576
"""Bytes that one call of a decompressor may give at most (zstd: 8 MiB)."""

# A block of 128 KiB takes 4 bytes of zstd, and its decompressor knows no bound on output: 256 bytes give 8 MiB at most.
_ZSTD_SLICE = 256
# `xz -9` needs 65 MiB; the header of a hostile stream may ask for 4 GiB.
_XZ_MEMORY = 128 * 1024 * 1024


def _bounded_brotli() -> Any:
    """The library brotli, where it is installed and can bound what it gives: since 1.2. Else None."""
    try:
        library = importlib.import_module("brotli")
    except ImportError:
        return None
    return library if hasattr(library.Decompressor, "can_accept_more_data") else None


_BROTLI = _bounded_brotli()

OFFERED = "gzip, deflate, br" if _BROTLI else "gzip, deflate"
"""The Accept-Encoding of requests."""

BROKEN = (
    *(zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError),
    *((_BROTLI.error,) if _BROTLI else ()),
)
"""What the decompressors raise for bytes that are none of theirs."""


class Codec(Protocol):
    """One member of a compressed stream. `pieces` raises one of `BROKEN`."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to, a few MiB at a time."""


class _Deflate:
    def __init__(self, wbits: int) -> None:
        self._stream = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while True:
            piece = self._stream.decompress(data, OUTPUT_STEP)
            yield piece
            data = self._stream.unconsumed_tail
            # A full piece may have more behind it even where all input was taken.
            if self._stream.eof or (not data and len(piece) < OUTPUT_STEP):
                return


class _Blocks:
    """bzip2 and xz: their decompressors keep the input that they have not used yet."""

    def __init__(self, stream: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._stream = stream

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def pieces(self, data: bytes) -> Iterator[bytes]:
        yield self._stream.decompress(data, OUTPUT_STEP)
        while not (self._stream.eof or self._stream.needs_input):
            yield self._stream.decompress(b"", OUTPUT_STEP)


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor().decompressobj()
        self._unused = b""

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._unused

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _ZSTD_SLICE):
            yield self._stream.decompress(data[start : start + _ZSTD_SLICE])
            if self._stream.eof:
                self._unused = self._stream.unused_data + data[start + _ZSTD_SLICE :]
                return


class _Brotli:
    """One stream; what follows its end within the same piece is damage."""

    unused_data = b""

    def __init__(self) -> None:
        self._stream = _BROTLI.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())

    def pieces(self, data: bytes) -> Iterator[bytes]:
        yield self._stream.process(data, output_buffer_limit=OUTPUT_STEP)
        while not self._stream.can_accept_more_data():
            yield self._stream.process(b"", output_buffer_limit=OUTPUT_STEP)


@dataclass(frozen=True, slots=True)
class Compression:
    """`magic`: what each member begins with; empty where there is only one member. `begins`: what tells the kind."""

    name: str
    magic: bytes
    begins: Callable[[bytes], bool]
    codec: Callable[[], Codec]


def _starts_with(magic: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magic)


def _is_bzip2(head: bytes) -> bool:
    """`BZh` alone could begin a text: the block's own magic (pi), or the end's (its square root), must follow."""
    return head[:3] == b"BZh" and head[4:10] in (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")


def _xz_codec() -> Codec:
    return _Blocks(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY))


_GZIP = Compression("gzip", b"\x1f\x8b", _starts_with(b"\x1f\x8b"), lambda: _Deflate(16 + zlib.MAX_WBITS))
_ZLIB = Compression("deflate", b"", lambda _: True, lambda: _Deflate(zlib.MAX_WBITS))
_RAW_DEFLATE = Compression("deflate", b"", lambda _: True, lambda: _Deflate(-zlib.MAX_WBITS))

_ZSTD = Compression("zstd", b"\x28\xb5\x2f\xfd", _starts_with(b"\x28\xb5\x2f\xfd"), _Zstd)

_KINDS = (
    _GZIP,
    Compression("bzip2", b"BZh", _is_bzip2, lambda: _Blocks(bz2.BZ2Decompressor())),
    Compression("xz", b"\xfd7zXZ\x00", _starts_with(b"\xfd7zXZ\x00"), _xz_codec),
    _ZSTD,
)

_CODINGS = {"gzip": _GZIP, "zstd": _ZSTD, "br": Compression("brotli", b"", lambda _: False, _Brotli)}


def kind_of(head: bytes) -> Compression | None:
    """The kind of stream that begins so, or None for anything else."""
    return next((kind for kind in _KINDS if kind.begins(head[:LONGEST_MAGIC])), None)


def transfer_kind(encoding: str, data: bytes) -> Compression:
    """The kind that a Content-Encoding means, by its name and the first bytes under it."""
    if encoding != "deflate":
        return _CODINGS[encoding]
    # RFC 9110 8.4.1.2 means zlib (RFC 1950), but some servers send bare deflate: the method nibble tells.
    return _ZLIB if data[0] & 0x0F == zlib.DEFLATED else _RAW_DEFLATE
