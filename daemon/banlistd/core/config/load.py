"""Files' content -> one Config, or every problem at once, each with its file and line. No file is opened here."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ValidationError

from banlistd.backends import BackendName
from banlistd.core.config import values
from banlistd.core.config.format import read_format
from banlistd.core.config.model import (
    AllowEntry,
    Block,
    CatalogueEntry,
    Config,
    Defaults,
    Fail2ban,
    Frozen,
    Geo,
    Guards,
    Log,
    Note,
    Online,
    Source,
    text,
)
from banlistd.core.config.problems import Document, Problem, Spot, report
from banlistd.core.config.values import Unfit, among, closest, shown
from banlistd.errors import ConfigError
from banlistd.formats import Format, FormatType

Catalogue = Mapping[str, CatalogueEntry]
Model = TypeVar("Model", bound=BaseModel)
Tree = dict[str, object]


def read_config(documents: Sequence[Document], catalogue: Catalogue, folder: Path) -> Config:
    """The configuration of its files: the first is banlistd.yaml, the others hold sources only.

    Relative names of lists are relative to `folder`. Raises ConfigError, whose `problems` are all that is wrong.
    """
    problems = [problem for document in documents for problem in document.problems]
    main, *more = (Spot(document, problems) for document in documents)
    tree = _mapping(main.document.tree, main)
    single = _read(Config, {key: tree[key] for key in tree if key not in _SECTIONS}, main)
    at = main.at("defaults")
    log = _read(Log, _mapping(tree.get("log"), main.at("log")), main.at("log"))
    geo = _geo(_mapping(tree.get("geo"), main.at("geo")), main.at("geo"))
    jail = _read(Fail2ban, _mapping(tree.get("fail2ban"), main.at("fail2ban")), main.at("fail2ban"))
    defaults = _read(Defaults, _with_guards(_mapping(tree.get("defaults"), at), Guards(), at), at)
    allow = [
        _allow_entry(entry, main.at("allow", index)) for index, entry in enumerate(_list(tree.get("allow"), main.at("allow")))
    ]
    written = _written(main.at("sources"), tree.get("sources"))
    for spot in more:
        written += _sources_of(spot)
    sources = [_source(one, defaults or Defaults(), catalogue) for one in written]
    _refuse_twins(written)
    backend = (single or Config()).backend
    for one, source in zip(written, sources, strict=True):
        if source and source.enabled:
            _refuse_beyond(backend, source, one, main)
    _raise_all(problems, documents)
    return Config(
        backend=backend,
        owner=(single or Config()).owner,
        fail2ban=jail or Fail2ban(),
        log=log or Log(),
        geo=_settled_geo(geo or Geo(), folder),
        defaults=defaults or Defaults(),
        allow=tuple(entry for entry in allow if entry),
        sources=tuple(_settled(source, folder) for source in sources if source),
    )


# The keys of banlistd.yaml that hold more than one value; each is read by itself.
_SECTIONS = ("log", "fail2ban", "geo", "defaults", "allow", "sources")


def read_catalogue(document: Document) -> Catalogue:
    """The catalogue of its file: a list of entries. Raises ConfigError as `read_config` does."""
    problems = list(document.problems)
    root = Spot(document, problems)
    entries: dict[str, CatalogueEntry] = {}
    for index, tree in enumerate(_list(document.tree, root)):
        spot = root.at(index)
        entry = _read(CatalogueEntry, _with_format(_mapping(tree, spot), spot), spot)
        if entry and entry.every < entry.minimum:
            spot.at("every").wrong("is shorter than minimum")
        if entry and entry.id in entries:
            spot.at("id").wrong(f"{shown(entry.id)} stands here twice")
        if entry:
            entries[entry.id] = entry
    _raise_all(problems, [document])
    return entries


def _raise_all(problems: Sequence[Problem], documents: Sequence[Document]) -> None:
    if not problems:
        return
    order = {document.name: index for index, document in enumerate(documents)}
    found = sorted(problems, key=lambda problem: (order.get(problem.file, len(order)), problem.line))
    lines = tuple(dict.fromkeys(str(problem) for problem in found))
    raise ConfigError("configuration is wrong", f"{len(lines)} problem{'s' * (len(lines) > 1)}", problems=lines)


def _mapping(tree: object, spot: Spot) -> Tree:
    """Nothing at all is an empty mapping: its lines are commented out."""
    if isinstance(tree, dict):
        return tree
    if tree is not None:
        spot.wrong(f"is {_kind(tree)} and must be a mapping", "write name: value, one a line")
    return {}


def _list(tree: object, spot: Spot) -> list[object]:
    if isinstance(tree, list):
        return tree
    if tree is not None:
        spot.wrong(f"is {_kind(tree)} and must be a list", 'write "- " before each entry')
    return []


def _kind(tree: object) -> str:
    return "a mapping" if isinstance(tree, dict) else "a list" if isinstance(tree, list) else "a single value"


def _read(model: type[Model], tree: Mapping[str, object], spot: Spot, known: Iterable[str] = ()) -> Model | None:
    """The model of a mapping; None where something is wrong, which is reported. `known`: keys beside the model's."""
    bare = [key for key, value in tree.items() if value is None and key in model.model_fields]
    for key in bare:
        spot.at(key).wrong("has no value", "write one or delete the line")
    try:
        read = model.model_validate({key: value for key, value in tree.items() if key not in bare})
    except ValidationError as refused:
        for error in refused.errors(include_url=False):
            if error["type"] != "missing" or error["loc"][0] not in bare:
                report(error, spot, (*known, *model.model_fields))
        return None
    return None if bare else read


