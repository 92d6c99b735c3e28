"""Every key: what is written arrives, and a reload applies its change or refuses it with its name."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from banlistd.core.config.catalogue.entry import CatalogueEntry
from banlistd.core.config.catalogue.in_use import remarks_on_lists
from banlistd.core.config.catalogue.read import read_catalogue
from banlistd.core.config.keys import Key, Reload, Section, ValueKind, keys_of, sections_of
from banlistd.core.config.kinds import SWITCH
from banlistd.core.config.model import Config, Source
from banlistd.core.config.problems import Document, Spot
from banlistd.core.config.reload import RELOADS, reload_of, restart_only_changes
from banlistd.core.config.sections.allow import WrittenAllow
from banlistd.core.config.sections.block import Block, Only
from banlistd.core.config.sections.defaults import Defaults
from banlistd.core.config.sections.geo import Online
from banlistd.core.config.sections.guards import Guards
from banlistd.core.config.sections.pages import Pages
from banlistd.core.config.sections.verify import Verify
from banlistd.core.config.service.fleet import Fleet, Publish
from banlistd.core.config.service.mqtt import Mqtt, MqttTls
from banlistd.core.config.service.notify import ProgramHook
from banlistd.core.config.service.orders import KnownOperator
from banlistd.core.config.yaml import parse_document
from banlistd.core.ruleset.policy import policy_of
from banlistd.model import Mark, SourceId
from support.operators import BERT, key_text
from support.written_config import CATALOGUE, FOLDER, read

A = {"id": "a", "url": "https://lists.example/a"}
FLEET = {"name": "home", "root": "/r.json", "urls": ["https://b.example/fleet"]}
ENTRY = {**A, "every": "1h", "minimum": "1h", "home": "h", "licence": "l", "comment": "c"}

# Values of which one fits a usual key whose kind has no examples of its own.
CANDIDATES = (
    "6h",
    "30m",
    "70%",
    "10",
    "yes",
    "no",
    "2MiB",
    "json",
    "csv",
    "AS64496",
    "SE",
    "2030-01-01",
    "192.0.2.1",
)

# By section and key: what is written, and what arrives, where that depends on other keys, on the folder, or on EFFECT below.
SAMPLES: Mapping[tuple[type[Section], str], tuple[object, Callable[[Any], object]]] = {
    (Config, "defaults"): ({"action": "reject"}, lambda value: {"action": str(value.action)}),
    (Config, "sources"): ([A], lambda value: [{"id": source.id, "url": source.url} for source in value]),
    (Config, "geo"): (
        {"rewarm": "no", "databases": "/b"},
        lambda value: {"rewarm": "no", "databases": str(value.databases[0])},
    ),
    (Config, "hooks"): ([{"run": ["/bin/a", "b"]}], lambda value: [{"run": list(hook.run)} for hook in value]),
    (Source, "path"): ("lists/a.txt", lambda value: str(value.relative_to(FOLDER))),
    (Source, "use"): ("known", lambda value: value),
    (Source, "intersect"): (["b", "c"], list),
    (Source, "at_least"): ("2", str),
    (Source, "ca"): ("tls/a.pem", lambda value: str(value.relative_to(FOLDER))),
    (Source, "client_certificate"): ("tls/a.pem", lambda value: str(value.relative_to(FOLDER))),
    (Verify, "keyring"): ("keys/a.gpg", lambda value: str(value.relative_to(FOLDER))),
    (CatalogueEntry, "minimum"): ("30m", lambda value: f"{value / 60:.0f}m"),
    (WrittenAllow, "use"): ("reference", lambda value: value),
    (CatalogueEntry, "overlaps"): (["b"], list),
    (CatalogueEntry, "successor"): ("b", lambda value: value),
    (Publish, "lists"): (["b"], list),
    (Fleet, "publish"): (
        {"lists": ["b"], "key": "${credential:p}"},
        lambda value: {"lists": list(value.lists), "key": value.key},
    ),
}


def of_source(written: Mapping[str, object]) -> Config:
    combined = {"at_least", "exclude", "window"} & written.keys()
    places = {"path", "block", "only", "merge", "intersect", "names", "hub", "reports"}
    place = {"id": "a"} if combined or places & written.keys() else A
    place = {"id": "a", "hub": "drop"} if "hold" in written else place
    beside: dict[str, object] = {"client_certificate": "/a.pem"} if "client_key" in written else {}
    beside |= {"merge": ["c", "d"]} if combined else {}
    beside |= {"action": "count"} if "shadow" in written else {}
    parts = [{**A, "id": part} for part in ("b", "c", "d")]
    fleet: dict[str, object] = {"fleet": FLEET} if {"hub", "hold", "reports"} & written.keys() else {}
    if "reports" in written:
        fleet = {"fleet": {**FLEET, "publish": {"lists": ["a"], "key": "${credential:p}"}}, "mqtt": BESIDE[Mqtt]}
    return read(json.dumps({**fleet, "sources": [{**place, **beside, **written}, *parts]}))


def of_catalogue(written: Mapping[str, object]) -> CatalogueEntry:
    """The entry with these keys; beside it there is one by the name of b."""
    one = {**ENTRY, **({"purpose": "allow"} if "addresses" in written else {}), **written}
    other = {**ENTRY, "id": "other" if one["id"] == "b" else "b"}
    entry, _ = read_catalogue(parse_document("catalogue.yaml", json.dumps([one, other]).encode())).values()
    return entry


def of_allow(written: Mapping[str, object]) -> WrittenAllow:
    place = {} if "use" in written else {"address": "192.0.2.9"}
    entry = read(json.dumps({"allow": [{**place, **written}]})).allow[0]
    return WrittenAllow(address=(entry.first, entry.last), use=entry.use, comment=entry.comment, until=entry.until)


def of_hook(written: Mapping[str, object]) -> ProgramHook:
    return read(json.dumps({"hooks": [{"run": "/bin/true", **written}]})).hooks[0]


# What a section needs besides the key that is written.
BESIDE: Mapping[type[Section], Mapping[str, object]] = {
    Block: {"countries": ["NO"]},
    Only: {"countries": ["NO"]},
    Pages: {"next": "paging.after"},
    Verify: {"sha256": ".sum", "key": "RWQBAgMEBQYHCAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", "keyring": "/b.gpg"},
    Online: {"url": "https://a.example/"},
    Mqtt: {"broker": "mqtts://127.0.0.1", "tls": {"ca": "/ca.pem"}, "user": "u"},
    Fleet: FLEET,
    Publish: {"lists": ["a"], "key": "${credential:p}"},
    MqttTls: {"ca": "/ca.pem", "certificate": "/c.pem", "key": "${credential:k}"},
}


def of_operator(written: Mapping[str, object]) -> KnownOperator:
    one = {"name": "bert", "key": key_text(BERT), "may": ["ban"], **written}
    mqtt = read(json.dumps({"mqtt": {**BESIDE[Mqtt], "operators": [one]}})).mqtt
    assert mqtt is not None
    return mqtt.operators[0]


def of_fleet(written: Mapping[str, object]) -> Fleet:
    beside = {**FLEET, "node_key": "${credential:n}"} if "report" in written else FLEET
    sources = [A, {**A, "id": "b"}]
    fleet = read(json.dumps({"mqtt": BESIDE[Mqtt], "fleet": {**beside, **written}, "sources": sources})).fleet
    assert fleet is not None
    return fleet


SPECIAL: Mapping[type[Section], Callable[[Mapping[str, object]], Section]] = {
    Config: lambda tree: read(json.dumps(tree)),
    Source: lambda tree: of_source(tree).sources[0],
    CatalogueEntry: of_catalogue,
    WrittenAllow: of_allow,
    KnownOperator: of_operator,
    Fleet: of_fleet,
    ProgramHook: of_hook,
}

SECTIONS = (*sections_of(Config), CatalogueEntry)


def read_in(section: type[Section], tree: Mapping[str, object]) -> Section:
    """What is read when these keys of a section are written, as an object of the section."""
    if section in SPECIAL:
        return SPECIAL[section](tree)
    above, name = next(
        (above, name) for above in SECTIONS for name, key in keys_of(above).items() if key.kind.section is section
    )
    arrived = getattr(read_in(above, {name: {**BESIDE.get(section, {}), **tree}}), name)
    assert isinstance(arrived, section)
    return arrived


EVERY_KEY = [(section, key) for section in SECTIONS for key in keys_of(section)]


def understood(kind: ValueKind, written: object) -> object:
    problems: list[Any] = []
    value = kind.read(written, Spot(Document("banlistd.yaml"), problems))
    return None if problems else value


def written_values(kind: ValueKind) -> Iterator[object]:
    """Values that may fit a kind; of a section, mappings with one key."""
    if kind.section is not None:
        for name, key in keys_of(kind.section).items():
            yield from ({name: value} for value in written_values(key.kind))
    yield from (*kind.examples, *CANDIDATES)


def sample_of(section: type[Section], key: str, before: object) -> tuple[object, object]:
    """What is written, and the value that arrives when it does; it differs from the value `before`."""
    kind = keys_of(section)[key].kind
    for written in written_values(kind):
        value = understood(kind, written)
        if value is not None and value != before:
            return written, value
    raise AssertionError(f"give the kind of {section.__name__}.{key} an example that is not its default")


@pytest.mark.parametrize(("section", "key"), EVERY_KEY, ids=[f"{section.__name__}.{key}" for section, key in EVERY_KEY])
def test_what_is_written_arrives(section: type[Section], key: str) -> None:
    before = getattr(read_in(section, {}), key)
    if (section, key) in SAMPLES:
        written, seen = SAMPLES[section, key]
        arrived = getattr(read_in(section, {key: written}), key)
        assert seen(arrived) == written
    else:
        written, value = sample_of(section, key, before)
        arrived = getattr(read_in(section, {key: written}), key)
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


def test_every_section_has_a_head_of_its_own_in_the_manual() -> None:
    heads = [(section.title, section.intro) for section in sections_of(Config)]
    assert len({title for title, _ in heads}) == len({intro for _, intro in heads}) == len(heads)


@pytest.mark.parametrize(("section", "key"), EVERY_KEY, ids=[f"{section.__name__}.{key}" for section, key in EVERY_KEY])
def test_every_key_has_a_sentence_of_help(section: type[Section], key: str) -> None:
    declared = keys_of(section)[key]
    assert declared.help.endswith(".")
    assert declared.kind.says


# What a reload does

KNOWN = Source(id=SourceId("known"), use=SourceId("known"), url="https://lists.example/known")

# What the daemon derives from its configuration in force, by live key.
EFFECT: Mapping[str, Callable[[Config], object]] = {
    "defaults": lambda config: [source.action for source in policy_of(config, {SourceId("a"): Mark(1)}, 0.0).sources],
    "allow": lambda config: [len(ranges) for ranges in config.allowed(0.0).values()],
    "sources": lambda config: [source.source_id for source in policy_of(config, {SourceId("a"): Mark(1)}, 0.0).sources],
    "manual": lambda config: config.manual.prefix6,
    "use_for": lambda config: remarks_on_lists(replace(config, sources=(KNOWN,)), CATALOGUE),
    "hits": lambda config: config.hits,
    "notify": lambda config: config.notify,
    "mqtt": lambda config: config.mqtt and str(config.mqtt.broker),
    "fleet": lambda config: config.fleet and config.fleet.name,
    "hooks": lambda config: [hook.name for hook in config.hooks],
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
            assert key in EFFECT, f"say in EFFECT what the daemon derives from the live key {key}"
            assert EFFECT[key](before) != EFFECT[key](after)


def test_an_unchanged_configuration_needs_no_restart() -> None:
    assert restart_only_changes(Config(), Config()) == ()


def test_every_changed_key_is_named_at_once() -> None:
    after = replace(Config(), log=read("log: {format: json}").log, owner=read("owner: yes").owner, allow=())
    assert restart_only_changes(Config(), after) == ("owner", "log")


def test_all_of_a_fleet_but_its_name_may_change() -> None:
    before, publishing, other = (
        read(f"fleet: {{name: {name}{more}}}") for name, more in (("main", ""), ("main", ", spread: 5s"), ("other", ""))
    )
    assert restart_only_changes(before, publishing) == restart_only_changes(before, Config()) == ()
    assert restart_only_changes(before, other) == ("fleet: name",)


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
