"""Tar archives (POSIX pax and ustar, GNU, and the seventh edition's), read as they arrive."""

from banlistd.core.download.archives.members import Members, too_large
from banlistd.errors import FetchError, PassingError

LONGEST_HEAD = 512
"""Bytes of a header, and of what tells whether a body is an archive."""

_BLOCK = LONGEST_HEAD
_MAX_FILES = 10_000
_LONGEST_NOTE = 65_536
"""Bytes of a long name, or of the records of pax, that are kept."""

_MAGICS = (b"ustar\0", b"ustar ")
_FILES, _LINKS_AND_FOLDERS = b"0\0" + b"7", b"123456V"
_LONG_NAME, _LONG_LINK, _PAX, _PAX_FOR_ALL = b"L", b"K", b"xX", b"g"


def is_tar(head: bytes) -> bool:
    """Whether a body begins with the header of a file: the seventh edition's is known by its checksum alone."""
    block = head[:_BLOCK]
    return len(block) == _BLOCK and (block[257:263] in _MAGICS or (block[0] != 0 and _is_sound(block)))


class TarReader:
    """An archive, fed as it arrives, then finished; both raise FetchError."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._header = bytearray()
        self._left = self._padding = 0
        self._use = _SKIP
        self._note = bytearray()
        self._name = ""
        self._size: int | None = None
        self._files = 0
        self._ended = False

    def feed(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._left:
                view = view[self._content(view[: self._left]) :]
            elif self._padding:
                passed = min(self._padding, len(view))
                self._padding -= passed
                view = view[passed:]
            else:
                wanted = _BLOCK - len(self._header)
                self._header += view[:wanted]
                view = view[wanted:]
                if len(self._header) == _BLOCK:
                    header, self._header = bytes(self._header), bytearray()
                    self._open(header)

    def finish(self) -> None:
        if self._left or self._padding or not self._ended or any(self._header):
            raise PassingError("the tar archive is cut short", "the list is asked for again")
        self._members.finish()

    def _content(self, data: memoryview) -> int:
        self._left -= len(data)
        if self._use == _LIST:
            self._members.write(data)
        elif self._use != _SKIP:
            self._note += data
            if not self._left:
                self._take_note(bytes(self._note))
        return len(data)

    def _open(self, header: bytes) -> None:
        if not any(header):
            self._ended = True
            return
        if self._ended:
            raise FetchError("other data follows the end of the tar archive")
        if not _is_sound(header):
            raise FetchError("the tar archive is damaged", "the publisher's file may be broken")
        self._files += 1
        if self._files > _MAX_FILES:
            raise FetchError(f"the tar archive has more than {_MAX_FILES} members")
        size = _number(header[124:136])
        kind = header[156:157]
        if kind in (_LONG_NAME, _LONG_LINK, _PAX_FOR_ALL) or kind in _PAX:
            if size > _LONGEST_NOTE:
                raise FetchError("a header of the tar archive is too long")
            self._begin(_SKIP if kind in (_LONG_LINK, _PAX_FOR_ALL) else kind, size)
            return
        name, self._name = self._name or _name_in(header), ""
        size, self._size = size if self._size is None else self._size, None
        self._begin(self._use_of(kind, name), 0 if kind in _LINKS_AND_FOLDERS and kind != b"5" else size)

    def _use_of(self, kind: bytes, name: str) -> bytes:
        if kind in _LINKS_AND_FOLDERS or name.endswith("/") or not self._members.wants(name):
            return _SKIP
        if kind not in _FILES:
            raise FetchError("the tar archive has a sparse file or another that is not read", "pack it as plain files")
        self._members.begin(name)
        return _LIST

    def _begin(self, use: bytes, size: int) -> None:
        self._use, self._left, self._padding = use, size, -size % _BLOCK
        self._note = bytearray()

    def _take_note(self, note: bytes) -> None:
        if self._use == _LONG_NAME:
            self._name = note.rstrip(b"\0").decode("utf-8", "replace")
            return
        for key, value in _records(note):
            if key == b"path":
                self._name = value.decode("utf-8", "replace")
            elif key == b"size":
                self._size = _decimal(value)
            elif key.startswith(b"GNU.sparse"):
                raise FetchError("the tar archive has a sparse file", "pack it as plain files")


_SKIP, _LIST = b"", b"list"


def _records(note: bytes) -> list[tuple[bytes, bytes]]:
    """Of pax: `length key=value`, each with a line feed; the length counts all of it."""
    records, at = [], 0
    while at < len(note):
        length, blank, _ = note[at : at + 8].partition(b" ")
        size = _decimal(length) if blank else 0
        if size <= len(length) + 1 or at + size > len(note):
            raise FetchError("the tar archive is damaged", "the publisher's file may be broken")
        key, _, value = note[at + len(length) + 1 : at + size - 1].partition(b"=")
        records.append((key, value))
        at += size
    return records


def _decimal(digits: bytes) -> int:
    return int(digits) if digits.isdigit() and len(digits) < _DIGITS else 0


_DIGITS = 18


def _number(field: bytes) -> int:
    """Octal digits, or, by GNU's tar, a binary number for what is larger than any list."""
    if field[0] & 0x80:
        raise too_large(1 << 33, " unpacked")
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise FetchError("the tar archive is damaged", "the publisher's file may be broken")
    return int(digits or b"0", 8)


def _name_in(header: bytes) -> str:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == _MAGICS[0] else b""
    return (prefix + b"/" + name if prefix else name).decode("utf-8", "replace")


def _is_sound(header: bytes) -> bool:
    digits = header[148:156].strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        return False
    # The checksum counts itself as blanks; some have added up signed bytes.
    summed = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    high = sum(octet >= 0x80 for octet in header)  # noqa: PLR2004 - the sign of a byte
    return int(digits, 8) in (summed, summed - 256 * high)
