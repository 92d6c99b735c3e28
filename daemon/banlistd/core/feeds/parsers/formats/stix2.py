"""STIX 2: the addresses in the patterns of indicators (OASIS STIX 2.1, sections 4.7 and 9).

Bundles, the envelopes of TAXII 2.1, or objects one behind the other, in arrays or not. An address counts where the pattern is
met by it alone: compared with `=`, `IN` or `ISSUBSET`, joined to others by OR. A pattern that has an address and asks for more,
by AND, NOT, FOLLOWEDBY or a qualifier, is rejected.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from banlistd.core.addresses.timed import NEVER
from banlistd.core.feeds.parsers.conditions import end_of, instant_of
from banlistd.core.feeds.parsers.json.texts import documents_of
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.spans import network_of, span_of
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Span

_LONGEST_PATTERN = 1 << 20
_TOKEN = re.compile(
    r"\s*+(?:(?P<text>(?:[tbh])?'(?:[^'\\]|\\.)*+')|(?P<compare>!=|<=|>=|=|<|>)|(?P<mark>[\[\](),])"
    r"|(?P<path>[A-Za-z0-9_-]++:[A-Za-z0-9_.\-*\[\]']++)|(?P<word>[A-Za-z0-9_.+-]++))",
    re.DOTALL,
)
_ADDRESSES = frozenset({"ipv4-addr:value", "ipv6-addr:value", "network-traffic:src_ref.value", "network-traffic:dst_ref.value"})
_TYPES = frozenset({"network-traffic:src_ref.type", "network-traffic:dst_ref.type"})
_MORE = frozenset({"NOT", "FOLLOWEDBY", "REPEATS", "WITHIN", "START", "STOP", "EXISTS"})
_COMPARISONS = frozenset({"=", "IN", "ISSUBSET"})
_ABOUT_ADDRESS = re.compile(r"ipv[46]-addr\s*:|_ref\s*\.\s*value")


def parse_stix2(body: bytes, form: Format, harvest: Harvest) -> Format:
    """`Rejected.line` counts indicators. Raises ParseError for what is not JSON, or has no object of STIX."""
    if not body.strip():
        return form
    return read_objects(documents_of(body), form, harvest)


def parse_taxii(body: bytes, form: Format, harvest: Harvest) -> Format:
    """An envelope of TAXII 2.1. Raises ParseError as `parse_stix2`, for other documents, and for one that is not the last and
    does not say what is next. With `form.changes`: for one with an object, since what it changes only all objects show.
    """
    if not body.strip():
        return form
    documents = documents_of(body)
    envelope = documents[0] if len(documents) == 1 else None
    if (
        not isinstance(envelope, dict)
        or not _ENVELOPE.issuperset(envelope)
        or not isinstance(envelope.get("objects", []), list)
    ):
        hint = "url: https://SERVER/API-ROOT/collections/ID/objects/"
        raise ParseError("the JSON document is no envelope of TAXII 2.1 with objects", hint)
    if form.changes and envelope.get("objects"):
        raise ParseError("objects were added to the collection", "all of its objects are asked for")
    if envelope.get("more") is True and not form.changes and not envelope.get("next"):
        raise ParseError("the collection has more objects, and its server does not say how to ask for them")
    read_objects(documents, form, harvest)
    return form


_ENVELOPE = frozenset({"more", "next", "objects"})


def has_indicators(documents: Iterable[Any]) -> bool:
    """Whether JSON is STIX that has something to ban."""
    return any(is_indicator(one) for one in _objects(documents))


def read_objects(documents: Sequence[Any], form: Format, harvest: Harvest) -> Format:
    """Every indicator in force, in its latest version. Raises ParseError where there is no object of STIX."""
    latest: dict[str, tuple[float, int]] = {}
    any_object = False
    for number, one in enumerate(_objects(documents)):
        any_object = any_object or isinstance(one.get("type"), str)
        key = one.get("id")
        if isinstance(key, str) and is_indicator(one):
            modified = _time(one, "modified") or 0.0
            if key not in latest or latest[key][0] <= modified:
                latest[key] = modified, number
    if not any_object and not all(isinstance(one, dict) and (not one or "objects" in one) for one in documents):
        raise ParseError("no object of STIX in the JSON document", "a bundle, an envelope of TAXII 2.1, or objects are read")
    count = 0
    for number, one in enumerate(_objects(documents)):
        key = one.get("id")
        if is_indicator(one) and (not isinstance(key, str) or latest[key][1] == number):
            count += 1
            if _is_in_force(one, form.now):
                harvest.end_at(end_of(_time(one, "valid_until")) if form.now else NEVER)
                _read_indicator(count, one, harvest)
    return Format(FormatType.STIX2)


def _objects(documents: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        for one in document if isinstance(document, list) else [document]:
            if isinstance(one, dict):
                inner = one.get("objects")
                yield from (each for each in inner if isinstance(each, dict)) if isinstance(inner, list) else (one,)


def is_indicator(one: dict[str, Any]) -> bool:
    """Whether an object has a pattern to ban by."""
    return one.get("type") == "indicator" and isinstance(one.get("pattern"), str)


def _is_in_force(one: dict[str, Any], now: int) -> bool:
    if one.get("revoked") is True or one.get("indicator_types") == ["benign"]:
        return False
    until, since = _time(one, "valid_until"), _time(one, "valid_from")
    return not now or ((until is None or until > now) and (since is None or since <= now))


def _time(one: dict[str, Any], key: str) -> float | None:
    written = one.get(key)
    return instant_of(written) if isinstance(written, str) else None


def _read_indicator(number: int, one: dict[str, Any], harvest: Harvest) -> None:
    pattern: str = one["pattern"]
    if one.get("pattern_type", "stix") != "stix":
        harvest.reject(number, pattern, "not a pattern of STIX")
    elif len(pattern) > _LONGEST_PATTERN:
        harvest.reject(number, pattern, "a pattern of more than 1 MiB")
    else:
        spans = spans_of_pattern(pattern)
        for span in spans or ():
            harvest.add(span)
        if not spans and _ABOUT_ADDRESS.search(pattern):
            harvest.reject(number, pattern, "a pattern that asks for more than an address")


def spans_of_pattern(pattern: str) -> list[Span] | None:
    """The addresses each of which meets a pattern; none where it is about other things, None where it cannot be said."""
    tokens = _tokens(pattern)
    if tokens is None:
        return None
    spans: list[Span] = []
    about, ands, types = False, 0, 0
    at = 0
    while at < len(tokens):
        kind, text = tokens[at]
        if kind == "word":
            if text in _MORE:
                return None
            ands += text == "AND"
        elif kind == "path":
            values, at = _values(tokens, at + 1)
            if text in _TYPES and values is not None:
                types += 1
            elif text in _ADDRESSES:
                about = True
                found = [_span(value) for value in values or ("",)]
                if any(span is None for span in found):
                    return None
                spans += [span for span in found if span is not None]
            continue
        at += 1
    # A type beside its address asks for nothing more: `[x.type = 'ipv4-addr' AND x.value = '...']`.
    return None if about and ands != types else spans


def _values(tokens: Sequence[tuple[str, str]], at: int) -> tuple[list[str] | None, int]:
    """What a path is compared with, if it may be one of these, and where the comparison ends."""
    if at >= len(tokens) or tokens[at][1] not in _COMPARISONS:
        return None, at
    at += 1
    if at < len(tokens) and tokens[at] == ("mark", "("):
        values = []
        at += 1
        while at < len(tokens) and tokens[at] != ("mark", ")"):
            if tokens[at][0] == "text":
                values.append(tokens[at][1])
            at += 1
        return values or None, at + 1
    return ([tokens[at][1]], at + 1) if at < len(tokens) and tokens[at][0] == "text" else (None, at)


def _tokens(pattern: str) -> list[tuple[str, str]] | None:
    """Kind and text of each; None for what is no pattern."""
    tokens, at = [], 0
    pattern = pattern.rstrip()
    while at < len(pattern):
        found = _TOKEN.match(pattern, at)
        if found is None or found.lastgroup is None:
            return None
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


def _span(value: str) -> Span | None:
    text = re.sub(r"\\(.)", r"\1", value.strip("'")).strip()
    return network_of(text) if "/" in text else span_of(text)
