"""Files' content -> one Config, or every problem at once, each with its file and line. No file is opened here."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from banlistd.backends import BackendName
from banlistd.core.config import web
from banlistd.core.config.catalogue.allowed import expanded
from banlistd.core.config.catalogue.entry import CatalogueEntry
from banlistd.core.config.catalogue.in_use import forbidden_to, known_entries
from banlistd.core.config.catalogue.known import KnownLists
from banlistd.core.config.catalogue.terms import Purpose, UseFor
from banlistd.core.config.combining import checks as combining
from banlistd.core.config.keys import keys_of, mapping_at, read_section, read_values, values_of
from banlistd.core.config.model import STDIN, Config, Source
from banlistd.core.config.problems import Document, Spot, raise_all
from banlistd.core.config.reading.allow_lists import allow_sources, only_entries
from banlistd.core.config.reading.fleet_parts import check_fleet
from banlistd.core.config.reading.names import NAMES_EVERY, NAMES_TTL
from banlistd.core.config.reading.scoping import check_number, check_scope
from banlistd.core.config.reading.written import Tree, WrittenSource, sources_of, written_at
from banlistd.core.config.sections.conditions import read_where
from banlistd.core.config.sections.defaults import Defaults, check_shadow
from banlistd.core.config.sections.geo import Geo
from banlistd.core.config.sections.guards import Guards, OnStale
from banlistd.core.config.sections.interval import ByTtl, poll_interval
from banlistd.core.config.service.fleet import REPORTS
from banlistd.core.config.service.reports import REPORTS_EVERY
from banlistd.core.config.values import Unfit, among, closest
from banlistd.core.printing import shown
from banlistd.formats import Format, FormatType
from banlistd.model import Action

_TLS = ("ca", "client_certificate", "client_key")
_OF_A_URL = ("headers", "method", "body", "body_type", "minimum", "public_only", "pages", "verify", *_TLS, "proxy")

PLACES = ("url", "path", "block", "only", "merge", "intersect", "names", "hub", "reports")
# What has no bytes, and where it comes from.
_NO_BYTES = {
    "block": "a block comes from a database",
    "only": "its addresses come from a database",
    "merge": "a combination comes from other sources",
    "intersect": "a combination comes from other sources",
    "names": "its addresses come from the name service",
    "hub": "a list of the fleet comes from its hub",
    "reports": "its addresses are those that nodes report",
}


def read_config(documents: Sequence[Document], catalogue: KnownLists, folder: Path) -> Config:
    """The configuration of its files: the first is banlistd.yaml, the others contain sources only.

    Relative names of lists are relative to `folder`. Raises ConfigError, whose `problems` are all that is wrong.
    """
    problems = [problem for document in documents for problem in document.problems]
    main, *more = (Spot(document, problems) for document in documents)
    tree = mapping_at(main.document.tree, main)
    # Every key of Config, whatever it is, but for the sources: they depend on other keys.
    found = read_values(Config, tree, main, beside=("sources",))
    allow = found.get("allow", ())
    found["allow"] = tuple(expanded(only_entries(allow), catalogue))
    config = Config(**found)
    written = written_at(main.at("sources"), tree.get("sources"))
    for spot in more:
        written += sources_of(spot)
    if config.defaults.action is Action.ALLOW:
        main.at("defaults", "action").wrong("is allow, and no list would ban anything", "write action: allow at a source")
    _refuse_nothing(main, more, written)
    # Allow lists are polled first.
    written = [*allow_sources(allow, catalogue, written), *written]
    sources = [_source(one, config.defaults, catalogue) for one in written]
    _refuse_twins(written)
    combining.check_parts(
        [
            combining.Declared(one.id, source.enabled if source else True, one.tree, one.spot)
            for one, source in zip(written, sources, strict=True)
        ]
    )
    _refuse_lifted_parts(written, sources)
    for one, source in zip(written, sources, strict=True):
        if source and source.enabled:
            _refuse_beyond(config.backend, source, one, main)
            check_scope(one.tree, source.action, source.scope, one.spot, possible=config.backend.kind.capabilities.scopes)
            check_shadow(one.tree, source.action, one.spot, possible=config.backend.kind.capabilities.shadows)
            _refuse_forbidden(config.use_for, source, one, catalogue)
    check_fleet(config, [(source, one.spot) for one, source in zip(written, sources, strict=True)], main)
    check_number([(source.scope, one.spot) for one, source in zip(written, sources, strict=True) if source and source.enabled])
    raise_all(problems, documents)
    return replace(
        config,
        geo=_absolute_databases(config.geo, folder),
        sources=tuple(_absolute_paths(source, folder) for source in sources if source),
    )


def _source(written: WrittenSource, defaults: Defaults, catalogue: KnownLists) -> Source | None:
    """A source over its catalogue entry over the defaults; None where something is wrong, once reported."""
    own, spot = written.tree, written.spot
    before = len(spot.problems)
    entry = _entry(written, catalogue)
    merged = _inherited(own, defaults, entry)
    narrows = written.allows and entry is not None and "format" not in own
    beside = (*(("id",) if "id" not in own else ()), *(("where",) if narrows else ()))
    merged |= read_values(Source, own, spot, beside=("use", "guards", *beside))
    if narrows and "where" in own:
        merged["format"] = replace(merged["format"], where=read_where(own["where"], spot.at("where")))
    merged["use"] = entry.id if entry else None
    guards = defaults.guards.for_countries() if "block" in own or "only" in own else defaults.guards
    if "hub" in own or "reports" in own:
        guards = guards.for_fleets(reported="reports" in own or own["hub"] == REPORTS)
    allows = merged["action"] is Action.ALLOW
    if allows:
        guards = guards.for_allow_lists()
        merged["ttl"] = merged["ttl"] if "ttl" in own or "names" in own else None
    merged["guards"] = read_section(Guards, own.get("guards"), spot.at("guards"), guards)
    if allows and merged["guards"] and merged["guards"].on_stale is OnStale.LIFT:
        spot.at("guards").wrong("on_stale is lift, and a list that allows must not lapse", "write on_stale: keep")
    if "use" not in own or entry:
        if "id" not in own and not entry:
            spot.at("id").wrong("is missing")
        _check_place(own, merged, spot)
    _check_interval(own, merged, entry, spot)
    if merged.get("two_miss") and merged.get("ttl") is not None:
        spot.at("two_miss" if "two_miss" in own else "ttl").wrong("two_miss and ttl exclude each other", "delete one of them")
    return Source(**merged) if len(spot.problems) == before else None


def _inherited(own: Tree, defaults: Defaults, entry: CatalogueEntry | None) -> dict[str, Any]:
    merged = values_of(defaults)
    if entry:
        merged |= {key: value for key, value in values_of(entry).items() if key in keys_of(Source)}
    own_urls = own.get("url", ())
    if own_urls and entry and entry.url not in (own_urls if isinstance(own_urls, list) else [own_urls]):
        del merged["minimum"]  # a private mirror may be asked at any interval
    if "path" in own:
        merged.pop("url", None)
    if "path" in own or any(key in own for key in _NO_BYTES):
        merged.pop("minimum", None)
    if "merge" in own or "intersect" in own:
        merged |= {"ttl": None, "two_miss": False}  # its parts have them, and what is excluded would stay
    if any(key in own for key in ("block", "only", "names", "hub", "reports")):
        merged["format"] = Format(FormatType.PLAIN)
    if "reports" in own:
        merged |= {"every": REPORTS_EVERY, "ttl": None, "two_miss": False}
    if "reports" in own or own.get("hub") == REPORTS:
        merged["allow_empty"] = True  # no node has reported anything yet
    if "names" in own:
        merged |= {"every": ByTtl(NAMES_EVERY), "ttl": NAMES_TTL, "two_miss": False}
    return merged


def _absolute_databases(geo: Geo, folder: Path) -> Geo:
    return replace(geo, databases=tuple(dict.fromkeys(folder / path for path in geo.databases)))


def _absolute_paths(source: Source, folder: Path) -> Source:
    named = {key: value for key in ("path", "ca", "client_certificate") if (value := getattr(source, key)) not in (None, STDIN)}
    found = {key: folder / value for key, value in named.items()}
    if source.verify and source.verify.keyring:
        found["verify"] = replace(source.verify, keyring=folder / source.verify.keyring)
    return replace(source, **found) if found else source


def _entry(written: WrittenSource, catalogue: KnownLists) -> CatalogueEntry | None:
    if "use" not in written.tree:
        return None
    used, spot = written.used, written.spot.at("use")
    if not isinstance(used, str):
        spot.wrong("has no value" if used is None else "is not a name", "write a name of the catalogue")
        return None
    if used not in catalogue:
        near = closest(used, catalogue)
        hint = f"did you mean {near}?" if near else "banlistctl catalogue lists the names"
        spot.wrong(f"{shown(used)} is not in the catalogue", hint)
    entry = catalogue.get(used)
    if entry and entry.purpose is Purpose.ALLOW and written.tree.get("action") not in (Action.NONE, Action.ALLOW):
        hint = "write it under allow:, or action: allow here; action: none to combine it"
        spot.wrong(f"{entry.id} is a reference for the allowlist", hint)
        return None
    if entry and written.allows and entry.purpose is not Purpose.ALLOW:
        spot.wrong(f"{entry.id} is a list to ban", "delete it here")
        return None
    return entry


def _check_place(own: Tree, merged: Tree, spot: Spot) -> None:
    given = [key for key in PLACES if key in own]
    if len(given) > 1:
        later = max(given, key=lambda key: spot.at(key).line)
        words = f"{' and '.join(given)} exclude each other"
        made = given[-1] in ("merge", "intersect")
        spot.at(later).wrong(
            words,
            "delete one of them, or write it as a source of its own"
            if made
            else "a list is downloaded or is a file: delete one of them",
        )
    elif given and given[0] in _NO_BYTES and "url" in merged:
        spot.at(given[0]).wrong(f"use and {given[0]} exclude each other", "delete one of them")
    elif not given and "url" not in merged:
        hint = "add url: https://..., path: /a/file, block: {countries: [NO]}, merge: [a, b], or use: a name of the catalogue"
        spot.wrong("has neither url nor path nor block nor merge", hint)
    elif "path" in own:
        for key in _OF_A_URL:
            if key in own:
                spot.at(key).wrong("goes with url only", "a file is asked for nothing: delete the line")
    _refuse_beside(own, spot)


def _refuse_beside(own: Tree, spot: Spot) -> None:
    """Keys that do not go with what is written beside them."""
    if "body" in own and own.get("method") == web.RequestMethod.GET:
        spot.at("method").wrong("goes without a body", "write POST, or delete the line")
    if "client_key" in own and "client_certificate" not in own:
        spot.at("client_key").wrong("is the key of no certificate", "add client_certificate: /a/file.pem")
    if "hold" in own and "hub" not in own:
        spot.at("hold").wrong("goes with hub only", "no hub withdraws a version of this list: delete the line")
    if "verify" in own and "pages" in own:
        spot.at("verify").wrong("goes without pages", "a publisher signs files, not the pages of a server: delete one of them")
    for place, origin in _NO_BYTES.items():
        for key in ("format", "max_bytes", *_OF_A_URL) if place in own else ():
            if key in own and (place, key) != ("hub", "max_bytes"):
                fits = "url only" if key in _OF_A_URL else "url and path only"
                spot.at(key).wrong(f"goes with {fits}", f"{origin}: delete the line")
    combining.check_keys(own, spot)


def _check_interval(own: Tree, merged: Tree, entry: CatalogueEntry | None, spot: Spot) -> None:
    """A private mirror may be polled at any interval, a publisher's server may not."""
    url = merged.get("url")
    urls = url if isinstance(url, tuple) else (url,)
    if entry is None or entry.url not in urls:
        return
    for key in ("every", "minimum"):
        written = own.get(key)
        if not isinstance(written, str):
            continue
        try:
            seconds = poll_interval(written)
        except Unfit:
            continue  # reported with the other values
        if seconds < entry.minimum:
            least = f"{entry.minimum / 60:.0f}m" if entry.minimum % 3600 else f"{entry.minimum / 3600:.0f}h"
            hint = f"its publisher asks for {least} or more"
            spot.at(key).wrong(f"{shown(written)} is too often for {entry.id}", hint)


