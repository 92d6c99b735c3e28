"""`geo:` and `block:` as they are written, and as they are written wrong."""

import json
import math
import re
from pathlib import Path

import pytest

from banlistd.core.config.geo import DATABASES
from banlistd.core.config.model import Config
from banlistd.core.config.schema import schema
from banlistd.core.config.sections.block import Block, Only
from banlistd.core.config.sections.geo import Geo, Online
from banlistd.core.geo.countries import COUNTRIES
from banlistd.formats import Format, FormatType
from support.written_config import FOLDER, problems_of, read


def block_of(text: str) -> Block:
    (source,) = read(f"sources:\n- id: a\n  block: {text}\n").sources
    assert source.block is not None
    return source.block


@pytest.mark.parametrize("written", ["[NO]", "[no]", '["no"]', "NO", "no", "'No'", "[NO, NO]"])
def test_norway_is_a_country_however_yaml_would_have_it(written: str) -> None:
    assert set(block_of(f"{{countries: {written}}}").countries) == {"NO"}


@pytest.mark.parametrize("written", ["[64496]", "[AS64496]", '["as64496"]', "64496", "AS64496"])
def test_a_network_operator_is_a_number_with_or_without_as(written: str) -> None:
    assert block_of(f"{{asns: {written}}}") == Block(asns=(64496,))


def test_a_block_holds_countries_and_operators_together() -> None:
    assert block_of("\n    countries:\n    - SE\n    - XK\n    asns: [1, 4294967295]") == Block(
        countries=("SE", "XK"), asns=(1, 2**32 - 1)
    )


def test_every_country_of_iso_3166_may_be_written() -> None:
    assert len(COUNTRIES) == 249
    assert block_of(f"{{countries: [{', '.join(COUNTRIES)}]}}").countries == tuple(COUNTRIES)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{countries: [UK]}", 'block.countries[0]: "UK" is not a country (did you mean GB, United Kingdom?)'),
        ("{countries: [NO, Sweden]}", 'block.countries[1]: "Sweden" is not a country (did you mean SE, Sweden?)'),
        ("{countries: [NOR]}", 'block.countries[0]: "NOR" is not a country (did you mean NO, Norway?)'),
        ("{countries: [EU]}", 'block.countries[0]: "EU" is not a country (write two letters of ISO 3166, such as NO or SE)'),
        ("{countries: [ZZ]}", 'block.countries[0]: "ZZ" is not a country (write two letters of ISO 3166, such as NO or SE)'),
        ("{countries: [[NO]]}", "block.countries[0]: is a list (write one value)"),
        ("{countries: {NO: SE}}", 'block.countries: must be a list (write "- " before each entry, or [a, b])'),
        ("{asns: [AS0]}", 'block.asns[0]: "AS0" is not the number of a network operator (write AS64496 or 64496)'),
        ("{asns: [4294967296]}", 'block.asns[0]: "4294967296" is not the number of a network operator'),
        ("{asns: [Example]}", 'block.asns[0]: "Example" is not the number of a network operator (write AS64496 or 64496)'),
        ("{asns: [1.5]}", 'block.asns[0]: "1.5" is not the number of a network operator (write AS64496 or 64496)'),
        ("{}", "block: has neither countries nor asns (write {countries: [NO, SE]}, or {asns: [AS64496]})"),
        ("{countries: []}", "block: has neither countries nor asns (write {countries: [NO, SE]}, or {asns: [AS64496]})"),
        ("", "block: has neither countries nor asns (write {countries: [NO, SE]}, or {asns: [AS64496]})"),
        ("NO", "block: is a single value and must be a mapping (write name: value, one a line)"),
        ("{country: NO}", "block.country: is not a key here (did you mean countries?)"),
    ],
)
def test_what_is_wrong_with_a_block_is_told_with_its_place(text: str, problem: str) -> None:
    problems = problems_of(f"sources:\n- id: a\n  block: {text}\n")
    assert any(found.startswith(f"banlistd.yaml:3: sources[0].{problem}") for found in problems), problems


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("url: https://a/", "url and block exclude each other (a list is downloaded or is a file: delete one of them)"),
        ("path: a", "path and block exclude each other (a list is downloaded or is a file: delete one of them)"),
        ("format: plain", "goes with url and path only (a block comes from a database: delete the line)"),
    ],
)
def test_a_block_stands_in_place_of_a_list(line: str, problem: str) -> None:
    (found,) = problems_of(f"sources:\n- id: a\n  block: {{countries: [NO]}}\n  {line}\n")
    assert found.endswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("only: {}", "only: has neither countries nor asns (nothing would be let through: write {countries: [NO, SE]})"),
        ("only: {countries: [UK]}", 'only.countries[0]: "UK" is not a country (did you mean GB, United Kingdom?)'),
        ("only: {asns: [0]}", 'only.asns[0]: "0" is not the number of a network operator (write AS64496 or 64496)'),
        ("only: {regions: [NO]}", "only.regions: is not a key here (known: countries or asns)"),
        (
            "only: {countries: [NO]}\n  block: {countries: [SE]}",
            "block: block and only exclude each other (a list is downloaded or is a file: delete one of them)",
        ),
        (
            "only: {countries: [NO]}\n  format: plain",
            "format: goes with url and path only (its addresses come from a database: delete the line)",
        ),
    ],
)
def test_what_is_wrong_with_only_is_told_with_its_place(text: str, problem: str) -> None:
    (found,) = problems_of(f"sources:\n- id: a\n  {text}\n")
    assert found.endswith(f"sources[0].{problem}")


