"""A source's `format`, as it is written -> `model.Format`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from banlistd.core.config import values
from banlistd.core.config.problems import Spot
from banlistd.core.config.values import Unfit, among
from banlistd.core.printing import shown
from banlistd.formats import Format, FormatType

KEYS: Mapping[FormatType, tuple[str, ...]] = {kind: kind.kind.keys for kind in FormatType if kind.kind.keys}
"""The keys of each type. Types that are not here take none."""

_TYPE = values.one_of(FormatType, "a format")
_ALL = ("type", *(key for keys in KEYS.values() for key in keys))


def read_format(tree: object, spot: Spot) -> Format:
    """A type, or a mapping with `type` and its keys; `Format()` for a wrong one, once reported."""
    if isinstance(tree, str):
        return Format(_read_type(tree, spot) or FormatType.AUTO)
    if not isinstance(tree, dict):
        spot.wrong("is not a format", "write plain, or a mapping such as {type: csv, column: 2}")
        return Format()
    before = len(spot.problems)
    kind = _type_of(tree, spot)
    found = _read_keys(tree, kind, spot)
    if "column" in found and "columns" in found:
        spot.at("columns").wrong("is written beside column", "write one of them")
    if kind is None or len(spot.problems) > before:
        return Format()
    return Format(
        kind,
        columns=found.get("columns", ()) or found.get("column", ()),
        separator="".join(found.get("separator", ())),
        paths=found.get("path", ()),
        field="".join(found.get("field", ())),
    )


def _type_of(tree: Mapping[str, object], spot: Spot) -> FormatType | None:
    written = tree.get("type")
    if isinstance(written, str):
        return _read_type(written, spot.at("type"))
    if "type" not in tree:
        spot.wrong("has no type", f"write {{type: {_guess(tree)}, ...}}")
    else:
        spot.at("type").wrong("has no value" if written is None else "is not one word", f"write {among(FormatType)}")
    return None


def _read_keys(tree: Mapping[str, object], kind: FormatType | None, spot: Spot) -> dict[str, tuple[str, ...]]:
    fits = KEYS.get(kind, ()) if kind else _ALL
    found = {}
    for key, value in tree.items():
        if key == "type":
            continue
        if key not in _ALL:
            spot.unknown(key, ("type", *fits) if kind else _ALL)
        elif key not in fits:
            spot.at(key).wrong(f"does not go with {kind}", f"{among(fits)} may" if fits else f"{kind} takes no keys")
        else:
            found[key] = _read_key(key, value, spot.at(key))
    return found


def _read_type(text: str, spot: Spot) -> FormatType | None:
    try:
        return _TYPE(text)
    except Unfit as verdict:
        spot.unfit(verdict)
        return None


def _guess(tree: Mapping[str, object]) -> FormatType:
    return next((kind for kind, keys in KEYS.items() if any(key in tree for key in keys)), FormatType.PLAIN)


def _read_key(key: str, value: object, spot: Spot) -> tuple[str, ...]:
    written = value if isinstance(value, list) else [value]
    shape = SHAPES[key]
    if isinstance(value, list) and shape.max_values == 1:
        spot.wrong("is a list", "write one value")
    elif not 1 <= len(written) <= shape.max_values:
        spot.wrong(f"has {len(written)} values", f"write 1 to {shape.max_values}")
    read = []
    for index, item in enumerate(written):
        at = spot.at(index) if isinstance(value, list) else spot
        if not isinstance(item, str):
            at.wrong("has no value" if item is None else "is not one value")
            continue
        try:
            read.append(shape.read(item))
        except Unfit as verdict:
            at.unfit(verdict)
    return tuple(read)


def _column(text: str) -> str:
    """A number from 1, or a name of the header line."""
    if re.fullmatch(r"-?[0-9]+", text, re.ASCII):
        # Three digits: no list has a thousand columns, and int() refuses numbers without end.
        if not re.fullmatch(r"0*[1-9][0-9]{0,2}", text, re.ASCII):
            raise Unfit(f"{shown(text)} is not a column", "columns count from 1")
        return str(int(text))
    return _name(text, "a column")


_SEPARATORS = {"tab": "\t", "\\t": "\t", "whitespace": "whitespace"}


def _separator(text: str) -> str:
    known = _SEPARATORS.get(text, text)
    if known != "whitespace" and (len(known) != 1 or known in "\r\n\"'#" or known.isalnum() or not known.isascii()):
        raise Unfit(f"{shown(text)} is not a separator", 'write one character such as ";", or tab, or whitespace')
    return known


# `name`, `name[]`, `name[][]` or, for an array at the root, `[]`.
_STEP = re.compile(r"[^\[\].]+(\[\])*|(\[\])+")


def _path(text: str) -> str:
    _name(text, "a path")
    if not all(_STEP.fullmatch(step) for step in text.split(".")):
        raise Unfit(f"{shown(text)} is not a path", "write it like prefixes[].ip_prefix")
    return text


def _field(text: str) -> str:
    _name(text, "a field")
    if not all(text.split(".")) or "[" in text:
        raise Unfit(f"{shown(text)} is not a field", "write a key, or keys joined by dots")
    return text


# More than any column or JSON key seen; a bound, so that messages stay readable.
_LONGEST = 200


def _name(text: str, what: str) -> str:
    if not 0 < len(text) <= _LONGEST or not text.isprintable():
        raise Unfit(f"{shown(text)} is not {what}")
    return text


@dataclass(frozen=True, slots=True)
class FormatKey:
    """A key of a format: how one of its values is read, how many values it takes, what JSON calls their type."""

    read: Callable[[str], str]
    max_values: int
    type: str | tuple[str, ...]
    help: str

    @property
    def schema(self) -> Mapping[str, Any]:
        one = {"type": self.type}
        several = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": self.max_values}]}
        return {**(several if self.max_values > 1 else one), "description": self.help}


_COLUMN = ("string", "integer")

# A range has two ends. More JSON paths than 16 are no list any more.
SHAPES: Mapping[str, FormatKey] = {
    "column": FormatKey(_column, 1, _COLUMN, "a number from 1, or a name of the header line"),
    "columns": FormatKey(_column, 2, _COLUMN, "two columns are the ends of a range"),
    "separator": FormatKey(_separator, 1, "string", "one character, or tab, or whitespace"),
    "path": FormatKey(_path, 16, "string", "dotted keys; [] steps into each item: prefixes[].ip_prefix"),
    "field": FormatKey(_field, 1, "string", "the key of the address in each line, or keys joined by dots"),
}


def _long_form(types: list[str], keys: tuple[str, ...]) -> Mapping[str, Any]:
    properties = {"type": {"enum": types}, **{key: SHAPES[key].schema for key in keys}}
    return {"type": "object", "properties": properties, "required": ["type"], "additionalProperties": False}


FORMAT_SCHEMA: Mapping[str, Any] = {
    "anyOf": [
        {"enum": [str(kind) for kind in FormatType]},
        *(_long_form([str(kind)], keys) for kind, keys in KEYS.items()),
        _long_form([str(kind) for kind in FormatType if kind not in KEYS], ()),
    ]
}
