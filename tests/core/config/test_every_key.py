"""Every key: what is written arrives, and a reload applies its change or refuses it with its name."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from banlistd.core.config.allow import WrittenAllow
from banlistd.core.config.keys import Key, Reload, Section, ValueKind, keys_of
from banlistd.core.config.kinds import SWITCH
from banlistd.core.config.load import read_catalogue
from banlistd.core.config.model import (
    USE,
    Block,
    CatalogueEntry,
    Config,
    Defaults,
    Fail2ban,
    Geo,
    Guards,
    Log,
    Online,
    ParserSettings,
    Source,
)
from banlistd.core.config.problems import Document, Spot
from banlistd.core.config.reload import RELOADS, reload_of, restart_only_changes
from banlistd.core.config.yaml import parse_document
from banlistd.core.ruleset.policy import policy_of
from banlistd.model import Mark, SourceId
from papers.keys import SECTIONS
from support.written_config import FOLDER, read

A = {"id": "a", "url": "https://lists.example/a"}
ENTRY = {**A, "every": "1h", "minimum": "1h", "home": "h", "licence": "l", "comment": "c"}

# Values of which one fits nearly every key. A key that none fits needs a row in SAMPLES.
CANDIDATES = (
    "6h",
    "30m",
    "70%",
    "10",
    "yes",
    "no",
    "2MiB",
    "reject",
    "both",
    "json",
    "csv",
    "refuse",
    "AS64496",
    "SE",
    "2030-01-01",
    "192.0.2.1",
)

# By section and key: what is written, and what arrives.
SAMPLES: Mapping[tuple[type[Section], str], tuple[object, Callable[[Any], object]]] = {
    (Config, "backend"): ("ipset", str),
    (Config, "fail2ban"): ({"jail": "other"}, lambda value: {"jail": value.jail}),
    (Config, "defaults"): ({"action": "reject"}, lambda value: {"action": str(value.action)}),
    (Config, "allow"): (["192.0.2.1"], lambda value: [str(entry.first) for entry in value]),
    (Config, "sources"): ([A], lambda value: [{"id": source.id, "url": source.url} for source in value]),
    (Config, "log"): ({"format": "json"}, lambda value: {"format": str(value.format)}),
    (Config, "parser"): ({"memory": "256MiB"}, lambda value: {"memory": f"{value.memory >> 20}MiB"}),
    (ParserSettings, "memory"): ("256MiB", lambda value: f"{value >> 20}MiB"),
    (Config, "geo"): (
        {"rewarm": "no", "databases": "/b"},
        lambda value: {"rewarm": "no", "databases": str(value.databases[0])},
    ),
    (Defaults, "guards"): ({"shrink": "70%"}, lambda value: {"shrink": f"{value.shrink:.0%}"}),
    (Source, "guards"): ({"shrink": "70%"}, lambda value: {"shrink": f"{value.shrink:.0%}"}),
    (Source, "url"): ("https://mirror.example/", str),
    (Source, "path"): ("lists/a.txt", lambda value: str(value.relative_to(FOLDER))),
    (Source, "block"): ({"countries": ["NO"]}, lambda value: {"countries": list(value.countries)}),
    (Source, "headers"): ({"X-A": "b"}, dict),
    (CatalogueEntry, "url"): ("https://mirror.example/", str),
    (CatalogueEntry, "minimum"): ("30m", lambda value: f"{value / 60:.0f}m"),
    (Geo, "databases"): ("geo/a.mmdb", lambda value: str(value[0].relative_to(FOLDER))),
    (Geo, "online"): ({"url": "https://geo.example/"}, lambda value: {"url": value.url}),
    (Online, "url"): ("https://geo.example/", str),
    (Fail2ban, "socket"): ("/run/other.sock", str),
}


def of_source(written: Mapping[str, object]) -> Config:
    place = {"id": "a"} if {"path", "block"} & written.keys() else A
    return read(json.dumps({"sources": [{**place, **written}]}))


def of_catalogue(written: Mapping[str, object]) -> CatalogueEntry:
    (entry,) = read_catalogue(parse_document("catalogue.yaml", json.dumps([{**ENTRY, **written}]).encode())).values()
    return entry


def of_allow(written: Mapping[str, object]) -> WrittenAllow:
    (entry,) = read(json.dumps({"allow": [{"address": "192.0.2.9", **written}]})).allow
    return WrittenAllow(address=(entry.first, entry.last), comment=entry.comment, until=entry.until)


def below(*path: str) -> Callable[[Mapping[str, object]], Config]:
    """A configuration of one section, which is at these keys."""

    def written(tree: Mapping[str, object]) -> Config:
        for key in reversed(path):
            tree = {key: tree}
        return read(json.dumps(tree))

    return written


# By section: what is read when these keys of it are written, as an object of the section.
READ: Mapping[type[Section], Callable[[Mapping[str, object]], Section]] = {
    Config: lambda tree: read(json.dumps(tree)),
    Defaults: lambda tree: below("defaults")(tree).defaults,
    Guards: lambda tree: below("defaults", "guards")(tree).defaults.guards,
    Source: lambda tree: of_source(tree).sources[0],
    Block: lambda tree: of_source({"block": {"countries": ["NO"], **tree}}).sources[0].block or Block(),
    CatalogueEntry: of_catalogue,
    WrittenAllow: of_allow,
    Geo: lambda tree: below("geo")(tree).geo,
    Online: lambda tree: below("geo", "online")({"url": "https://a.example/", **tree}).geo.online,
    Fail2ban: lambda tree: below("fail2ban")(tree).fail2ban,
    ParserSettings: lambda tree: below("parser")(tree).parser,
    Log: lambda tree: below("log")(tree).log,
}

EVERY_KEY = [(section, key) for section in READ for key in keys_of(section)]


def understood(kind: ValueKind, written: object) -> object:
    problems: list[Any] = []
    value = kind.read(written, Spot(Document("banlistd.yaml"), problems))
    return None if problems else value


def sample_of(section: type[Section], key: str, before: object) -> tuple[object, object]:
    """What is written, and the value that arrives when it does; it differs from the value `before`."""
    kind = keys_of(section)[key].kind
    for candidate in CANDIDATES:
        value = understood(kind, candidate)
        if value is not None and value != before:
            return candidate, value
    raise AssertionError(f"{section.__name__}.{key} needs a row in SAMPLES")


@pytest.mark.parametrize(("section", "key"), EVERY_KEY, ids=[f"{section.__name__}.{key}" for section, key in EVERY_KEY])
def test_what_is_written_arrives(section: type[Section], key: str) -> None:
    before = getattr(READ[section]({}), key)
    if (section, key) in SAMPLES:
        written, seen = SAMPLES[section, key]
        arrived = getattr(READ[section]({key: written}), key)
        assert seen(arrived) == written
    else:
        written, value = sample_of(section, key, before)
        arrived = getattr(READ[section]({key: written}), key)
        assert arrived == value
    assert arrived != before


@pytest.mark.parametrize("key", [key for key in keys_of(Defaults) if key != "guards"])
def test_a_source_inherits_every_default(key: str) -> None:
    written, value = sample_of(Defaults, key, getattr(Defaults(), key))
    (source,) = read(json.dumps({"defaults": {key: written}, "sources": [A]})).sources
    assert getattr(source, key) == value


@pytest.mark.parametrize("key", keys_of(Guards))
def test_a_source_has_every_guard_of_the_defaults_or_its_own(key: str) -> None:
    written, value = sample_of(Guards, key, getattr(Guards(), key))
    other = keys_of(Guards)[key].kind.show(getattr(Guards(), key))
    sources = [A, {**A, "id": "b", "guards": {key: other}}]
    inherits, sets = read(json.dumps({"defaults": {"guards": {key: written}}, "sources": sources})).sources
    assert getattr(inherits.guards, key) == value
    assert getattr(sets.guards, key) == getattr(Guards(), key)


@pytest.mark.parametrize(("section", "key"), EVERY_KEY, ids=[f"{section.__name__}.{key}" for section, key in EVERY_KEY])
def test_a_default_is_shown_as_it_can_be_written(section: type[Section], key: str) -> None:
    kind = keys_of(section)[key].kind
    default = getattr(section, "__dataclass_fields__")[key].default  # noqa: B009 - the slot of the same name hides it
    if isinstance(default, bool | float | int | str):
        shown = kind.show(default)
        assert not shown or understood(kind, shown) == default


@pytest.mark.parametrize("section", [section for section in READ if section is not CatalogueEntry])
def test_every_section_is_in_the_manual(section: type[Section]) -> None:
    assert section in SECTIONS


@pytest.mark.parametrize(("section", "key"), EVERY_KEY, ids=[f"{section.__name__}.{key}" for section, key in EVERY_KEY])
def test_every_key_has_a_sentence_of_help(section: type[Section], key: str) -> None:
    for declared in (keys_of(section)[key], USE):
        assert declared.help.endswith(".")
        assert declared.kind.says


# What a reload does

# What the daemon derives from its configuration in force, by live key.
EFFECT: Mapping[str, Callable[[Config], object]] = {
    "defaults": lambda config: [source.action for source in policy_of(config, {SourceId("a"): Mark(1)}, 0.0).sources],
    "allow": lambda config: [len(ranges) for ranges in config.allowed(0.0).values()],
    "sources": lambda config: [source.source_id for source in policy_of(config, {SourceId("a"): Mark(1)}, 0.0).sources],
    "geo": lambda config: config.watched(Source(id=SourceId("b"), block=Block(countries=("NO",)))),
}


@pytest.mark.parametrize("key", keys_of(Config))
def test_a_changed_key_is_live_or_refused_with_its_name(key: str) -> None:
    tree: dict[str, object] = {"sources": [A]} if key == "defaults" else {}
    written, _ = SAMPLES.get((Config, key)) or sample_of(Config, key, getattr(Config(), key))
    before, after = read(json.dumps(tree)), read(json.dumps({**tree, key: written}))
    match RELOADS[key]:
        case Reload.RESTART:
            assert restart_only_changes(before, after) == (key,)
        case Reload.LIVE:
            assert restart_only_changes(before, after) == ()
            assert EFFECT[key](before) != EFFECT[key](after)


def test_an_unchanged_configuration_needs_no_restart() -> None:
    assert restart_only_changes(Config(), Config()) == ()


def test_every_changed_key_is_named_at_once() -> None:
    after = replace(Config(), log=read("log: {format: json}").log, owner=read("owner: yes").owner, allow=())
    assert restart_only_changes(Config(), after) == ("owner", "log")


# A declaration that is not complete


def test_a_field_without_a_key_is_an_error() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Bare(Section):
        html: bool = True

    with pytest.raises(TypeError, match=r"^Bare\.html is declared without a Key$"):
        keys_of(Bare)


def test_a_top_level_key_that_does_not_say_how_it_reloads_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"^Config\.html is declared without"):
        reload_of("html", Key(SWITCH, "A switch."))
