"""What ships in config/ works as it is."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from banlistd.adapters.geo.mmdb import MmdbFile
from banlistd.adapters.system.config_file import load, load_catalogue
from banlistd.core.addresses.sets import FAMILIES, intersection, to_number
from banlistd.core.config.geo import DATABASES
from banlistd.core.config.keys import keys_of
from banlistd.core.config.model import Config, Source
from banlistd.core.config.schema import schema, schema_text
from banlistd.core.config.sections.block import Block
from banlistd.core.config.sections.defaults import Defaults
from banlistd.core.config.sections.geo import Geo, Online
from banlistd.core.feeds.parsers import parse
from banlistd.core.geo.tables import tally
from banlistd.core.geo.types import By
from banlistd.model import Action, Family
from support.data import real_list
from support.geography import DOCUMENTATION, mmdb_of

CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.fixture(scope="module")
def example() -> Config:
    return load(CONFIG).config


def test_the_example_loads_and_needs_no_network(example: Config) -> None:
    assert len(example.sources) >= 3
    for source in example.sources:
        assert source.url is None
        assert source.path
        assert source.path.is_file() or not source.enabled


def test_the_example_shows_different_formats_and_actions(example: Config) -> None:
    enabled = [source for source in example.sources if source.enabled]
    assert len({source.format.type for source in enabled}) == len(enabled)
    assert {source.action for source in enabled} >= {Action.DROP, Action.REJECT}


def test_no_line_of_the_lists_that_ship_is_rejected(example: Config) -> None:
    for source in example.sources:
        if source.enabled and source.path:
            parsed = parse(source.path.read_bytes(), source.format)
            assert parsed.entries >= 3
            assert parsed.rejected == 0, parsed.samples


def test_the_lists_that_ship_overlap_and_the_allow_entries_carve_something_out(example: Config) -> None:
    held = {
        source.id: parse(source.path.read_bytes(), source.format).addresses
        for source in example.sources
        if source.path and source.enabled
    }
    pairs = [(a, b) for a in held.values() for b in held.values() if a is not b]
    assert any(len(intersection(a.ranges(Family.IPV4), b.ranges(Family.IPV4))) for a, b in pairs)
    for family, allowed in example.allowed(0.0).items():
        assert any(len(intersection(addresses.ranges(family), allowed)) for addresses in held.values())


def test_the_example_allows_addresses_of_both_families(example: Config) -> None:
    allowed = example.allowed(0.0)
    assert to_number(allowed[Family.IPV4].first[0]) == 0xC000020A
    assert len(allowed[Family.IPV6]) == 1


def test_every_list_of_the_catalogue_that_the_example_mentions_exists() -> None:
    text = (CONFIG / "banlistd.yaml").read_text(encoding="utf-8")
    mentioned = set(re.findall(r"use: ([a-z0-9-]+)", text))
    assert len(mentioned) >= 8
    assert mentioned <= load_catalogue().keys()


@pytest.mark.parametrize(
    ("name", "file", "least"),
    [
        ("spamhaus-drop", "spamhaus_drop_v4_20260724.jsonl", 1_600),
        ("dshield-block", "dshield_block_20260822.txt", 20),
        ("blocklist-de", "blocklist_de_all.txt", 100_000),
        ("tor-exits", "tor_bulk_exit_2022.txt", 1_300),
        ("ipsum", "ipsum_level3.txt", 14_000),
        ("firehol-level1", "fh16_firehol_level1.netset", 3_000),
        ("fullbogons", "fullbogons_ipv4_20240310.txt", 700),
        ("fullbogons-v6", "fullbogons_ipv6_20240310.txt", 140_000),
        ("data-shield-critical", "datashield_critical_20260822.txt", 100_000),
        ("x4b-vpn", "x4b_vpn_ipv4.txt", 10_000),
        ("x4b-datacenter", "x4b_datacenter_ipv4.txt", 42_000),
        ("x4b-datacenter-v6", "x4b_datacenter_ipv6.txt", 8_000),
        ("ipsum-8", "ipsum_level8.txt", 20),
        ("sefinek", "sefinek_main_20260822.txt", 200_000),
        ("bitwire-outbound", "bitwire_outbound_20260129.txt", 160_000),
        ("aws", "aws_ip_ranges.json", 8_000),
        ("google-cloud", "gcp_cloud.json", 700),
        ("digitalocean", "digitalocean_geofeed.csv", 1_100),
    ],
)
def test_the_catalogue_names_the_format_that_a_list_really_has(name: str, file: str, least: int) -> None:
    parsed = parse(real_list(f"feeds/{file}").read_bytes(), load_catalogue()[name].format)
    assert parsed.entries >= least
    assert parsed.rejected == 0, parsed.samples


def test_what_is_commented_out_in_the_example_is_right_too(tmp_path: Path) -> None:
    text = (CONFIG / "banlistd.yaml").read_text(encoding="utf-8")
    # Comments that hold YAML: keys and list entries, at the indentation that they would have.
    live = re.sub(r"(?m)^( *)# (- use:|- id: our-hub|- id: agreed|- id: far-away|ttl:|timeout:|max_bytes:)", r"\1\2", text)
    live = re.sub(r"(?m)^  #   (action|url|format|every|headers|block|merge|at_least):", r"    \1:", live)
    live = re.sub(r"(?m)^(ttl|timeout|max_bytes):", r"  \1:", live)
    live = re.sub(r"(?m)^# (rewarm|expiry|negative_expiry|online|  enabled|  url):", r"  \1:", live)
    (tmp_path / "banlistd.yaml").write_text(live, encoding="utf-8")
    config = load(tmp_path).config
    assert {source.id for source in config.sources} >= {"our-hub", "spamhaus-drop", "tor-exits"}
    assert next(s for s in config.sources if s.id == "tor-exits").action is Action.COUNT
    assert next(s for s in config.sources if s.id == "far-away").block == Block(countries=("NO", "SE"), asns=(64496,))
    agreed = next(s for s in config.sources if s.id == "agreed").combination
    assert agreed is not None
    assert (len(agreed.parts), agreed.at_least) == (3, 2)
    assert config.geo.online == Online(enabled=True, url="http://ip-api.com/batch")
    assert (config.geo.expiry, config.geo.negative_expiry, config.geo.rewarm) == (Geo().expiry, Geo().negative_expiry, False)
    assert next(s for s in config.sources if s.id == "our-hub").format.paths == ("bans[].address",)


def test_the_example_mentions_every_default() -> None:
    text = (CONFIG / "banlistd.yaml").read_text(encoding="utf-8")
    assert all(re.search(rf"(?m)^[ #]+{key}:", text) for key in keys_of(Defaults))


def test_the_database_that_ships_is_the_one_that_the_tests_make() -> None:
    assert (CONFIG / "geo" / "documentation.mmdb").read_bytes() == mmdb_of(DOCUMENTATION)


def test_the_example_knows_where_the_addresses_of_its_lists_belong(example: Config) -> None:
    assert example.geo.databases[0] == CONFIG / "geo" / "documentation.mmdb"
    assert set(DATABASES) < set(example.geo.databases)
    table = asyncio.run(MmdbFile(example.geo.databases[0]).table(By.COUNTRY))
    for source in example.sources:
        if source.enabled and source.path:
            held = parse(source.path.read_bytes(), source.format).addresses
            bans = [(f, r.first, r.last) for f in FAMILIES for r in (held.ranges(f),)]
            assert 0 not in {one.code for one in tally(table, bans)}


def test_the_schema_file_is_that_of_the_models() -> None:
    stored = (CONFIG / "banlistd.schema.json").read_text(encoding="utf-8")
    assert stored == schema_text(), "run packaging/generate"


def test_the_schema_knows_every_key_and_every_reference_leads_somewhere() -> None:
    whole = schema()
    assert whole["anyOf"][0]["properties"].keys() == keys_of(Config).keys()
    assert whole["$defs"]["source"]["properties"].keys() == {"use", *keys_of(Source)}
    references = re.findall(r'"#/\$defs/([a-z]+)"', json.dumps(whole))
    assert set(references) <= whole["$defs"].keys()
