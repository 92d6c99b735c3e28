"""The JSON schema of the configuration's files, for editors. It follows what is written, not what it becomes.

Keys and descriptions come from the models; how a value is written stands in the tables below.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from banlistd.backends import BackendName
from banlistd.core.config.format import KEYS
from banlistd.core.config.model import Block, Config, Defaults, Fail2ban, Geo, Guards, Log, LogFormat, Online, Source
from banlistd.formats import FormatType
from banlistd.model import MANUAL, Action, Direction, Ownership

Schema = dict[str, Any]


def schema_text() -> str:
    """`config/banlistd.schema.json`, to the byte."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> Schema:
    """JSON Schema 2020-12, for banlistd.yaml and for the files of sources.d."""
    sources: Schema = {"$ref": "#/$defs/sources"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "banlistd",
        "description": "banlistd.yaml, or a file of sources.d: one source, or a list of them",
        "anyOf": [_mapping(Config, _CONFIG), {"$ref": "#/$defs/source"}, sources],
        "$defs": {
            "duration": {"type": "string", "pattern": "^[0-9]{1,9}[smhd]$", "examples": ["90s", "15m", "1h", "1d"]},
            "size": {
                "anyOf": [
                    {"type": "integer", "minimum": 1},
                    {"type": "string", "pattern": "^[0-9]{1,12} ?([kMG]B|[KMG]iB)?$", "examples": ["64MiB", "10MB"]},
                ]
            },
            # Editors read `yes` as text or as a truth, each after its version of YAML.
            "switch": {"enum": [True, False, "true", "false", "yes", "no", "on", "off"]},
            "percentage": {"anyOf": [{"type": "string", "pattern": "^[0-9]{1,6}([.][0-9]{1,3})? ?%$"}, _OFF]},
            "span": {"anyOf": [_reference("duration"), _OFF]},
            "guards": _optional(_mapping(Guards, _GUARDS)),
            "defaults": _optional(_mapping(Defaults, _DEFAULTS)),
            "allow": _optional({"type": "array", "items": _ALLOW}),
            "source": _source(),
            "sources": _optional({"type": "array", "items": {"$ref": "#/$defs/source"}}),
            "format": {"anyOf": [_words(FormatType), *_formats()]},
            "fail2ban": _optional(_mapping(Fail2ban, {"jail": _TEXT, "socket": _TEXT})),
            "log": _optional(_mapping(Log, {"format": _words(LogFormat)})),
            "geo": _optional(_mapping(Geo, _GEO)),
            "block": _mapping(Block, _BLOCK),
        },
    }


def _mapping(model: type[BaseModel], shapes: Mapping[str, Schema]) -> Schema:
    """A mapping with the keys of a model. A key that has no shape fails here, and with it the test."""
    properties = {}
    for key, known in model.model_fields.items():
        properties[key] = shapes[key] | ({"description": known.description} if known.description else {})
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _optional(shape: Schema) -> Schema:
    """Or nothing: all its lines are commented out."""
    return {"anyOf": [shape, {"type": "null"}]}


def _words(words: type[StrEnum]) -> Schema:
    return {"enum": [str(word) for word in words]}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _source() -> Schema:
    shape = _mapping(Source, _SOURCE)
    shape["properties"]["use"] = {"type": "string", "description": "a list of the catalogue, by its name"}
    given: Sequence[Schema] = [{"required": [*keys]} for keys in (("id", "url"), ("id", "path"), ("id", "block"), ("use",))]
    both: Sequence[Schema] = [{"required": [*keys]} for keys in (("url", "path"), ("url", "block"), ("path", "block"))]
    return shape | {"anyOf": given, "not": {"anyOf": both}}


def _formats() -> list[Schema]:
    """The long form, once for each set of keys."""
    bare = [str(kind) for kind in FormatType if kind not in KEYS]
    shapes = [([str(kind)], {key: _FORMAT[key] for key in keys}) for kind, keys in KEYS.items()]
    return [
        {
            "type": "object",
            "properties": {"type": {"enum": kinds}, **properties},
            "required": ["type"],
            "additionalProperties": False,
        }
        for kinds, properties in [*shapes, (bare, {})]
    ]