def test_only_has_the_guards_of_countries_and_is_polled_when_a_database_changes() -> None:
    config = read("sources:\n- id: a\n  only: {countries: [NO, xk], asns: [AS64496]}\n")
    (source,) = config.sources
    assert source.only == source.geography == Only(countries=("NO", "XK"), asns=(64496,))
    assert (source.guards.share, source.guards.widest4, source.guards.widest6) == (math.inf, 0, 0)
    assert config.watched(source) == config.geo.databases
    assert source.format == Format(FormatType.PLAIN)


def test_a_block_is_not_of_the_catalogue() -> None:
    (found,) = problems_of("sources:\n- use: known\n  block: {countries: [NO]}\n")
    assert "use and block exclude each other" in found


def test_guards_of_size_are_off_for_a_block_and_hold_where_the_source_says_so() -> None:
    text = "defaults: {guards: {share: 1%, shrink: 20%}}\n"
    text += "sources:\n- {id: a, url: https://a/}\n- id: b\n  block: {countries: [NO]}\n"
    a, b = read(text).sources
    assert (a.guards.share, a.guards.shrink) == (0.01, 0.2)
    assert (b.guards.share, b.guards.widest4, b.guards.widest6, b.guards.shrink) == (math.inf, 0, 0, 0.2)
    _, strict = read(f"{text}  guards: {{share: 5%, widest4: 10}}\n").sources
    assert (strict.guards.share, strict.guards.widest4, strict.guards.widest6) == (0.05, 10, 0)
    assert b.format == Format(FormatType.PLAIN)


def test_without_a_word_the_usual_databases_are_looked_for_and_nobody_is_asked_online() -> None:
    assert read("").geo == Geo()
    assert Geo().databases == DATABASES
    assert not Geo().online.enabled
    assert (Geo().expiry, Geo().negative_expiry, Geo().rewarm) == (30 * 86400, 86400, False)


def test_databases_are_relative_to_the_configuration_and_each_stands_once() -> None:
    geo = read("geo:\n  databases: [geo/a.mmdb, /b, geo/a.mmdb]\n  rewarm: true\n  expiry: 7d\n  negative_expiry: 1h\n").geo
    assert geo == Geo(databases=(FOLDER / "geo/a.mmdb", Path("/b")), rewarm=True, expiry=7 * 86400, negative_expiry=3600)
    assert read("geo: {databases: /b}").geo.databases == (Path("/b"),)
    assert read("geo: {databases: []}").geo.databases == ()


def test_a_service_is_asked_only_where_it_is_enabled_and_named() -> None:
    geo = read("geo: {online: {enabled: true, url: 'https://a.example/batch?key=${credential:k}'}}").geo
    assert geo.online == Online(enabled=True, url="https://a.example/batch?key=${credential:k}")
    assert not read("geo: {online: {url: 'http://ip-api.com/batch'}}").geo.online.enabled
    assert "key" not in repr(geo)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "geo: {online: {enabled: true}}",
            "geo.online: is enabled and has no url (write url: http://ip-api.com/batch, or that of a service of your own)",
        ),
        ("geo: {online: {url: ftp://a/}}", 'geo.online.url: "ftp://a/" is not a url of http or https'),
        ("geo: {online: true}", "geo.online: is a single value and must be a mapping"),
        ("geo: {expiry: 5m}", 'geo.expiry: "5m" is shorter than 1h'),
        ("geo: {databases: [https://a/]}", 'geo.databases[0]: "https://a/" is not a file\'s name'),
        ("geo: {database: a}", "geo.database: is not a key here (did you mean databases?)"),
        ("geo: [a]", "geo: is a list and must be a mapping"),
        ("geoip: {}", "geoip: is not a key here (did you mean geo?)"),
    ],
)
def test_what_is_wrong_with_geo_is_told_with_its_place(text: str, problem: str) -> None:
    (found,) = problems_of(text)
    assert found.startswith(f"banlistd.yaml:1: {problem}")


def test_the_files_that_make_a_source_due_are_its_own_or_the_databases() -> None:
    config = read(
        "geo: {databases: [/a, /b]}\nsources:\n- {id: u, url: https://a/}\n- {id: p, path: /p}\n- {id: b, block: {asns: [1]}}\n"
    )
    assert [config.watched(source) for source in config.sources] == [(), (Path("/p"),), (Path("/a"), Path("/b"))]
    assert Config().watched(config.sources[2]) == DATABASES


def test_the_schema_lets_an_editor_write_norway() -> None:
    country = schema()["$defs"]["block"]["properties"]["countries"]["anyOf"][0]["anyOf"]
    assert any("pattern" in one and re.fullmatch(one["pattern"], "NO") for one in country)
    assert {"const": False} in country
    assert json.dumps(schema())
