"""JSON: whole documents by path, and one record a line by field.

Where no path or field is named, the whole strings that are addresses are found, and the result names their place. In a document
they count beneath an array alone: an error body says `{"ip": "your address"}` without one.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from banlistd.core.feeds.parsers.formats.plain import TOO_LONG
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.spans import span_of
from banlistd.core.feeds.parsers.text import LONGEST_LINE, decoded, is_silent, lines_of
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Span

_MAX_PATHS = 8
"""If there are more paths than these, none is named: then keys are data, not names."""

_LONGEST_PATH = 200
"""Characters; a deeper path is cut, or a hostile document could make us hold its depth times its width."""

_LOOK = 200
"""Records to look at for the field that holds addresses."""


def parse_json(body: bytes, form: Format, harvest: Harvest) -> Format:
    """Every value at `paths`, or every address beneath an array. `Rejected.line` counts values, not lines.

    Raises ParseError for what is not JSON, and where none of the named paths exists.
    """
    if not body.strip():
        return form
    document = loaded(body.decode("utf-8", "replace"))
    if not form.paths:
        paths = _take_addresses(document, harvest)
        if not paths:
            harvest.reject(1, decoded(body[:LONGEST_LINE]).strip(), "no array in the document holds an address")
        return Format(FormatType.JSON, paths=paths if len(paths) <= _MAX_PATHS else ())
    found = [(path, _at_path(document, path)) for path in form.paths]
    if all(values is None for _, values in found):
        raise ParseError(f"nothing at {', '.join(form.paths)} in the JSON document", "look at the keys of the document")
    number = 0
    for path, values in found:
        for value in values or ():
            number += 1
            _take(number, value, path, harvest)
    return form


def loaded(text: str) -> Any:
    """Raises ParseError for what is not JSON."""
    try:
        return json.loads(text)
    except RecursionError as exc:
        raise ParseError("not readable as JSON: nested too deeply") from exc
    except ValueError as exc:
        raise ParseError(f"not JSON: {exc}", "name the right `type`, or leave it `auto`") from exc


def _take(number: int, value: Any, path: str, harvest: Harvest) -> None:
    span = span_of(value.strip()) if isinstance(value, str) and len(value) <= LONGEST_LINE else None
    if span is None:
        harvest.reject(number, value if isinstance(value, str) else type(value).__name__, f"no address at {path}")
    else:
        harvest.add(span)


def _at_path(document: Any, path: str) -> list[Any] | None:
    """The values at a path; arrays at its end are taken apart. None if a key of it exists nowhere."""
    nodes = [document]
    for step in path.split("."):
        key = step.rstrip("[]")
        if key:
            inside = [node[key] for node in nodes if isinstance(node, dict) and key in node]
            if nodes and not inside:
                return None
            nodes = inside
        for _ in range(step.count("[]")):
            nodes = [item for node in nodes if isinstance(node, list) for item in node]
    return [item for node in nodes for item in (node if isinstance(node, list) else [node])]


def _take_addresses(document: Any, harvest: Harvest) -> tuple[str, ...]:
    paths: dict[str, None] = {}
    for path, value in _strings(document):
        span = span_of(value.strip()) if "[]" in path and len(value) <= LONGEST_LINE else None
        if span is not None:
            paths[path] = None
            harvest.add(span)
    return tuple(paths)


def _strings(document: Any) -> Iterator[tuple[str, str]]:
    """Every string with its path, in the order of the document; without recursion, since depth is the sender's choice."""
    pending: list[tuple[str, Any]] = [("", document)]
    while pending:
        path, node = pending.pop()
        if isinstance(node, str):
            yield path, node
        elif isinstance(node, list):
            inside = path + "[]" if len(path) < _LONGEST_PATH else path
            pending += [(inside, item) for item in reversed(node)]
        elif isinstance(node, dict):
            dot = path + "." if path else ""
            pending += [(dot + key if len(path) < _LONGEST_PATH else path, item) for key, item in reversed(node.items())]


def parse_jsonl(body: bytes, form: Format, harvest: Harvest) -> Format:
    """The value of `field` in each record, or of the field that has an address in most of the first records.

    A record whose `type` is `metadata` has none by design. Raises ParseError where no line is a JSON object.
    """
    field = form.field or field_of(record for _, _, record in islice(_records(body), _LOOK))
    lines = readable = 0
    for number, line, record in _records(body):
        lines += 1
        readable += record is not None
        if record is None:
            harvest.reject(number, line.strip(), TOO_LONG if len(line) > LONGEST_LINE else "not a JSON object")
            continue
        if record.get("type") == "metadata":
            continue
        spans = _spans_at(record, field) if field else []
        for span in spans:
            harvest.add(span)
        if not spans:
            harvest.reject(number, line.strip(), f"no address at {field}" if field else "no address in the record")
    if lines and not readable:
        raise ParseError("no line is a JSON object", "name the right `type`, or leave it `auto`")
    return Format(FormatType.JSONL, field=field)


def _records(body: bytes) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    for number, line in lines_of(body):
        text = line.strip()
        if not is_silent(text):
            yield number, line, json_object_of(text)


def recognise_jsonl(look: Sequence[str]) -> Format | None:
    if len(look) == 1 or look[0][0] not in "{[" or any(json_object_of(text) is None for text in look[:2]):
        return None
    return Format(FormatType.JSONL)


def recognise_json(look: Sequence[str]) -> Format | None:
    return Format(FormatType.JSON) if look[0][0] in "{[" else None


def json_object_of(text: str) -> dict[str, Any] | None:
    """The JSON object that a line is, if it is one."""
    if len(text) > LONGEST_LINE:
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _spans_at(record: dict[str, Any], field: str) -> list[Span]:
    values = _at_path(record, field) or ()
    spans = (span_of(value.strip()) for value in values if isinstance(value, str))
    return [span for span in spans if span is not None]


def field_of(records: Iterator[dict[str, Any] | None]) -> str:
    """The field that holds an address in most of the records, the first of them in the record if there are several."""
    seen: Counter[str] = Counter()
    for record in records:
        if record is not None:
            seen.update({path: 1 for path, value in _strings(record) if span_of(value.strip()) is not None})
    return seen.most_common(1)[0][0] if seen else ""
