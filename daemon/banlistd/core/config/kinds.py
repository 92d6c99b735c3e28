"""The kinds of values that keys have: how each is read, its JSON Schema, and how documents describe it."""

import math
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from banlistd.backends import BackendName
from banlistd.core.config import geo, values
from banlistd.core.config.format import FORMAT_SCHEMA, read_format
from banlistd.core.config.keys import Section, ValueKind, keys_of, read_section, scalar_at
from banlistd.core.config.problems import Spot
from banlistd.core.config.sections.interval import DAILY_PATTERN, ByTtl, Daily, poll_interval
from banlistd.core.config.values import Unfit, among, duration_within
from banlistd.core.printing import shown
from banlistd.formats import Format
from banlistd.model import Action, Direction, Ownership

OFF = "off"

# Editors read `off` as text or as a truth, each after its version of YAML.
_OFF = {"enum": [OFF, False]}


def scalar(
    read: Callable[[str], Any],
    schema: Mapping[str, Any],
    says: str = "",
    name: str = "",
    parts: tuple[ValueKind, ...] = (),
    show: Callable[[Any], str] = str,
    examples: tuple[str, ...] = (),
) -> ValueKind:
    return ValueKind(lambda tree, spot: scalar_at(read, tree, spot), schema, says, name, parts, show, examples=examples)


def many(kind: ValueKind, says: str) -> ValueKind:
    """A list; one value may be written in place of a list of one."""

    def read(tree: object, spot: Spot) -> tuple[Any, ...] | None:
        if isinstance(tree, dict):
            spot.wrong("must be a list", 'write "- " before each entry, or [a, b]')
            return None
        if not isinstance(tree, list):
            one = kind.read(tree, spot)
            return None if one is None else (one,)
        found = [kind.read(item, spot.at(index)) for index, item in enumerate(tree)]
        return None if None in found else tuple(found)

    schema = {"anyOf": [kind.schema, {"type": "array", "items": kind.schema, "minItems": 1}]}
    return ValueKind(read, schema, says, show=lambda found: ", ".join(map(kind.show, found)), examples=kind.examples)