class _WrittenAllow(Frozen):
    address: Annotated[tuple[values.Address, values.Address], text(values.addresses)]
    comment: Note = ""
    until: Annotated[values.Until | None, text(values.until)] = None


def _allow_entry(tree: object, spot: Spot) -> AllowEntry | None:
    if isinstance(tree, dict) and len(tree) == 1 and next(iter(tree)).endswith(":"):
        # YAML reads `- fe80::` as the key `fe80:` with nothing behind it.
        spot.wrong('an address that ends in ":" needs quotes', f'write "{next(iter(tree))}:"')
        return None
    if not isinstance(tree, str | dict):
        spot.wrong("is not an address", "write 192.0.2.0/24, or {address: 192.0.2.0/24, comment: office}")
        return None
    if isinstance(tree, str):
        try:
            first, last = values.addresses(tree)
        except Unfit as verdict:
            spot.unfit(verdict)
            return None
        return AllowEntry(first=first, last=last)
    entry = _read(_WrittenAllow, tree, spot)
    if entry is None:
        return None
    first, last = entry.address
    return AllowEntry(first=first, last=last, comment=entry.comment, until=entry.until)


@dataclass(frozen=True, slots=True)
class _Written:
    """A source as it stands in a file."""

    tree: Tree
    spot: Spot

    @property
    def used(self) -> object:
        return self.tree.get("use")

    @property
    def id(self) -> object:
        return self.tree.get("id", self.used)


def _written(spot: Spot, tree: object) -> list[_Written]:
    found = []
    for index, one in enumerate(_list(tree, spot)):
        if isinstance(one, dict):
            found.append(_Written(one, spot.at(index)))
        else:
            name = one if isinstance(one, str) and one.replace("-", "").isalnum() else "spamhaus-drop"
            spot.at(index).wrong("is not a source", f"write id: and url:, or use: {name}")
    return found


def _sources_of(spot: Spot) -> list[_Written]:
    """A file of sources.d: one source, a list of them, or `sources:` and a list. Nothing at all is no source."""
    tree = spot.document.tree
    if isinstance(tree, dict) and "sources" not in tree:
        return [_Written(tree, spot)]
    if isinstance(tree, dict):
        for key in tree:
            hint = "it belongs in banlistd.yaml" if key in Config.model_fields else "known: sources"
            if key != "sources":
                spot.at(key).wrong("is not a key here", hint)
        return _written(spot.at("sources"), tree["sources"])
    if isinstance(tree, str):
        spot.wrong("is not a source", "write id: and url:, or use: and a name of the catalogue")
        return []
    return _written(spot, tree)


def _source(written: _Written, defaults: Defaults, catalogue: Catalogue) -> Source | None:
    own, spot = {key: value for key, value in written.tree.items() if key != "use"}, written.spot
    if own.get("headers", 0) is None:
        del own["headers"]
    entry = _entry(written, catalogue)
    merged: Tree = dict(defaults)
    if entry:
        merged |= {key: value for key, value in entry if key in Source.model_fields}
    if "path" in own:
        merged.pop("url", None)
    block = _block(own, spot) if "block" in own else None
    guards = _of_countries(defaults.guards) if block else defaults.guards
    if block:
        own |= {"block": block}
        merged |= {"format": Format(FormatType.PLAIN), "guards": guards}
    merged |= _with_guards(_with_format(own, spot), guards, spot)
    if "use" in written.tree and not entry:
        merged.setdefault("id", "unknown")
    else:
        _check_place(own, merged, spot)
    _check_interval(own, merged, entry, spot)
    return _read(Source, merged, spot, ("use",))


def _with_format(tree: Tree, spot: Spot) -> Tree:
    """The mapping with its format understood; one without a value is left to be reported with the others."""
    written = tree.get("format")
    return tree if written is None else {**tree, "format": read_format(written, spot.at("format"))}


