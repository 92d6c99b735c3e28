"""Which files of an archive are lists, and what they come to together. Names are only looked at, never used as paths.

All files that may be lists are read, one behind the other. Left out are directories, hidden files, what is prose or a signature
by its name, and, where others have an address, what has none.
"""

import codecs
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BytesIO

from banlistd.core.download.codecs import kind_of
from banlistd.errors import FetchError

ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
"""A first member, or none at all."""

MAX_MEMBERS = 1000
"""A hostile zip archive of 48 MiB has room for a million empty members, each of which costs memory."""

_PROSE = re.compile(
    r"(?:readme|licen[cs]e|copying|copyright|changelog|contributing|disclaimer|eula)(?:$|[^a-z0-9].*)|"
    r"(?:notice|changes|history|authors|contributors|install|terms|credits|todo|news|security|about|manifest|metadata|checksums?|"
    r"(?:md5|sha1|sha256|sha512)(?:sums?)?)(?:\.[a-z]{1,4})?",
    re.ASCII | re.DOTALL,
)
_NO_LIST = re.compile(
    r".*\.(?:md|markdown|rst|html?|css|js|pdf|docx?|odt|rtf|png|jpe?g|gif|svg|ico|py|sh|pl|ps1|bat|exe|"
    r"sig|asc|gpg|pem|crt|minisig|md5|sha1|sha256|sha512|torrent|ini|toml)",
    re.ASCII | re.DOTALL,
)
_ALLOWS = re.compile(
    r"(?:allow|white|safe|trust)(?:ed)?[-_ .]?(?:lists?|ips?|ranges?|nets?|$|\.)|"
    r"exclu|exempt|exception|unban|false[-_ ]?positiv|removed|delisted",
    re.ASCII,
)
"""In the name of a file beside which the others are lists of bans."""