def section_schema(section: type[Section]) -> Mapping[str, Any]:
    properties = {}
    for name, key in keys_of(section).items():
        described = {**key.kind.reference, "description": key.help}
        properties[name] = described
        properties |= {old: {**described, "deprecated": True} for old in key.old}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def or_nothing(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Or no value: all lines of the section are commented out."""
    return {"anyOf": [schema, {"type": "null"}]}


def section(of: type[Section], name: str, *, may_be_empty: bool = True) -> ValueKind:
    schema = section_schema(of)
    parts = tuple(key.kind for key in keys_of(of).values())
    return ValueKind(
        lambda tree, spot: read_section(of, tree, spot),
        or_nothing(schema) if may_be_empty else schema,
        "a mapping",
        name,
        parts,
        lambda _: "",
        of,
    )


def chosen(words: type[StrEnum], what: str) -> ValueKind:
    """One member of an enumeration; `what` is the noun, with its article."""
    every = tuple(str(word) for word in words)
    return scalar(values.one_of(words, what), {"enum": [*every]}, among(f"`{word}`" for word in every), examples=every)


_SPANS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


def show_duration(seconds: float) -> str:
    """As it is written in a configuration; infinite is `off`."""
    if seconds == math.inf:
        return OFF
    unit, length = next((unit, length) for unit, length in _SPANS.items() if not seconds % length)
    return f"{seconds // length:.0f}{unit}"


def _show_size(octets: int) -> str:
    return f"{octets // 2**20}MiB" if not octets % 2**20 else str(octets)


def _show_switch(value: bool) -> str:
    return "yes" if value else "no"


def _show_percentage(part: float) -> str:
    return OFF if part == math.inf else f"{part:.6%}".rstrip("%").rstrip("0").rstrip(".") + "%"


_DURATION = ValueKind(
    lambda *_: None,
    {"type": "string", "pattern": f"^{values.DURATION_PATTERN}$", "examples": ["90s", "15m", "1h30m", "1d", "1w"]},
    name="duration",
)


def duration_between(low: str, high: str) -> ValueKind:
    """Seconds."""
    return scalar(duration_within(low, high), _DURATION.reference, f"{low} to {high}", parts=(_DURATION,), show=show_duration)


_SPAN = ValueKind(lambda *_: None, {"anyOf": [_DURATION.reference, _OFF]}, name="span", parts=(_DURATION,))


def span(low: str, high: str) -> ValueKind:
    """Seconds; `off` is infinite."""
    read_duration = duration_within(low, high)

    def read(text: str) -> float:
        return math.inf if text.lower() == OFF else read_duration(text)

    return scalar(read, _SPAN.reference, f"{low} to {high}, or off", parts=(_SPAN,), show=show_duration)


def time_or_off(low: str, high: str) -> ValueKind:
    """Seconds; `off` is 0."""
    read_duration = duration_within(low, high)

    def read(text: str) -> float:
        return 0.0 if text.lower() == OFF else read_duration(text)

    def show(seconds: float) -> str:
        return show_duration(seconds) if seconds else OFF

    return scalar(read, _SPAN.reference, f"{low} to {high}, or off", parts=(_SPAN,), show=show)


_PERCENTAGE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?%", re.ASCII)
_PERCENTAGES = ValueKind(
    lambda *_: None, {"anyOf": [{"type": "string", "pattern": "^[0-9]{1,6}([.][0-9]{1,3})? ?%$"}, _OFF]}, name="percentage"
)


def percentage(low: float, high: float) -> ValueKind:
    """Reads `50%` as 0.5; `low` and `high` are in per cent, inclusive. `off` is infinite."""

    def read(text: str) -> float:
        if text.lower() == OFF:
            return math.inf
        match = _PERCENTAGE.fullmatch(text)
        if not match or not low <= float(match[1]) <= high:
            raise Unfit(f"{shown(text)} is not a percentage", f"write {low:g}% to {high:g}%, or off")
        return float(match[1]) / 100

    says = f"{low:g}% to {high:g}%, or off"
    return scalar(read, _PERCENTAGES.reference, says, parts=(_PERCENTAGES,), show=_show_percentage)


def whole(low: int, high: int) -> ValueKind:
    """A whole number within bounds, inclusive."""

    def read(text: str) -> int:
        # int() refuses very long numbers with another error.
        number = int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else -1
        if not low <= number <= high:
            raise Unfit(f"{shown(text)} is not a number that fits", f"write {low} to {high}")
        return number

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return scalar(read, schema, f"{low} to {high}", examples=(str(high),))


def prefix(low: int, high: int) -> ValueKind:
    """Reads a prefix length, `8` or `/8`. `off` is 0: no network is wider than that."""

    def read(text: str) -> int:
        if text.lower() == OFF:
            return 0
        digits = text.removeprefix("/")
        # Three digits: int() refuses very long numbers with another error.
        length = int(digits) if re.fullmatch(r"[0-9]{1,3}", digits, re.ASCII) else -1
        if not low <= length <= high:
            raise Unfit(f"{shown(text)} is not a prefix length", f"write {low} to {high}, or off")
        return length

    schema = {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, _OFF]}
    return scalar(read, schema, f"{low} to {high}, or off", show=lambda length: str(length or OFF), examples=(str(high),))


TEXT = {"type": "string"}

SWITCH = scalar(
    values.switch,
    # Editors read `yes` as text or as a truth, each after its version of YAML.
    {"enum": [True, False, "true", "false", "yes", "no", "on", "off"]},
    "yes or no",
    "switch",
    show=_show_switch,
)
SIZE = scalar(
    values.size,
    {
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": "^[0-9]{1,12} ?([kMG]B|[KMG]iB)?$", "examples": ["64MiB", "10MB"]},
        ]
    },
    "1 to 1GiB",
    "size",
    show=_show_size,
)


def size_at_least(low: str) -> ValueKind:
    """Octets."""

    def read(text: str) -> int:
        octets = values.size(text)
        if octets < values.size(low):
            raise values.Unfit(f"{shown(text)} is less than {low}", f"write {low} to 1GiB")
        return octets

    return scalar(read, SIZE.reference, f"{low} to 1GiB", parts=(SIZE,), show=_show_size, examples=("1GiB", low))


def _show_every(interval: float) -> str:
    if isinstance(interval, ByTtl):
        return f"by their TTL, or {show_duration(float(interval))}"
    return str(interval) if isinstance(interval, Daily) else show_duration(interval)


PUBLISHER_INTERVAL = duration_between("10s", "365d")
EVERY = scalar(
    poll_interval,
    {"anyOf": [_DURATION.reference, {"enum": ["hourly", "daily"]}, {"type": "string", "pattern": f"^{DAILY_PATTERN}$"}]},
    "10s to 365d, `hourly`, `daily`, or `daily 04:00` (UTC; `daily 04:00 +02:00` for another zone)",
    parts=(_DURATION,),
    show=_show_every,
    examples=("12h", "daily 04:00"),
)
NOTE = scalar(values.note, {**TEXT, "maxLength": 300}, "text, at most 300 characters")
PATH = scalar(values.path, TEXT, "a file name, relative to the folder of the configuration", examples=("/srv/lists/a.txt",))
PATHS = many(PATH, "file names, relative to the folder of the configuration")
ABSOLUTE = scalar(values.absolute, TEXT, "an absolute file name", examples=("/run/a.sock",))
SOURCE_ID = scalar(
    values.source_id,
    {**TEXT, "pattern": "^[a-z0-9][a-z0-9-]{0,39}$", "not": {"pattern": "^manual(-[0-9a-f]{8})?$"}},
    "a-z, 0-9 and hyphens, at most 40",
)
CATALOGUE_NAME = scalar(str, TEXT, "a name of the catalogue")
JAIL = scalar(values.jail, TEXT, "letters, digits and _ . -, at most 60")
ADDRESSES = scalar(values.addresses, TEXT, "an address, a network or a range a-b")


def _read_ranges(tree: object, spot: Spot) -> tuple[values.AddressRange, ...] | None:
    return () if isinstance(tree, str) and tree.lower() == OFF else _RANGES.read(tree, spot)


_RANGES = many(ADDRESSES, "addresses, networks and ranges a-b, or off")
ADDRESS_RANGES = ValueKind(
    _read_ranges,
    {"anyOf": [_RANGES.schema, _OFF]},
    _RANGES.says,
    show=lambda _: OFF,
    examples=(["192.0.2.1", "203.0.113.0/24"],),
)
UNTIL = scalar(values.until, TEXT, "2027-01-01 or 2027-01-01T18:00:00Z")
# Editors read `no` as text or as a truth, each after its version of YAML.
COUNTRY_CODES = many(
    scalar(geo.country, {"anyOf": [{**TEXT, "pattern": "^[A-Za-z]{2}$"}, {"const": False}]}), "two letters of ISO 3166 each"
)
ASNS = many(
    scalar(
        geo.asn,
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 4_294_967_295},
                {**TEXT, "pattern": "^([Aa][Ss])?[0-9]{1,10}$"},
            ]
        },
    ),
    "AS64496 or 64496",
)
ACTION = chosen(Action, "an action")
DIRECTION = chosen(Direction, "a direction")
BACKEND = chosen(BackendName, "a backend")
OWNERSHIP = chosen(Ownership, "an owner setting")


def _read_format(tree: object, spot: Spot) -> Format | None:
    if tree is None:
        spot.wrong("has no value", "write one or delete the line")
        return None
    return read_format(tree, spot)


FORMAT = ValueKind(_read_format, FORMAT_SCHEMA, "a format, or a mapping with type", "format", show=lambda form: str(form.type))
