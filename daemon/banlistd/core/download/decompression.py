"""Bytes in, bytes out: one layer of compression taken off, recognised by magic bytes, never by names.

A stream must reach its own end, nothing but NUL padding may follow it, and no more than the cap ever exists unpacked.
"""

import re
from collections.abc import Iterator
from io import BytesIO

from banlistd.core.download.archives.members import ZIP_MAGICS, LeftOut, Members, too_large
from banlistd.core.download.archives.tar_archive import LONGEST_HEAD, TarReader, is_tar
from banlistd.core.download.archives.zip_archive import read_zip
from banlistd.core.download.codecs import BROKEN, LONGEST_MAGIC, Compression, kind_of, transfer_kind
from banlistd.core.download.codings import CHUNKED, content_coding
from banlistd.errors import FetchError, PassingError

_SLICE = 65_536
# A hostile stream of 48 MiB has room for a million empty members, each of which costs time. bgzip, which makes the smallest
# ones, cuts that into a thousand.
_MAX_STREAM_MEMBERS = 10_000
# A bomb must not fill the cap first: gzip reaches 1030:1; xz and zstd reach 7,000:1, and keep a copy of what they gave last,
# up to 128 MiB. Real lists reach 28:1 (measured).
_BEST_RATIO = 250
_UNSUSPICIOUS = 16 * 2**20

_BROKEN_FILE = "the publisher's file may be broken"
_BOMB = "no list packs so well: this is a bomb, or no list"

# The size line of a chunk (RFC 9112 7.1), with or without a signature, within the first LONGEST_MAGIC bytes.
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}(;|\r\n)")


class Unpacking:
    """A body, fed as it arrives, then finished. Every method raises FetchError.

    `max_bytes` bounds the bytes as they arrive, and again what each layer unpacks to. `encoding`: the Content-Encoding
    of an HTTP answer, which is taken off first. `members`: a pattern of the names of an archive's files; empty for all that
    may be lists.
    """

    def __init__(self, max_bytes: int, encoding: str = "", members: str = "") -> None:
        self._max_bytes = max_bytes
        self._pattern = members
        self._encoding = content_coding(encoding)
        self._is_plain_transfer = self._encoding in ("", CHUNKED)
        self._outer: _Layer | None = None
        self._inner: _Layer | None = None
        self._head: bytes | None = b""
        self._arrived = 0
        self._is_zip = False
        self._tar: TarReader | None = None
        self._members: Members | None = None
        self._start: bytes | None = b""
        # Grown by mremap(2) once glibc keeps it out of its heap (`adapters.allocator`), and handed out as bytes without a copy:
        # one body exists, not two.
        self._body = BytesIO()

    def feed(self, data: bytes) -> None:
        """Take the next bytes as they arrived."""
        self._arrived += len(data)
        if self._arrived > self._max_bytes:
            raise too_large(self._max_bytes)
        if self._is_plain_transfer:
            self._file_bytes(data)
            return
        if data and self._outer is None:
            self._outer = _Layer(transfer_kind(self._encoding, data), self._max_bytes)
        if self._outer is not None:
            for piece in self._outer.feed(data):
                self._file_bytes(piece)

    def finish(self) -> bytes:
        """The whole body, unpacked."""
        if self._outer is not None:
            self._outer.finish()
        if self._head is not None:
            self._begin(self._head)
        if self._inner is not None:
            self._inner.finish()
        if self._start is not None:
            self._begin_unpacked(self._start)
        if self._tar is not None:
            self._tar.finish()
        body = self._body.getvalue()
        if self._is_zip:
            self._body = BytesIO()
            self._members = Members(self._pattern, self._body, self._max_bytes)
            read_zip(body, self._members)
            body = self._members.joined()
        return body

    @property
    def left_out(self) -> LeftOut:
        """The files of an archive that are not in the body; known once it is finished."""
        return LeftOut() if self._members is None else self._members.left_out

    def _file_bytes(self, data: bytes) -> None:
        if self._head is None:
            self._store(data)
            return
        self._head += data
        if len(self._head) >= LONGEST_MAGIC:
            self._begin(self._head)

    def _begin(self, head: bytes) -> None:
        """The first bytes are known: from now on everything goes through the layer that they tell of."""
        self._head = None
        if self._encoding == CHUNKED and _CHUNK_SIZE.match(head):
            hint = "the publisher must store the list without it"
            raise FetchError("the list still has the framing of its upload in it, which may cut an address in two", hint)
        self._is_zip = head.startswith(ZIP_MAGICS)
        kind = kind_of(head)
        self._inner = None if kind is None else _Layer(kind, self._max_bytes)
        self._store(head)

    def _store(self, data: bytes) -> None:
        if self._inner is None:
            self._unpacked(data)
            return
        for piece in self._inner.feed(data):
            self._unpacked(piece)

    def _unpacked(self, data: bytes) -> None:
        if self._tar is not None:
            self._tar.feed(data)
        elif self._start is None:
            self._body.write(data)
        else:
            self._start += data
            if len(self._start) >= LONGEST_HEAD:
                self._begin_unpacked(self._start)

    def _begin_unpacked(self, start: bytes) -> None:
        """The first bytes under the compression are known: they tell whether they are those of a tar archive."""
        self._start = None
        if is_tar(start):
            self._members = Members(self._pattern, self._body, self._max_bytes)
            self._tar = TarReader(self._members)
        self._unpacked(start)