def _with_guards(tree: Tree, otherwise: Guards, spot: Spot) -> Tree:
    """The mapping with its guards understood, key by key over those that hold otherwise."""
    if "guards" not in tree:
        return tree
    at = spot.at("guards")
    return {**tree, "guards": _read(Guards, dict(otherwise) | _mapping(tree["guards"], at), at) or otherwise}


def _of_countries(guards: Guards) -> Guards:
    """A country is wide on purpose. What the source itself says of these guards holds all the same."""
    return guards.model_copy(update={"share": math.inf, "widest4": 0, "widest6": 0})


def _block(own: Tree, spot: Spot) -> Block | None:
    """None where something is wrong, which is reported."""
    at = spot.at("block")
    block = _read(Block, _mapping(own["block"], at), at)
    if block == Block():
        at.wrong("names nobody", "write {countries: [NO, SE]}, or {asns: [AS64496]}")
    for key in ("format", "headers", "max_bytes"):
        if key in own:
            spot.at(key).wrong("goes with url and path only", "a block comes from a database: delete the line")
    return block


def _geo(tree: Tree, spot: Spot) -> Geo | None:
    if "online" in tree:
        at = spot.at("online")
        online = _read(Online, _mapping(tree["online"], at), at)
        tree = {**tree, "online": online or Online()}
        if online and online.enabled and not online.url:
            at.wrong("is enabled and has no url", "write url: http://ip-api.com/batch, or that of a service of your own")
    return _read(Geo, tree, spot)


def _settled_geo(geo: Geo, folder: Path) -> Geo:
    return geo.model_copy(update={"databases": tuple(dict.fromkeys(folder / path for path in geo.databases))})


def _entry(written: _Written, catalogue: Catalogue) -> CatalogueEntry | None:
    if "use" not in written.tree:
        return None
    used, spot = written.used, written.spot.at("use")
    if not isinstance(used, str):
        spot.wrong("has no value" if used is None else "is not a name", "write a name of the catalogue")
        return None
    if used not in catalogue:
        near = closest(used, catalogue)
        hint = f"did you mean {near}?" if near else f"known: {among(catalogue)}"
        spot.wrong(f"{shown(used)} is not in the catalogue", hint)
    return catalogue.get(used)


def _check_place(own: Tree, merged: Tree, spot: Spot) -> None:
    given = [key for key in ("url", "path", "block") if key in own]
    if len(given) > 1:
        later = max(given, key=lambda key: spot.at(key).line)
        words = f"{' and '.join(given)} stand side by side"
        spot.at(later).wrong(words, "a list is downloaded or is a file: delete one of them")
    elif "block" in own and "url" in merged:
        spot.at("block").wrong("use and block stand side by side", "delete one of them")
    elif not given and "url" not in merged:
        hint = "add url: https://..., path: /a/file, block: {countries: [NO]}, or use: a name of the catalogue"
        spot.wrong("has neither url nor path nor block", hint)
    elif "headers" in own and "path" in own:
        spot.at("headers").wrong("goes with url only", "a file is asked for nothing: delete the line")


def _check_interval(own: Tree, merged: Tree, entry: CatalogueEntry | None, spot: Spot) -> None:
    """A mirror of one's own may be asked as often as one likes; a publisher may not."""
    written = own.get("every")
    if entry is None or merged.get("url") != entry.url or not isinstance(written, str):
        return
    try:
        seconds = values.duration(written)
    except Unfit:
        return  # reported with the other values
    if seconds < entry.minimum:
        least = f"{entry.minimum / 60:.0f}m" if entry.minimum % 3600 else f"{entry.minimum / 3600:.0f}h"
        hint = f"its publisher asks for {least} or more"
        spot.at("every").wrong(f"{shown(written)} is too often for {entry.id}", hint)


def _refuse_twins(written: Iterable[_Written]) -> None:
    first: dict[str, Spot] = {}
    for one in written:
        if not isinstance(one.id, str):
            continue
        spot = one.spot.at("id" if "id" in one.tree else "use")
        if one.id in first:
            twin = first[one.id]
            hint = f"it stands in {twin.document.name}:{twin.line}; give one of them another id"
            spot.wrong(f"{shown(one.id)} is already the id of another source", hint)
        first.setdefault(one.id, spot)


def _refuse_beyond(backend: BackendName, source: Source, written: _Written, main: Spot) -> None:
    """What the backend cannot do is said where it was asked for: at the source, or at the defaults."""
    defaults = _mapping(_mapping(main.document.tree, main).get("defaults"), main)
    for key, value, known in backend.kind.capabilities.exceeded_by(source.action, source.direction):
        inherited = key in defaults and key not in written.tree
        spot = main.at("defaults", key) if inherited else written.spot.at(key)
        spot.wrong(f"{value} cannot be had with backend {backend}", f"write {among(sorted(known))}")


def _settled(source: Source, folder: Path) -> Source:
    return source.model_copy(update={"path": folder / source.path}) if source.path else source