def _one_or_more(shape: Schema, most: int | None = None) -> Schema:
    bound = {} if most is None else {"maxItems": most}
    return {"anyOf": [shape, {"type": "array", "items": shape, "minItems": 1, **bound}]}


_OFF: Schema = {"enum": ["off", False]}  # editors read `off` as text or as a truth
_TEXT: Schema = {"type": "string"}
_NOTE: Schema = {"type": "string", "maxLength": 300}
_COLUMN: Schema = {"type": ["string", "integer"]}

_FORMAT: Mapping[str, Schema] = {
    "column": _COLUMN | {"description": "a number from 1, or a name of the header line"},
    "columns": _one_or_more(_COLUMN, 2) | {"description": "two columns are the ends of a range"},
    "separator": _TEXT | {"description": "one character, or tab, or whitespace"},
    "path": _one_or_more(_TEXT, 16) | {"description": "dotted keys; [] steps into each item: prefixes[].ip_prefix"},
    "field": _TEXT | {"description": "the key of the address in each line, or keys joined by dots"},
}

_GUARDS: Mapping[str, Schema] = {
    "html": _reference("switch"),
    "unparseable": _reference("percentage"),
    "truncated": _reference("switch"),
    "shrink": _reference("percentage"),
    "grow": _reference("percentage"),
    "share": _reference("percentage"),
    "widest4": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 32}, _OFF]},
    "widest6": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 128}, _OFF]},
    "settle": _reference("span"),
    "max_age": _reference("span"),
}

_DEFAULTS: dict[str, Schema] = {
    "every": _reference("duration"),
    "action": _words(Action),
    "direction": _words(Direction),
    "timeout": _reference("duration"),
    "max_bytes": _reference("size"),
    "guards": _reference("guards"),
}

_SOURCE: Mapping[str, Schema] = _DEFAULTS | {
    "id": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,39}$", "not": {"const": str(MANUAL)}},
    "url": {"type": "string", "pattern": "^https?://"},
    "path": _TEXT,
    "block": _reference("block"),
    "format": _reference("format"),
    "enabled": _reference("switch"),
    "allow_empty": _reference("switch"),
    "headers": _optional({"type": "object", "additionalProperties": _TEXT}),
    "comment": _NOTE,
    "home": _NOTE,
    "licence": _NOTE,
}

# Editors read `no` as text or as a truth, each after its version of YAML.
_COUNTRY: Schema = {"anyOf": [{"type": "string", "pattern": "^[A-Za-z]{2}$"}, {"const": False}]}
_ASN: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 4_294_967_295},
        {"type": "string", "pattern": "^([Aa][Ss])?[0-9]{1,10}$"},
    ]
}

_BLOCK: Mapping[str, Schema] = {"countries": _one_or_more(_COUNTRY), "asns": _one_or_more(_ASN)}

_GEO: Mapping[str, Schema] = {
    "databases": _one_or_more(_TEXT),
    "rewarm": _reference("switch"),
    "expiry": _reference("duration"),
    "negative_expiry": _reference("duration"),
    "online": _mapping(Online, {"enabled": _reference("switch"), "url": {"type": "string", "pattern": "^https?://"}}),
}

_CONFIG: Mapping[str, Schema] = {
    "backend": _words(BackendName),
    "owner": _words(Ownership),
    "fail2ban": _reference("fail2ban"),
    "defaults": _reference("defaults"),
    "allow": _reference("allow"),
    "sources": _reference("sources"),
    "log": _reference("log"),
    "geo": _reference("geo"),
}

_ALLOW: Schema = {
    "anyOf": [
        {"type": "string", "description": "an address, a network or a range a-b"},
        {
            "type": "object",
            "properties": {
                "address": {"type": "string", "description": "an address, a network or a range a-b"},
                "comment": _NOTE,
                "until": {"type": "string", "description": "the last day (UTC), or a moment: 2027-01-01T18:00:00Z"},
            },
            "required": ["address"],
            "additionalProperties": False,
        },
    ]
}
