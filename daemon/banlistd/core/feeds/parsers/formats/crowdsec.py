"""Decisions of CrowdSec, as its local API gives them to bouncers (`/v1/decisions/stream` and `/v1/decisions`, API version 1).

The stream is an object with `new` and `deleted`, each an array or null; the first answer of a stream has all decisions in force
as `new`. A decision counts that bans an address (`scope: Ip`) or a network (`scope: Range`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from banlistd.core.feeds.parsers.conditions import all_hold
from banlistd.core.feeds.parsers.json.texts import documents_of
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.spans import network_of, span_of
from banlistd.errors import ParseError
from banlistd.formats import Format

_ARRAYS = frozenset({"new", "deleted"})
_SCOPES = frozenset({"ip", "range"})
_FIELDS = frozenset({"scope", "type", "value"})


def parse_crowdsec(body: bytes, form: Format, harvest: Harvest) -> Format:
    """`Rejected.line` counts decisions. Raises ParseError for what is not JSON, or is no answer of the local API."""
    if not body.strip():
        return form
    read_decisions(documents_of(body), form, harvest)
    return form


def is_stream(documents: Sequence[Any]) -> bool:
    """Whether JSON is one answer of a stream: nothing but the two arrays, and decisions in them."""
    if len(documents) != 1 or not isinstance(documents[0], dict) or documents[0].keys() != _ARRAYS:
        return False
    arrays = [documents[0][name] for name in _ARRAYS]
    first = [array[0] for array in arrays if isinstance(array, list) and array]
    return all(array is None or isinstance(array, list) for array in arrays) and all(map(_is_decision, first))


def read_decisions(documents: Sequence[Any], form: Format, harvest: Harvest) -> None:
    """Every decision that bans. Raises ParseError where there is no array of decisions.

    With `form.changes` the body is what changed, and what is new counts. Then ParseError is raised where a decision has ended
    that counted: others may ban the same addresses, as parts of a network, which only an answer with all of them shows.
    """
    for number, one in enumerate(_decisions(documents, "new"), 1):
        if not _is_decision(one):
            harvest.reject(number, str(one), "not a decision")
        elif _counts(one, form):
            _read(number, one, harvest)
    if form.changes and any(not _is_decision(one) or _counts(one, form) for one in _decisions(documents, "deleted")):
        raise ParseError("decisions of CrowdSec have ended", "all that are in force are asked for")


def _decisions(documents: Sequence[Any], name: str) -> Sequence[Any]:
    document = documents[0] if len(documents) == 1 else None
    if isinstance(document, dict) and _ARRAYS & document.keys():
        document = document.get(name)
    if document is None and len(documents) == 1:
        return ()
    if not isinstance(document, list):
        raise ParseError("no decisions of CrowdSec in the JSON document", "url: http://127.0.0.1:8080/v1/decisions/stream")
    return document


def _counts(one: Mapping[str, Any], form: Format) -> bool:
    bans = str(one["type"]).lower() == "ban" and one.get("simulated") is not True
    return bans and all_hold(form.where, one.get, form.now)


def _is_decision(one: object) -> bool:
    return isinstance(one, dict) and one.keys() >= _FIELDS


def _read(number: int, one: Mapping[str, Any], harvest: Harvest) -> None:
    scope, value = str(one["scope"]), str(one["value"])
    span = None
    if scope.lower() in _SCOPES:
        span = network_of(value) if "/" in value else span_of(value)
    if span is not None:
        harvest.add(span)
    else:
        reason = "not an address" if scope.lower() in _SCOPES else "a decision about no address"
        harvest.reject(number, f"{scope} {value}", reason)
