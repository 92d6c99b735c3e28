"""The bytes of JSON -> values: one document or several, and one record a line."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from banlistd.core.feeds.parsers.text import decoded, is_silent
from banlistd.errors import ParseError

LONGEST_RECORD = 1 << 20
"""Bytes of a line of JSON; a longer one is rejected."""

_MAX_DOCUMENTS = 2_000_000

_BETWEEN = re.compile(r"[\s,\x1e]*+")
"""Blanks, a comma, or the record separator of RFC 7464."""

_BLANKS = b" \t\n\r\x0b\x0c\x1e"
_SILENT = re.compile(r"(?:#|;|//)[^\n]*+")
_SHAPED = re.compile(rb"\{|\[\s*+(?:[\[\]{\"]|-?\d++(?:\.\d++)?+(?:[eE][+-]?+\d++)?+\s*+[,\]]|[nft]|\Z)")


def documents_of(body: bytes) -> list[Any]:
    """Every JSON document of a body, with lines of comments before and between them. Raises ParseError for what is not JSON."""
    text = body.decode("utf-8", "replace")
    decoder, found = json.JSONDecoder(), []
    at = _next(text, 0)
    try:
        while at < len(text):
            document, end = decoder.raw_decode(text, at)
            found.append(document)
            if len(found) > _MAX_DOCUMENTS:
                raise ParseError(f"more than {_MAX_DOCUMENTS:,} JSON documents", "no blocklist has as many")
            at = _next(text, end)
    except RecursionError as exc:
        raise ParseError("not readable as JSON: nested too deeply") from exc
    except ValueError as exc:
        raise ParseError(f"not JSON: {exc}", "name the right `type`, or leave it `auto`") from exc
    return found


def _next(text: str, at: int) -> int:
    """Where the next document begins."""
    while True:
        between = _BETWEEN.match(text, at)
        at = between.end() if between else at
        silent = _SILENT.match(text, at)
        if silent is None:
            return at
        at = silent.end()


RecordLine = tuple[int, bytes, dict[str, Any] | None]
"""Number and text of a line, and the JSON object that it is, if it is one."""


def record_lines(body: bytes) -> Iterator[RecordLine]:
    """Each line that says something."""
    at, number = 0, 0
    while at < len(body):
        number += 1
        end = body.find(b"\n", at)
        end = len(body) if end < 0 else end
        if end > at:
            line = body[at : min(end, at + LONGEST_RECORD + 1)].strip(_BLANKS)
            if line.startswith(b"{") or not is_silent(decoded(line[:2])):
                yield number, line, json_object_of(line)
        at = end + 1


_FEW_LINES, _FEW_OCTETS = 512, 1 << 16


def some_lines(lines: Iterable[RecordLine]) -> Iterator[list[RecordLine]]:
    """The lines, some at a time: as records they take some twelve times their octets."""
    some: list[RecordLine] = []
    octets = 0
    for line in lines:
        some.append(line)
        octets += len(line[1])
        if len(some) >= _FEW_LINES or octets >= _FEW_OCTETS:
            yield some
            some, octets = [], 0
    if some:
        yield some


def json_object_of(line: bytes) -> dict[str, Any] | None:
    """The JSON object that a line is, if it is one."""
    if len(line) > LONGEST_RECORD or not line.startswith(b"{"):
        return None
    text = line.rstrip(b",").decode("utf-8", "replace")
    try:
        record, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    is_whole = end == len(text) or not text[end:].strip(_JSON_BLANKS)
    return record if is_whole and isinstance(record, dict) else None


_DECODER = json.JSONDecoder()
_JSON_BLANKS = " \t\n\r"


def looks_like_json(body: bytes) -> bool:
    """Whether a body begins as JSON and as nothing else: `[2001:db8::1]:443` and `[section]` begin lists of other formats."""
    text = body[:_LOOK].lstrip()
    while text.startswith((b"#", b";", b"//")):
        text = text.partition(b"\n")[2].lstrip()
    return _SHAPED.match(text) is not None


_LOOK = 65_536
