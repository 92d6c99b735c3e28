"""A configuration key is declared once, beside its field: `name: Annotated[type, Key(kind, help)] = default`.

The reader here, the JSON schema (schema.py), the reload check (reload.py), the man page and the table of keys follow from it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, TypeVar, get_type_hints

from banlistd.core.config.problems import Spot
from banlistd.core.config.values import Unfit

Schema = Mapping[str, Any]


class Reload(StrEnum):
    """Whether a running daemon takes a changed value over, or refuses the reload because the key needs a restart."""

    LIVE = "live"
    RESTART = "restart"


@dataclass(frozen=True, slots=True, eq=False)
class ValueKind:
    """How a value is written.

    `read` returns the value, or None once it has reported what is wrong. `schema` is JSON Schema; a `name` puts it among the
    schema's definitions, together with those of `parts`, to which it refers. `says` describes the value in documents, and
    `show` writes a default as a user would. `section`: the section that the value is, or is a list of. `examples`: values that
    fit, as a file has them.
    """

    read: Callable[[object, Spot], Any]
    schema: Schema
    says: str = ""
    name: str = ""
    parts: "tuple[ValueKind, ...]" = ()
    show: Callable[[Any], str] = str
    section: "type[Section] | None" = None
    examples: tuple[object, ...] = ()

    @property
    def reference(self) -> Schema:
        return {"$ref": f"#/$defs/{self.name}"} if self.name else self.schema


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """`help` is one or more sentences. `old`: names that the key had before and that still work.

    `reload` is given for the keys of `Config`; the keys of a section follow their section.
    """

    kind: ValueKind
    help: str
    reload: Reload | None = None
    old: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping of the configuration. Each field has a Key. `title` and `intro` are its head in the manual."""

    title: ClassVar[str]
    intro: ClassVar[str]

    def complaints(self) -> Iterator[tuple[str, str]]:
        """What is wrong with values that are right one by one, and what to write instead."""
        yield from ()


AnySection = TypeVar("AnySection", bound=Section)


def keys_of(section: type[Section]) -> Mapping[str, Key]:
    """The keys of a section by name, in the order of the fields. Raises TypeError for a field without a Key."""
    return _keys_of(section)  # type: ignore[arg-type]  # a class is hashable, whatever its objects are


@cache
def _keys_of(section: type[Section]) -> Mapping[str, Key]:
    hints = get_type_hints(section, include_extras=True)
    keys = {}
    for field in fields(section):
        found = [one for one in getattr(hints[field.name], "__metadata__", ()) if isinstance(one, Key)]
        if not found:
            raise TypeError(f"{section.__name__}.{field.name} is declared without a Key")
        keys[field.name] = found[0]
    return keys


def sections_of(section: type[Section]) -> tuple[type[Section], ...]:
    """A section and every section below it, each once, in the order of the keys."""
    found = {section.__name__: section}
    for key in keys_of(section).values():
        if key.kind.section is not None:
            found |= {below.__name__: below for below in sections_of(key.kind.section) if below.__name__ not in found}
    return tuple(found.values())


def required(section: type[Section]) -> tuple[str, ...]:
    """The keys without a default."""
    return _required(section)  # type: ignore[arg-type]  # as above


@cache
def _required(section: type[Section]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(section) if one.default is MISSING and one.default_factory is MISSING)


@cache
def _names_of(section: type[Section]) -> Mapping[str, str]:
    """The key for each name that it has or had."""
    keys = keys_of(section)
    return {name: name for name in keys} | {old: name for name, key in keys.items() for old in key.old}


def values_of(section: Section) -> dict[str, Any]:
    """Every value of a section by its key; nested sections stay sections."""
    return {name: getattr(section, name) for name in keys_of(type(section))}


def read_values(section: type[Section], tree: Mapping[str, object], spot: Spot, beside: Iterable[str] = ()) -> dict[str, Any]:
    """The values that are right, by key; what is wrong is reported. `beside`: keys that the caller reads by itself."""
    keys, names = keys_of(section), _names_of(section)  # type: ignore[arg-type]  # as above
    found: dict[str, Any] = {}
    written: dict[str, str] = {}
    for name, value in tree.items():
        if name in beside:
            continue
        if name not in names:
            spot.unknown(name, dict.fromkeys((*keys, *beside)), _home_of(name, section))
            continue
        key = names[name]
        if key in written:
            spot.at(name).wrong(f"is another name of {written[key]}", "delete one of them")
            continue
        written[key] = name
        read = keys[key].kind.read(value, spot.at(name))
        if read is not None:
            found[key] = read
    for name in required(section):
        if name not in written and name not in beside:
            spot.at(name).wrong("is missing")
    return found


def _home_of(name: str, section: type[Section]) -> str:
    """Below which key of a section a name is a key; empty: below none."""
    for key, declared in keys_of(section).items():
        below = declared.kind.section
        if below is not None and name in keys_of(below):
            # The sections of a list have a noun for each of them.
            return f"it belongs to {below.title}: indent it" if " " in below.title else f"it belongs under {key}:"
    return ""


def read_section(section: type[AnySection], tree: object, spot: Spot, base: AnySection | None = None) -> AnySection | None:
    """A section, with what is not written taken from `base` or the defaults; None where something is wrong, once reported."""
    before = len(spot.problems)
    found = read_values(section, mapping_at(tree, spot), spot)
    if len(spot.problems) > before:
        return None
    read = replace(base, **found) if base is not None else section(**found)
    for words, hint in read.complaints():
        spot.wrong(words, hint)
    return read if len(spot.problems) == before else None


def mapping_at(tree: object, spot: Spot) -> dict[str, object]:
    """Nothing at all is an empty mapping: its lines are commented out."""
    if isinstance(tree, dict):
        return tree
    if tree is not None:
        spot.wrong(f"is {type_of_tree(tree)} and must be a mapping", "write name: value, one a line")
    return {}


def list_at(tree: object, spot: Spot) -> list[object]:
    """Nothing at all is an empty list: its lines are commented out."""
    if isinstance(tree, list):
        return tree
    if tree is not None:
        spot.wrong(f"is {type_of_tree(tree)} and must be a list", 'write "- " before each entry')
    return []


def type_of_tree(tree: object) -> str:
    return "a mapping" if isinstance(tree, dict) else "a list" if isinstance(tree, list) else "a single value"


def scalar_at(read: Callable[[str], Any], tree: object, spot: Spot) -> Any:
    """One value; None where something is wrong, once reported."""
    if tree is None:
        spot.wrong("has no value", "write one or delete the line")
    elif not isinstance(tree, str):
        spot.wrong(f"is {type_of_tree(tree)}", "write one value")
    else:
        try:
            return read(tree)
        except Unfit as verdict:
            spot.unfit(verdict)
    return None
