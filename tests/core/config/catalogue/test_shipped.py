"""The lists that ship: facts that belong together, and a format that reads what a list looks like."""

import json
from importlib.resources import files
from ipaddress import ip_network

import pytest

from banlistd.adapters.system.config_file import load_catalogue
from banlistd.core.addresses.sets import FAMILIES, to_number
from banlistd.core.config.catalogue.entry import CatalogueEntry
from banlistd.core.config.catalogue.terms import ListState, Permission, Purpose, Topic
from banlistd.core.feeds.parsers import parse
from banlistd.formats import Format
from banlistd.model import Family
from support.list_shapes import SHAPES

ENTRIES = dict(load_catalogue())
LISTS = {name: entry for name, entry in ENTRIES.items() if entry.purpose is Purpose.BAN}
REFERENCES = {name: entry for name, entry in ENTRIES.items() if entry.purpose is Purpose.ALLOW}
# The first lists of the catalogue: configurations name them.
FIRST = (
    "spamhaus-drop spamhaus-drop-v6 dshield-block blocklist-de cins-army greensnow emerging-threats emerging-compromised feodo"
    " tor-exits ipsum firehol-level1 fullbogons fullbogons-v6"
)
of_every_entry = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)


def test_there_are_enough_lists_and_references() -> None:
    assert len([entry for entry in LISTS.values() if entry.state is ListState.ALIVE]) >= 80
    assert len(REFERENCES) >= 12


def test_a_name_stays_a_name() -> None:
    assert set(FIRST.split()) <= LISTS.keys()


def test_every_topic_is_that_of_some_entry() -> None:
    assert {topic for entry in ENTRIES.values() for topic in entry.good_for} == set(Topic)


def test_no_two_entries_have_the_same_url() -> None:
    assert len({entry.url for entry in ENTRIES.values()}) == len(ENTRIES)


@of_every_entry
def test_an_entry_says_whose_it_is_and_what_it_is_good_for(entry: CatalogueEntry) -> None:
    assert entry.url.startswith("https://")
    assert entry.home.startswith("https://")
    assert entry.publisher
    assert entry.licence
    assert entry.comment
    assert entry.good_for


@of_every_entry
def test_terms_agree_with_each_other(entry: CatalogueEntry) -> None:
    licence = entry.licence.lower()
    if "non-commercial" in licence or ("-nc-" in licence and "business" not in licence and "commercial sites" not in licence):
        assert entry.commercial is Permission.NO
    if licence.startswith("cc by"):
        assert entry.attribution
    if licence.startswith(("none is stated", "not verified")):
        assert entry.commercial is Permission.UNKNOWN


@of_every_entry
def test_a_list_that_is_gone_says_so(entry: CatalogueEntry) -> None:
    if entry.state is ListState.ALIVE:
        assert entry.successor is None
    else:
        assert entry.successor in LISTS


def spans_of(texts: tuple[str, ...]) -> set[tuple[Family, int, int]]:
    networks = [ip_network(text) for text in texts]
    return {(Family.IPV4 if network.version == 4 else Family.IPV6, int(network[0]), int(network[-1])) for network in networks}


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if not entry.addresses or name in SHAPES])
def test_the_format_of_an_entry_reads_what_its_list_looks_like(name: str) -> None:
    if ENTRIES[name].state is ListState.DEAD:
        assert name not in SHAPES
        return
    shape = SHAPES[name]
    parsed = parse(shape.body.encode(), ENTRIES[name].format)
    found = set()
    for family in FAMILIES:
        ranges = parsed.addresses.ranges(family)
        found |= {(family, to_number(a), to_number(b)) for a, b in zip(ranges.first, ranges.last, strict=True)}
    assert found == spans_of(shape.reads)
    assert parsed.rejected <= shape.rejected


def test_every_shape_is_that_of_an_entry() -> None:
    assert SHAPES.keys() <= ENTRIES.keys()


def test_the_documented_answer_of_cloudflare_is_read_whole() -> None:
    """Its fields: https://developers.cloudflare.com/api/resources/ips."""
    networks = json.loads((files("banlistd") / "catalogue.json").read_bytes())["cloudflare"]["addresses"]
    result = {
        "ipv4_cidrs": [one for one in networks if ":" not in one],
        "ipv6_cidrs": [one for one in networks if ":" in one],
        "etag": "38f79d050aa027e3be3865e495dcc9bc",
    }
    answer = {"result": result, "success": True, "errors": [], "messages": []}
    parsed = parse(json.dumps(answer).encode(), ENTRIES["cloudflare"].format)
    assert parsed.rejected == 0
    assert parsed.addresses.content_hash() == parse("\n".join(networks).encode(), Format()).addresses.content_hash()
