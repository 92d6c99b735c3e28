"""A request to the control socket, checked against the arguments of its command."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from banlistd.control.declaration import DEFAULT_ROWS, MAX_ROWS, Command
from banlistd.control.request import ControlRequest
from banlistd.errors import NoSuchSourceError, UsageError
from banlistd.model import SourceId

_SOURCE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def read_request(command: Command[Any, Any], query: Mapping[str, str], body: bytes, uid: int | None) -> ControlRequest:
    """Check what came against what the command takes. Raises UsageError or NoSuchSourceError."""
    document = _object(body) if command.method == "POST" else {}
    if command.method == "GET" and body:
        raise UsageError("a GET request takes no body")
    taken: Mapping[str, object] = query if command.method == "GET" else document
    known = {argument.key for argument in command.arguments}
    unknown = sorted({*query, *document} - (known & set(taken)))
    if unknown:
        raise UsageError(f"{command.path} takes no {unknown[0]!a}", f"it takes: {', '.join(sorted(known)) or 'nothing'}")
    if "source" in query:
        _refuse_impossible_ids([query["source"]])
    source_ids, limit = _source_ids(document.get("sources", [])), _limit(query.get("limit"))
    return ControlRequest(taken, query.get("source"), source_ids, limit, uid)


def _object(body: bytes) -> Mapping[str, object]:
    if not body.strip():
        return {}
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise UsageError("the body is not JSON", str(exc)) from exc
    if not isinstance(document, dict):
        raise UsageError("the body is not a JSON object", '{"sources": ["spamhaus-drop"]}')
    return document


def _source_ids(value: object) -> tuple[SourceId, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError("'sources' is not a list of names", '{"sources": ["spamhaus-drop"]}')
    _refuse_impossible_ids(value)
    return tuple(SourceId(name) for name in dict.fromkeys(value))


def _refuse_impossible_ids(names: Sequence[str]) -> None:
    """A name that no configuration can contain must not reach a log line."""
    for name in names:
        if not _SOURCE_ID.fullmatch(name):
            raise NoSuchSourceError(f"no source is called {name[:60]!a}", "banlistctl sources lists them")


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_ROWS
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_ROWS:
        raise UsageError(f"a limit of {text[:60]!a} is not possible", f"a number from 1 to {MAX_ROWS}")
    return int(text)
