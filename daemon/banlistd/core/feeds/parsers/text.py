"""Bytes as they come -> lines that end in a line feed. All code for encodings and line ends is here.

Lines are read as Latin-1: an address is ASCII in every encoding that we know, and Latin-1 cannot fail.
"""

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

SHORTEST_LINE = len(b"1.1.1.1\n")
"""Bytes; no line that is read in arrays is shorter."""

LONGEST_LINE = 10_000
"""Bytes; a longer line is rejected. The longest real line that holds an address has some 1,000."""

MAX_LINES = 50_000_000
BLOCK = 256 * 1024
"""Bytes that are worked on at a time: what stays in the second-level cache with its temporaries (measured, 32 K to 1 M)."""

_FIRST_LINES = 8 * 1024
"""Bytes that are split first: who looks at the first 200 lines asks for no more."""

COMMENTS = ("#", ";", "//")
_LINE_FEED, _RETURN = ord("\n"), ord("\r")
_HTML_BEGINNINGS = (b"<!doctype html", b"<html")
_HTML_TAGS = (b"<!doctype html", b"<html", b"<head", b"<body")
_HTML_LOOK = 1024


def normalised(body: bytes) -> bytes:
    """Without byte order mark, UTF-16 decoded, every line ended by a line feed, NUL bytes made blanks."""
    encoding = _wide_encoding_of(body)
    if encoding:
        body = body.decode(encoding, "replace").encode("utf-8", "replace")
    body = body.removeprefix(codecs.BOM_UTF8)
    if _holds_returns_or_nuls(body):
        body = _without_returns(body).replace(b"\0", b" ")
    return body if not body or body.endswith(b"\n") else body + b"\n"


# Each codec is a module: they are loaded now, because a process that has begun to read opens no file.
for _encoding in ("utf-32", "utf-16", "utf-16-le", "utf-16-be"):
    codecs.lookup(_encoding)

_WIDE_LOOK = 256
_LEAST_WIDE = 8
_FEWEST_ZEROS = 0.9


def _wide_encoding_of(body: bytes) -> str:
    """UTF-16 or UTF-32 by its mark, UTF-16 without one where nearly every second byte is NUL and no other; else empty."""
    if body.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    look = body[:_WIDE_LOOK]
    if len(look) < _LEAST_WIDE:
        return ""
    even, odd = look[::2].count(0), look[1::2].count(0)
    if not even and odd >= _FEWEST_ZEROS * len(look[1::2]):
        return "utf-16-le"
    return "utf-16-be" if not odd and even >= _FEWEST_ZEROS * len(look[::2]) else ""


def _without_returns(body: bytes) -> bytes:
    """To delete all returns takes a third of the time of replacing each with its line feed."""
    octets = np.frombuffer(body, dtype=np.uint8)
    parts = (octets[at : at + BLOCK + 1] for at in range(0, len(octets), BLOCK))
    alone = any(bool(((part[:-1] == _RETURN) & (part[1:] != _LINE_FEED)).any()) for part in parts)
    if not alone and not body.endswith(b"\r"):
        return body.translate(None, b"\r")
    return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _holds_returns_or_nuls(body: bytes) -> bool:
    """Block by block, so that what is looked at twice comes from memory once."""
    starts = range(0, len(body), BLOCK)
    return any(body.find(byte, at, at + BLOCK) >= 0 for at in starts for byte in (b"\r", b"\0"))


def looks_like(body: bytes) -> str:
    """`html` for a web page, which a server sends with status 200 when it is out of order; else empty."""
    beginning = body[:_HTML_LOOK].lstrip().lower()
    page = beginning.startswith(_HTML_BEGINNINGS) or (
        beginning.startswith(b"<") and any(tag in beginning for tag in _HTML_TAGS)
    )
    return "html" if page else ""


def blocks(body: bytes, first: int = BLOCK) -> Iterator[bytes]:
    """Whole lines, about `BLOCK` bytes of them (of the first ones `first`); one line alone if it is longer."""
    at, most = 0, first
    while at < len(body):
        end = body.rfind(b"\n", at, at + most) + 1 or body.index(b"\n", at) + 1
        yield body[at:end]
        at, most = end, BLOCK


