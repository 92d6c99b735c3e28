"""A source's `format`, as it is written -> `model.Format`."""

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from banlistd.core.config import values
from banlistd.core.config.problems import Spot
from banlistd.core.config.sections.conditions import WHERE_SCHEMA, read_where, short_name
from banlistd.core.config.sections.patterns import Pattern, PatternFault
from banlistd.core.config.values import Unfit, among
from banlistd.core.printing import shown
from banlistd.formats import Format, FormatType

KEYS: Mapping[FormatType, tuple[str, ...]] = {kind: (*kind.kind.keys, "members") for kind in FormatType}
"""The keys of each type beside `type`."""

_WHERE = "where"
_TYPE = values.one_of(FormatType, "a format")
_ALL = ("type", *dict.fromkeys(key for keys in KEYS.values() for key in keys))


def read_format(tree: object, spot: Spot) -> Format:
    """A type, or a mapping with `type` and its keys; `Format()` for a wrong one, once reported."""
    if isinstance(tree, str):
        short = _read_type(tree, spot) or FormatType.AUTO
        _require_pattern(short, (), spot)
        return Format(short)
    if not isinstance(tree, dict):
        spot.wrong("is not a format", "write plain, or a mapping such as {type: csv, column: 2}")
        return Format()
    before = len(spot.problems)
    kind = _type_of(tree, spot)
    found = _read_keys(tree, kind, spot)
    _check_columns(found, spot)
    for key in ("end", "length"):
        _judge_ends(key, found, spot)
    if "end" in found and "length" in found:
        spot.at("length").wrong("is written beside end", "write one of them")
    _require_pattern(kind, tree, spot)
    where = read_where(tree[_WHERE], spot.at(_WHERE)) if _WHERE in found else ()
    if kind is None or len(spot.problems) > before:
        return Format()
    fields = found.get("field", ())
    return Format(
        kind,
        columns=found.get("columns", ()) or found.get("column", ()),
        separator="".join(found.get("separator", ())),
        paths=found.get("path", ()) or (fields if len(fields) > 1 else ()),
        field=fields[0] if len(fields) == 1 else "",
        ends=found.get("end", ()),
        lengths=found.get("length", ()),
        where=where,
        members="".join(found.get("members", ())),
        each=len(found.get("column", ())) > 1,
        prefix="".join(found.get("prefix", ())),
        netmask="".join(found.get("netmask", ())),
        count="".join(found.get("count", ())),
        defanged=found.get("defanged", ()) == (_TRUE,),
        urls=found.get("urls", ()) == (_TRUE,),
        pattern="".join(found.get("pattern", ())),
    )


def _require_pattern(kind: FormatType | None, keys: Container[str], spot: Spot) -> None:
    if kind is FormatType.PATTERN and "pattern" not in keys:
        spot.wrong("has no pattern", "write {type: pattern, pattern: '<ip>(?P<address>[^<]+)</ip>'}")


def _judge_ends(key: str, found: Mapping[str, tuple[str, ...]], spot: Spot) -> None:
    """One end for all addresses, or one for each."""
    places = found.get("path", ()) or found.get("field", ())
    if key in found and not places:
        spot.at(key).wrong("is written without the place of the address", "write path (json) or field (jsonl) beside it")
    elif len(found.get(key, ())) not in (0, 1, len(places)):
        spot.at(key).wrong(f"has {len(found[key])} values", f"write one, or {len(places)}, one for each address")


_SIZES = ("prefix", "netmask", "count")


def _check_columns(found: Mapping[str, tuple[str, ...]], spot: Spot) -> None:
    if "column" in found and "columns" in found:
        spot.at("columns").wrong("is written beside column", "write one of them")
    sizes = [key for key in found if key in _SIZES]
    for key in sizes[1:]:
        spot.at(key).wrong(f"is written beside {sizes[0]}", "write one of them")
    if sizes and "column" not in found and "columns" not in found:
        spot.at(sizes[0]).wrong("is written without a column", f"write {{type: csv, column: ADDRESS, {sizes[0]}: ...}}")
    if sizes and len(found.get("column", ())) > 1:
        spot.at(sizes[0]).wrong("is written beside several columns", "write one column")


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
    found: dict[str, tuple[str, ...]] = {}
    for key, value in tree.items():
        if key == "type":
            continue
        if key == _WHERE and key in fits:
            found[key] = ()
            continue
        if key not in _ALL:
            spot.unknown(key, ("type", *fits) if kind else _ALL)
        elif key not in fits:
            spot.at(key).wrong(f"does not go with {kind}", f"{among(fits)} may")
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
    own = {kind: kind.kind.keys for kind in FormatType if _WHERE not in tree}
    return next((kind for kind, keys in own.items() if any(key in tree for key in keys)), FormatType.PLAIN)


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
    return short_name(text, "a column")


