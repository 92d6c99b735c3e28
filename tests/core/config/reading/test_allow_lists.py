"""Entries of allow that are lists: each is a source that allows."""

import pytest

from banlistd.core.config.sections.guards import Critical, OnStale
from banlistd.core.config.sections.interval import ByTtl
from banlistd.formats import Condition, Operator
from banlistd.model import Action
from support.written_config import problems_of, read


@pytest.mark.parametrize(
    ("entry", "source_id"),
    [
        ('{url: "https://lists.example/ips/v4.txt"}', "lists-example-v4"),
        ('{url: ["https://lists.example/4", "https://lists.example/6"]}', "lists-example-4"),
        ('{url: "https://lists.example/4", id: partners}', "partners"),
        ("{path: lists/office.txt}", "lists-office-txt"),
        ("office.example.org", "office-example-org"),
        ("{names: [office.example.org, nas]}", "office-example-org"),
        ("{countries: [NO, SE]}", "allow-no"),
        ("{asns: [AS64496], comment: partner}", "allow-as64496"),
        ("{use: changing}", "changing"),
        ("{use: changing, id: theirs, comment: c}", "theirs"),
    ],
)
def test_an_entry_that_is_a_list_is_a_source_that_allows(entry: str, source_id: str) -> None:
    config = read(f"allow: [{entry}]\nsources: [{{id: a, path: /b}}]")
    assert config.allow == ()
    assert [(source.id, source.action) for source in config.sources] == [(source_id, Action.ALLOW), ("a", Action.DROP)]


def test_a_reference_with_addresses_that_is_a_list_is_both() -> None:
    config = read("allow: [{use: both}]")
    assert [str(entry.first) for entry in config.allow] == ["198.51.100.0"]
    assert [(source.id, source.url) for source in config.sources] == [("both", "https://lists.example/both")]
    assert not read("allow: [{use: both, until: 2030-01-01}]").sources


def test_a_reference_that_is_a_source_for_combinations_stays_one_source() -> None:
    config = read("allow: [{use: both}]\nsources: [{use: both, action: none}]")
    assert [(source.id, source.action) for source in config.sources] == [("both", Action.NONE)]


def test_a_reference_is_narrowed_by_the_fields_of_its_records() -> None:
    (source,) = read("allow: [{use: both, id: some, where: {region: eu-central-1, service: [EC2, S3]}}]").sources
    assert source.format.paths == ("prefixes[].ip_prefix",)
    assert source.format.where == (
        Condition("region", Operator.IS, ("eu-central-1",)),
        Condition("service", Operator.IS, ("EC2", "S3")),
    )


def test_a_list_that_allows_is_guarded_against_growth_and_never_lapses() -> None:
    defaults = "defaults: {ttl: 1d, guards: {on_stale: lift, critical: refuse, grow: 500%}}"
    (source,) = read(f"{defaults}\nallow: [{{id: p, url: 'https://lists.example/p'}}]").sources
    assert (source.guards.on_stale, source.guards.critical, source.guards.grow) == (OnStale.KEEP, Critical.OFF, 1.0)
    assert source.ttl is None
    (source,) = read("allow: [{id: p, url: 'https://lists.example/p', guards: {grow: 300%}}]").sources
    assert source.guards.grow == 3.0


def test_names_are_asked_for_by_their_ttl_or_every_five_minutes_and_an_address_stays_for_an_hour() -> None:
    (source,) = read("defaults: {every: 1d}\nallow: [office.example.org]").sources
    assert (source.names, source.every, source.ttl) == (("office.example.org",), ByTtl(300.0), 3600.0)


def test_an_interval_of_names_that_is_written_counts_in_place_of_their_ttl() -> None:
    (source,) = read("allow: [{names: [office.example.org], every: 5m}]").sources
    assert source.every == 300.0
    assert not isinstance(source.every, ByTtl)


def test_names_go_with_two_miss_of_the_defaults() -> None:
    (source,) = read("defaults: {two_miss: yes}\nallow: [office.example.org]").sources
    assert (source.two_miss, source.ttl) == (False, 3600.0)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{url: 'https://a.example/b', action: drop}", "[0].action: does not go with an entry of allow (delete the line)"),
        (
            "{url: 'https://a.example/b', until: 2030-01-01}",
            "[0].until: is not a key here (did you mean merge?)",
        ),
        ("{use: known, every: 1d}", "[0].use: known is a list to ban (delete it here)"),
        ("{names: [a b]}", '[0].names[0]: "a b" is not a host name (letters, digits, hyphens and dots: office.example.org)'),
        (
            "{names: [192.0.2.1]}",
            '[0].names[0]: "192.0.2.1" is not a host name (letters, digits, hyphens and dots: office.example.org)',
        ),
        (
            "{url: 'https://a.example/b', guards: {on_stale: lift}}",
            "[0].guards: on_stale is lift, and a list that allows must not lapse (write on_stale: keep)",
        ),
        (
            "{names: [a.example], format: plain}",
            "[0].format: goes with url and path only (its addresses come from the name service",
        ),
    ],
)
def test_what_does_not_go_with_a_list_that_allows_is_refused(entry: str, problem: str) -> None:
    (found,) = problems_of(f"allow: [{entry}]")
    assert found.startswith(f"banlistd.yaml:1: allow{problem}")


def test_the_same_list_twice_needs_another_id() -> None:
    (found,) = problems_of("allow: [office.example.org]\nsources: [{id: office-example-org, path: /a}]")
    assert "is already the id of another source" in found


def test_allowing_by_default_is_refused() -> None:
    (found,) = problems_of("defaults: {action: allow}\nsources: [{id: a, path: /a}]")
    assert (
        found == "banlistd.yaml:1: defaults.action: is allow, and no list would ban anything (write action: allow at a source)"
    )