def count_lines(text: bytes) -> int:
    """Line feeds. `bytes.count` goes from one to the next: with a million of them in 14 MB 6 ms, so 1 (measured)."""
    look = np.frombuffer(text, dtype=np.uint8)
    return sum(int(np.count_nonzero(look[at : at + BLOCK] == _LINE_FEED)) for at in range(0, len(look), BLOCK))


def lines_of(body: bytes) -> Iterator[tuple[int, str]]:
    """Number and text, without its line feed, of each line; what is cut from a line too long is not given."""
    number = 1
    for block in blocks(body, _FIRST_LINES):
        lines = [decoded(block[: LONGEST_LINE + 1])] if len(block) > BLOCK else decoded(block[:-1]).split("\n")
        if not block.isascii():
            lines = [line if len(line) > LONGEST_LINE else visible(line) for line in lines]
        yield from enumerate(lines, number)
        number += len(lines)


def decoded(line: bytes) -> str:
    return line.decode("latin-1")


# As UTF-8 is when it is read as Latin-1. A lone A0 is the blank of Latin-1 itself.
_BLANKS = ("\u00a0", "\u2002", "\u2003", "\u2007", "\u2009", "\u202f", "\u3000", "\u0085", "\u2028", "\u2029")
_UNSEEN = ("\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2060", "\ufeff", "\u00ad", "\u202a", "\u202c")
_DASHES = ("\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2212")
_SEEN_AS = {
    **dict.fromkeys((decoded(sign.encode()) for sign in _BLANKS), " "),
    **dict.fromkeys((decoded(sign.encode()) for sign in _UNSEEN), ""),
    **dict.fromkeys((decoded(sign.encode()) for sign in _DASHES), "-"),
    "\xa0": " ",
}
_DASHES_OF_WINDOWS = re.compile(r"(?<=[\s0-9A-Fa-f])[\x96\x97](?=[\s0-9A-Fa-f])")
"""In code page 1252; elsewhere these are parts of letters."""

_ODD_SIGNS = re.compile("|".join(map(re.escape, sorted(_SEEN_AS, key=len, reverse=True))))


def visible(text: str) -> str:
    """As a person sees it: special blanks made blanks, long dashes made dashes, without signs that take no room."""
    return text if text.isascii() else _DASHES_OF_WINDOWS.sub("-", _ODD_SIGNS.sub(lambda sign: _SEEN_AS[sign[0]], text))


def is_most(look: Sequence[str], test: Callable[[str], bool]) -> bool:
    """Whether more than half of the lines pass a test."""
    return 2 * sum(map(test, look)) > len(look)


def is_silent(text: str) -> bool:
    """Whether a stripped line says nothing: blank or a comment."""
    return not text or text.startswith(COMMENTS)


_ENTRY_ALONE = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:/[0-9]{1,2})?+|[0-9A-Fa-f]{1,4}+:[0-9A-Fa-f:]{1,38}+(?:/[0-9]{1,3})?+"
_ENTRIES_ALONE = re.compile(rf"(?:(?:{_ENTRY_ALONE})\n)++", re.ASCII)


def are_entries_alone(look: Sequence[str]) -> bool:
    """Whether each of some lines looks like one address or network and has nothing else: what most lists are.

    No format but a plain list has such lines, and no sentence does, so that nothing more has to be asked of them.
    """
    return _ENTRIES_ALONE.fullmatch("\n".join([*look, ""])) is not None


class LatePattern:
    """A regular expression that is compiled when it is first asked: all of them take as long as a tenth of the imports."""

    match: Callable[[str], re.Match[str] | None]
    search: Callable[[str], re.Match[str] | None]
    fullmatch: Callable[[str], re.Match[str] | None]

    def __init__(self, pattern: str, flags: re.RegexFlag = re.NOFLAG) -> None:
        self._pattern = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        """Called once, while the instance has none of the three."""
        if name not in _METHODS:
            raise AttributeError(name)
        compiled = re.compile(self._pattern, self._flags)
        self.match, self.search, self.fullmatch = compiled.match, compiled.search, compiled.fullmatch
        return getattr(self, name)


_METHODS = ("match", "search", "fullmatch")