_SEPARATORS = {"tab": "\t", "\\t": "\t", "whitespace": "whitespace"}


def _separator(text: str) -> str:
    known = _SEPARATORS.get(text, text)
    if known != "whitespace" and (len(known) != 1 or known in "\r\n\"'#" or known.isalnum() or not known.isascii()):
        raise Unfit(f"{shown(text)} is not a separator", 'write one character such as ";", or tab, or whitespace')
    return known


# `name`, `name[]`, `name[][]` or, for an array at the root, `[]`; `{}` in place of `[]` for an object.
_STEP = re.compile(r"[^\[\]{}.]+(\[\]|\{\})*|(\[\]|\{\})+")


def _path(text: str) -> str:
    short_name(text, "a path")
    if not all(_STEP.fullmatch(step) for step in text.split(".")):
        raise Unfit(f"{shown(text)} is not a path", "write it like prefixes[].ip_prefix")
    return text


def _end(text: str) -> str:
    return _path(text) if "[" in text else _field(text)


def _field(text: str) -> str:
    short_name(text, "a field")
    if not all(text.split(".")) or "[" in text:
        raise Unfit(f"{shown(text)} is not a field", "write a key, or keys joined by dots")
    return text


_MEMBERS = 16


def _members(text: str) -> str:
    """Patterns of file names, as in a shell."""
    short_name(text, "a pattern of file names")
    if text.count("*") > _MEMBERS:
        raise Unfit(f"{shown(text)} is not a pattern of file names", f"write at most {_MEMBERS} *")
    return text


def _pattern(text: str) -> str:
    if len(text) > _LONGEST_PATTERN or not text.isprintable():
        raise Unfit(f"{shown(text)} is not a pattern", f"write one line of at most {_LONGEST_PATTERN} signs")
    try:
        Pattern(text)
    except PatternFault as fault:
        raise Unfit(*fault.args) from fault
    return text


_LONGEST_PATTERN = 1000
_TRUE = "true"


def _switch(text: str) -> str:
    return _TRUE if values.switch(text) else "false"


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
_SWITCH_TYPES = ("boolean", "string")

# A range has two ends. More columns or JSON paths than 16 are no list any more.
SHAPES: Mapping[str, FormatKey] = {
    "column": FormatKey(_column, 16, _COLUMN, "a number from 1, or a name of the header line; each of several has addresses"),
    "columns": FormatKey(_column, 2, _COLUMN, "two columns are the ends of a range, or have an IPv4 and an IPv6 address"),
    "separator": FormatKey(_separator, 1, "string", "one character, or tab, or whitespace"),
    "defanged": FormatKey(_switch, 1, _SWITCH_TYPES, "addresses are written as 192[.]0[.]2[.]1"),
    "urls": FormatKey(_switch, 1, _SWITCH_TYPES, "hosts of URLs are entries, where they are addresses"),
    "prefix": FormatKey(_column, 1, _COLUMN, "the column of the length of the network that begins at the address"),
    "netmask": FormatKey(_column, 1, _COLUMN, "the column of the mask of that network; a wildcard mask may be in it"),
    "count": FormatKey(_column, 1, _COLUMN, "the column that says how many addresses begin at the address"),
    "path": FormatKey(_path, 16, "string", "dotted keys; [] steps into each item: prefixes[].ip_prefix; {} at the end: keys"),
    "field": FormatKey(_field, 16, "string", "the key of the address in each line, or keys joined by dots"),
    "end": FormatKey(_end, 16, "string", "the key of the last address of a range, in the same object"),
    "length": FormatKey(_end, 16, "string", "the key of a prefix length or netmask, in the same object"),
    "pattern": FormatKey(
        _pattern, 1, "string", "a regular expression of RE2 with (?P<address>...), and prefix, netmask or last"
    ),
    "members": FormatKey(_members, 1, "string", "which files of an archive are read: *.txt; without it all that may be lists"),
}


def _long_form(types: list[str], keys: tuple[str, ...]) -> Mapping[str, Any]:
    shapes = {key: WHERE_SCHEMA if key == _WHERE else SHAPES[key].schema for key in keys}
    properties = {"type": {"enum": types}, **shapes}
    return {"type": "object", "properties": properties, "required": ["type"], "additionalProperties": False}


FORMAT_SCHEMA: Mapping[str, Any] = {
    "anyOf": [
        {"enum": [str(kind) for kind in FormatType]},
        *(_long_form([str(kind)], KEYS[kind]) for kind in FormatType if kind.kind.keys),
        _long_form([str(kind) for kind in FormatType if not kind.kind.keys], ("members",)),
    ]
}
