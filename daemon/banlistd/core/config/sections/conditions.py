"""The conditions of a format (`where`), as they are written -> `formats.Condition`."""

import re
from collections.abc import Mapping
from typing import Any

from banlistd.core.config.problems import Spot
from banlistd.core.config.values import Unfit
from banlistd.core.printing import shown
from banlistd.formats import Condition, Operator

# More than any column or JSON key seen; a bound, so that messages stay readable.
_LONGEST = 200
_MAX_CONDITIONS = 16
_CONDITIONS = 'write {score: ">= 90", type: ADDR, country: [DE, FR], expires: future}'

_VALUE = {"type": ["string", "number", "boolean"]}
WHERE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": {"anyOf": [_VALUE, {"type": "array", "items": _VALUE, "minItems": 1}]},
    "minProperties": 1,
    "maxProperties": _MAX_CONDITIONS,
    "description": "only records that meet every condition: a value, one of a list, >=, <=, >, <, !=, or future for a time, at "
    "which the ban ends",
}


def short_name(text: str, what: str) -> str:
    if not 0 < len(text) <= _LONGEST or not text.isprintable():
        raise Unfit(f"{shown(text)} is not {what}")
    return text


def _is_short(text: str) -> bool:
    return 0 < len(text) <= _LONGEST


_COMPARISON = re.compile(r"(>=|<=|!=|>|<|=)\s*(.+)", re.DOTALL)


def read_where(tree: object, spot: Spot) -> tuple[Condition, ...]:
    if not isinstance(tree, dict) or not 1 <= len(tree) <= _MAX_CONDITIONS:
        spot.wrong(f"is not a mapping of 1 to {_MAX_CONDITIONS} conditions", _CONDITIONS)
        return ()
    read = [_read_condition(str(field), written, spot.at(str(field))) for field, written in tree.items()]
    return tuple(condition for condition in read if condition is not None)


def _read_condition(field: str, written: object, spot: Spot) -> Condition | None:
    several = [one for one in (written if isinstance(written, list) else [written]) if isinstance(one, str)]
    if not several or (isinstance(written, list) and len(several) < len(written)) or not all(map(_is_short, several)):
        spot.wrong("is not a condition", _CONDITIONS)
        return None
    try:
        short_name(field, "a field")
    except Unfit as verdict:
        spot.unfit(verdict)
        return None
    if isinstance(written, list):
        return Condition(field, Operator.IS, tuple(several))
    text = several[0].strip()
    if text == Operator.FUTURE:
        return Condition(field, Operator.FUTURE)
    comparison = _COMPARISON.fullmatch(text)
    if comparison is None:
        return Condition(field, Operator.IS, (text,))
    return Condition(field, Operator(comparison[1]), (comparison[2].strip(),))
