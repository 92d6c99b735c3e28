"""The JSON schema of the configuration's files, for editors. It follows from the keys, and describes what is written."""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any

from banlistd.core.config.keys import ValueKind, keys_of
from banlistd.core.config.kinds import or_nothing, section_schema
from banlistd.core.config.model import Config, Source


def schema_text() -> str:
    """`config/banlistd.schema.json`, to the byte."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12, for banlistd.yaml and for the files of sources.d."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "banlistd",
        "description": "banlistd.yaml, or a file of sources.d: one source, or a list of them",
        "anyOf": [section_schema(Config), {"$ref": "#/$defs/source"}, {"$ref": "#/$defs/sources"}],
        "$defs": {
            **{kind.name: kind.schema for kind in _named(key.kind for key in keys_of(Config).values())},
            "source": _source(),
            "sources": or_nothing({"type": "array", "items": {"$ref": "#/$defs/source"}}),
        },
    }


def _named(kinds: Iterable[ValueKind]) -> Iterator[ValueKind]:
    for kind in kinds:
        if kind.name:
            yield kind
        yield from _named(kind.parts)


def _source() -> Mapping[str, Any]:
    shape = section_schema(Source)
    places = ("url", "path", "block", "only", "merge", "intersect", "names", "hub", "reports")
    given = [{"required": [*keys]} for keys in (*(("id", place) for place in places), ("use",))]
    both = [{"required": [*keys]} for keys in combinations(places, 2)]
    return {**shape, "anyOf": given, "not": {"anyOf": both}}