def _refuse_nothing(main: Spot, more: Sequence[Spot], written: Sequence[WrittenSource]) -> None:
    """A full disk, a cut copy or a template may empty a file: that no source is wanted must be written out."""
    root = main.document.tree
    if main.document.problems:
        return
    if root is None:
        main.wrong("is empty", "write sources: [] if no source is wanted, or none beside those of sources.d")
    elif isinstance(root, dict) and root.get("sources") is None and not written and not any(map(_says_sources, more)):
        words = "has no value" if "sources" in root else "is missing"
        main.at("sources").wrong(words, "write sources: [] if no source is wanted")


def _says_sources(spot: Spot) -> bool:
    """Whether a file of sources.d has a list of sources, which may be empty, or cannot be read."""
    tree = spot.document.tree
    return bool(spot.document.problems) or isinstance(tree.get("sources") if isinstance(tree, dict) else tree, list)


def _refuse_lifted_parts(written: Sequence[WrittenSource], sources: Sequence[Source | None]) -> None:
    """Without the bans of a part, a combination would be narrower, or wider."""
    parts = {part for source in sources if source and source.combination for part in source.combination.sources}
    for one, source in zip(written, sources, strict=True):
        if source and source.id in parts and source.guards.on_stale is OnStale.LIFT:
            words = "on_stale is lift, and a combination that has it as a part would change"
            one.spot.at("guards").wrong(words, "write on_stale: keep")