def unpack(body: bytes, max_bytes: int, members: str = "") -> bytes:
    """A whole body, unpacked; the very same object where it is not compressed. Raises FetchError."""
    if kind_of(body) is None and not body.startswith(ZIP_MAGICS) and not is_tar(body) and len(body) <= max_bytes:
        return body
    unpacking = Unpacking(max_bytes, members=members)
    unpacking.feed(body)
    return unpacking.finish()


class _Layer:
    """One kind of compression, member after member, to the end."""

    def __init__(self, kind: Compression, max_bytes: int) -> None:
        self._kind = kind
        self._max_bytes = max_bytes
        self._codec = kind.codec()
        self._members = 1
        self._arrived = 0
        self._size = 0
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _SLICE):
            part = data[start : start + _SLICE]
            self._arrived += len(part)
            yield from self._slice(part)

    def finish(self) -> None:
        if not self._codec.eof:
            raise PassingError(f"the {self._kind.name} data is cut short", "the list is asked for again")
        self._refuse_junk()

    def _slice(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._codec.eof:
                data = self._next_member(data)
                if not data:
                    return
            try:
                for piece in self._codec.pieces(data):
                    self._size += len(piece)
                    if self._size > self._max_bytes:
                        raise too_large(self._max_bytes, " unpacked")
                    if self._size > max(_UNSUSPICIOUS, _BEST_RATIO * self._arrived):
                        raise FetchError(f"the {self._kind.name} data unpacks to over {_BEST_RATIO} times its size", _BOMB)
                    yield piece
            except BROKEN as exc:
                raise _unreadable(self._kind.name, exc) from exc
            data = self._codec.unused_data if self._codec.eof else b""

    def _next_member(self, data: bytes) -> bytes:
        """What comes after a member's end, once it is known to be another member; nothing while it is not known."""
        self._rest += data
        magic = self._kind.magic
        if magic and self._rest.startswith(magic):
            data, self._rest = self._rest, b""
            self._members += 1
            if self._members > _MAX_STREAM_MEMBERS:
                raise FetchError(f"the {self._kind.name} data has more than {_MAX_STREAM_MEMBERS} members")
            self._codec = self._kind.codec()
            return data
        if len(self._rest) >= len(magic):
            self._refuse_junk()
            self._rest = b"\0" * len(magic)  # padding has begun: only padding may follow
        return b""

    def _refuse_junk(self) -> None:
        if self._rest.strip(b"\0"):
            raise FetchError(f"other data follows the end of the {self._kind.name} data")


def _unreadable(name: str, error: Exception) -> FetchError:
    # liblzma and libzstd tell a header that asks for gigabytes from damage by their text alone.
    if "memory" in str(error).lower():
        hint = "no list needs a dictionary or window of more than 128 MiB: its publisher must pack it with a smaller one"
        return FetchError(f"the {name} data asks for more memory than is allowed", hint)
    return FetchError(f"the {name} data is damaged", _BROKEN_FILE)
