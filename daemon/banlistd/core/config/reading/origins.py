"""The values of one source as they are in force, as text without secrets, and where each of them was written."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from banlistd.core.config.catalogue.entry import CatalogueEntry
from banlistd.core.config.kept import Files
from banlistd.core.config.keys import Key, Section, ValueKind, keys_of, values_of
from banlistd.core.config.model import Source
from banlistd.core.config.problems import Document, Spot
from banlistd.core.config.reading.ids import id_of_url
from banlistd.core.config.reading.written import WrittenSource, sources_of, written_at
from banlistd.core.config.sections.defaults import Defaults
from banlistd.core.config.yaml import parse_document
from banlistd.core.credentials import may_contain_secret, shown_url
from banlistd.formats import Format

BUILT_IN = "built in"

_MAIN = "banlistd.yaml"
_HIDDEN = "not shown: it may contain a secret"
# Shown by other means: the name of the source, and what it was found by.
_ABOUT_ITSELF = ("id",)


@dataclass(frozen=True, slots=True)
class Setting:
    """`key`: with a dot before a key of a section, as `guards.shrink`. `origin`: `FILE:LINE`, `defaults, FILE:LINE`, `catalogue
    NAME`, or `built in`.
    """

    key: str
    value: str
    origin: str


def settings_of(source: Source, defaults: Defaults, entry: CatalogueEntry | None, files: Files) -> list[Setting]:
    """Of a source that these files declare; what is empty is left out. `entry`: the one of the catalogue that it uses.

    It parses the files that name the source: milliseconds, or seconds for thousands of sources in one file.
    """
    name = str(source.id).encode()
    documents = [parse_document(one, text) for one, text in files.items() if one == _MAIN or name in text]
    main = next((document for document in documents if document.name == _MAIN), None)
    written = next((one for document in documents for one in _written(document) if one.id == source.id), None)
    root = main.tree if main and isinstance(main.tree, dict) else {}
    where = _Places(written, Spot(main, []).at("defaults") if main else None, _mapping(root.get("defaults")), defaults, entry)
    return list(_settings(Source, source, where, ()))


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a value may come from, the nearest first. `spot`, `tree`: `defaults:` as it is written."""

    written: WrittenSource | None
    spot: Spot | None
    tree: Mapping[str, object]
    defaults: Defaults
    entry: CatalogueEntry | None

    def origin(self, way: tuple[str, ...], key: Key, value: object) -> str:
        names = [(*way[:-1], name) for name in (way[-1], *key.old)]
        if self.written is not None:
            for name in names:
                if _is_in(self.written.tree, name):
                    return _place(self.written.spot.at(*name))
        if self.entry is not None and len(way) == 1 and value == values_of(self.entry).get(way[0], _NOTHING):
            return f"catalogue {self.entry.id}"
        for name in names:
            if self.spot is not None and _is_in(self.tree, name) and value == _value_at(self.defaults, name):
                return f"defaults, {_place(self.spot.at(*name))}"
        return BUILT_IN


_NOTHING = object()


def _settings(kind: type[Section], section: Section, where: _Places, above: tuple[str, ...]) -> Iterator[Setting]:
    for name, key in keys_of(kind).items():
        value, way = getattr(section, name), (*above, name)
        if isinstance(value, Section):
            yield from _settings(type(value), value, where, way)
        elif way[0] not in _ABOUT_ITSELF and (text := _text(name, key.kind, value)):
            yield Setting(".".join(way), text, where.origin(way, key, value))


def _text(name: str, kind: ValueKind, value: Any) -> str:
    if value is None or value in ((), "", {}):
        return ""
    if name in _SPECIAL:
        return _SPECIAL[name](value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return _without_secret(kind.show(value) or str(value))


def _without_secret(text: str) -> str:
    return shown_url(text) if "://" in text else text


def _urls(value: str | tuple[str, ...]) -> str:
    urls = (value,) if isinstance(value, str) else value
    return ", ".join(shown_url(url) + (" (a part is not shown)" if may_contain_secret(url) else "") for url in urls)


def _format(form: Format) -> str:
    """The type and the keys that differ from the default."""
    plain = Format(form.type)
    keys = [one.name for one in fields(form) if one.name != "type" and getattr(form, one.name) != getattr(plain, one.name)]
    return " ".join((str(form.type), *(f"{key}={_joined(getattr(form, key))}" for key in keys)))


def _joined(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


_SPECIAL: Mapping[str, Callable[[Any], str]] = {
    "url": _urls,
    "headers": lambda headers: f"{', '.join(headers)} (what they say is not shown)",
    "body": lambda _: _HIDDEN,
    "proxy": _urls,
    "format": _format,
}


def _written(document: Document) -> list[WrittenSource]:
    root = Spot(document, [])
    if document.name != _MAIN:
        return sources_of(root)
    tree = _mapping(document.tree)
    allowed = tree.get("allow")
    lists = [(at, one) for at, one in enumerate(allowed) if isinstance(one, dict)] if isinstance(allowed, list) else []
    entries = (WrittenSource(_with_id(one), root.at("allow", at), allows=True) for at, one in lists)
    return [*written_at(root.at("sources"), tree.get("sources")), *entries]


def _with_id(tree: Mapping[str, object]) -> Mapping[str, object]:
    """An entry of `allow` with the id that its list has."""
    url = tree.get("url")
    return tree if "id" in tree or not isinstance(url, str) else {**tree, "id": id_of_url(url)}


def _mapping(tree: object) -> Mapping[str, object]:
    return tree if isinstance(tree, dict) else {}


def _is_in(tree: object, way: tuple[str, ...]) -> bool:
    for name in way:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True


def _value_at(section: object, way: tuple[str, ...]) -> object:
    for name in way:
        section = getattr(section, name, _NOTHING)
    return section


def _place(spot: Spot) -> str:
    return f"{spot.document.name}:{spot.line}"