def _refuse_twins(written: Iterable[WrittenSource]) -> None:
    first: dict[str, Spot] = {}
    for one in written:
        if not isinstance(one.id, str):
            continue
        spot = one.spot.at("id" if "id" in one.tree else "use")
        if one.id in first:
            twin = first[one.id]
            hint = f"it is in {twin.document.name}:{twin.line}; give one of them another id"
            spot.wrong(f"{shown(one.id)} is already the id of another source", hint)
        first.setdefault(one.id, spot)


def _refuse_forbidden(use_for: UseFor, source: Source, written: WrittenSource, catalogue: KnownLists) -> None:
    for verdict in filter(None, (forbidden_to(use_for, entry) for entry in known_entries(source, catalogue))):
        written.spot.at("use" if "use" in written.tree else "url").wrong(*verdict)


def _refuse_beyond(backend: BackendName, source: Source, written: WrittenSource, main: Spot) -> None:
    """What the backend cannot do is reported where it is written: at the source, or at the defaults."""
    root = main.document.tree
    defaults = root.get("defaults") if isinstance(root, dict) else None
    for key, value, known in backend.kind.capabilities.exceeded_by(
        source.action, source.direction, source.logged_to, hits=source.hits
    ):
        inherited = isinstance(defaults, dict) and key in defaults and key not in written.tree
        spot = main.at("defaults", key) if inherited else written.spot.at(key)
        spot.wrong(f"the backend {backend} does not support {value}", f"write {among(sorted(known))}")