_KINDS = {
    "csv": "csv", "tsv": "csv", "json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "xml": "xml", "dat": "dat", "p2p": "p2p",
    "yaml": "yaml", "yml": "yaml", "rsc": "rsc", "zone": "zone", "hosts": "hosts", "xls": "xls", "xlsx": "xls", "mmdb": "mmdb",
}  # fmt: skip
"""What is written alike, by the last part of a name; all else is lines of text."""

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ADDRESS = re.compile(rb"\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{0,30}:")
_SHOWN = 40
_NAMED, _LONGEST_NAME = 5, 200
_HEAD = 4096
_HINT = 'name the files to read: format: {type: auto, members: "*.txt"}'


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many files of an archive were not read, and the names of the first ones: foreign text."""

    count: int = 0
    names: tuple[str, ...] = ()

    def with_one(self, path: str) -> "LeftOut":
        return LeftOut(self.count + 1, self.names if len(self.names) >= _NAMED else (*self.names, path[:_LONGEST_NAME]))


class Members:
    """The files of one archive, put one behind the other into `body`, which holds nothing else. Its methods raise FetchError.

    `pattern`: which files are lists, as in a shell, compared with the name and with the whole path; empty: found by looking.
    """

    def __init__(self, pattern: str, body: BytesIO, max_bytes: int) -> None:
        self._pattern = pattern
        self._body = body
        self._max_bytes = max_bytes
        self._kinds: dict[str, str] = {}
        self._left_out = LeftOut()
        self._kept: list[str] = []
        self._open: str | None = None
        self._begins = 0
        self._has_address = False
        self._header: bytes | None = None

    @property
    def left_out(self) -> "LeftOut":
        """The files that were not read, unless a pattern says which ones are."""
        return LeftOut() if self._pattern else self._left_out

    def wants(self, path: str) -> bool:
        """Whether a file of this name may be a list."""
        wanted = self._may_be_list(path)
        if not wanted:
            self._left_out = self._left_out.with_one(path)
        return wanted

    def _may_be_list(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        if self._pattern:
            return fnmatchcase(name, self._pattern) or fnmatchcase(path.removeprefix("./"), self._pattern)
        hidden = any(part.startswith(".") and part not in (".", "..") for part in path.split("/")) or "__MACOSX/" in path
        lower = name.lower()
        return not hidden and not _PROSE.fullmatch(lower) and not _NO_LIST.fullmatch(lower)

    def begin(self, path: str) -> None:
        """A file that is wanted begins, in a line of its own."""
        self._end()
        end = self._body.tell()
        with self._body.getbuffer() as view:
            unfinished = end > 0 and view[end - 1] != _LINE_FEED
        if unfinished:
            self.write(b"\n")
        self._open, self._begins = path, self._body.tell()

    def write(self, data: bytes | memoryview) -> None:
        if self._body.tell() + len(data) > self._max_bytes:
            raise too_large(self._max_bytes, " unpacked")
        self._body.write(data)

    def joined(self) -> bytes:
        """All of it, once the archive is read to its end."""
        self.finish()
        return self._body.getvalue()

    def finish(self) -> None:
        """The archive is read to its end."""
        self._end()
        if not self._kinds:
            raise FetchError("the archive has no list in it", _HINT)
        if len(self._kinds) > 1 and not self._pattern:
            names = ", ".join(path.rpartition("/")[2][:_SHOWN] for path in list(self._kinds.values())[:3])
            raise FetchError(f"the archive has files of several kinds: {names}", _HINT)
        allowing = [path for path in self._kept if _ALLOWS.search(path.rpartition("/")[2].lower())]
        if allowing and len(allowing) < len(self._kept) and not self._pattern:
            name = allowing[0].rpartition("/")[2][:_SHOWN]
            raise FetchError(f"one file of the archive may be a list of what is not banned: {name}", _HINT)

    def _end(self) -> None:
        """A file is over: it is no archive itself, and it is kept unless it is prose."""
        if self._open is None:
            return
        path, begins, ends = self._open, self._begins, self._body.tell()
        self._open = None
        ends = self._decode(begins, ends)
        with self._body.getbuffer() as view:
            head = bytes(view[begins : begins + _HEAD])
            has_address = _ADDRESS.search(view[begins:ends]) is not None
            # In place: a copy might be as large as a list may be.
            moved = has_address and not self._has_address and not self._pattern and begins > 0
            if moved:
                view[: ends - begins] = view[begins:ends]
        if kind_of(head) is not None or head.startswith(ZIP_MAGICS):
            raise FetchError("there is an archive in the archive", _HINT)
        if moved:
            self._kinds, self._header = {}, None
            self._cut(ends - begins)
            for earlier in self._kept:
                self._left_out = self._left_out.with_one(earlier)
            self._kept = []
        elif self._has_address and not has_address and not self._pattern:
            self._cut(begins)
            self._left_out = self._left_out.with_one(path)
            return
        self._kept.append(path)
        self._has_address = self._has_address or has_address
        kind = _kind_of_name(path)
        self._kinds.setdefault(kind, path)
        if kind == "csv":
            self._compare_header(head)

    def _decode(self, begins: int, ends: int) -> int:
        """What is written in UTF-16 is made UTF-8, as others may be behind it; returns the new end."""
        with self._body.getbuffer() as view:
            if bytes(view[begins : begins + 2]) not in _WIDE_MARKS:
                return ends
            text = bytes(view[begins:ends]).decode("utf-16", "replace").encode("utf-8", "replace")
        self._cut(begins)
        self.write(text)
        return self._body.tell()

    def _cut(self, size: int) -> None:
        self._body.seek(size)
        self._body.truncate()

    def _compare_header(self, head: bytes) -> None:
        """Columns mean the same in all files of a table."""
        header = head.partition(b"\n")[0].strip()
        if _ADDRESS.search(header):
            return
        if self._header is not None and header != self._header:
            raise FetchError("the tables in the archive have different columns", _HINT)
        self._header = header


def _kind_of_name(path: str) -> str:
    name = path.rpartition("/")[2].lower()
    return _KINDS.get(name.rpartition(".")[2], "text") if "." in name else "text"


_LINE_FEED = ord("\n")


def too_large(max_bytes: int, how: str = "") -> FetchError:
    """The error for a body above its cap."""
    hint = "raise max_bytes of the source, if that is right"
    return FetchError(f"the list is larger than {max_bytes} bytes{how}", hint)
