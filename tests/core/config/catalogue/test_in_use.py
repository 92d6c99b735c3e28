"""What terms forbid, and what is no longer maintained."""

import pytest

from banlistd.core.config.catalogue.in_use import remarks_on_lists
from support.written_config import CATALOGUE, problems_of, read

FORBIDDEN = (
    "the terms of private-only forbid commercial use "
    "(use_for is commercial, its licence: CC BY-NC; delete the source, or ask The Makers)"
)


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("use: private-only", "use"),
        ('use: private-only, url: "https://mirror.example/"', "use"),
        ("use: private-only, path: copy.txt", "use"),
        ('id: mine, url: "https://makers.example/a"', "url"),
    ],
)
def test_a_business_is_refused_a_list_that_is_not_for_it_however_it_is_written(source: str, key: str) -> None:
    sources = f"sources: [{{{source}}}]"
    assert problems_of(f"use_for: commercial\n{sources}") == [f"banlistd.yaml:2: sources[0].{key}: {FORBIDDEN}"]
    for use_for in ("", "use_for: private\n"):
        assert len(read(use_for + sources).sources) == 1


def test_a_list_of_sources_d_is_refused_in_its_file() -> None:
    assert problems_of("use_for: commercial", a="use: private-only") == [f"sources.d/a.yaml:1: use: {FORBIDDEN}"]


def test_a_business_may_write_down_a_list_that_is_off() -> None:
    assert not read("use_for: commercial\nsources: [{use: private-only, enabled: no}]").sources[0].enabled


def test_a_business_may_use_what_it_may_use() -> None:
    config = read("use_for: commercial\nsources: [use: for-all]")
    assert remarks_on_lists(config, CATALOGUE) == []


def said_of(text: str) -> list[str]:
    return [f"{remark.message} | {remark.hint}" for remark in remarks_on_lists(read(text), CATALOGUE)]


def test_a_business_hears_of_terms_that_are_not_known() -> None:
    words = "known: it is not known whether a business may use known | its licence: l; ask its publisher: h"
    assert said_of("use_for: commercial\nsources: [use: known]") == [words]
    assert said_of("sources: [use: known]") == []


def test_a_list_that_is_no_longer_maintained_is_named_with_its_successor() -> None:
    assert said_of("sources: [use: left]") == ["left: the list left is deprecated: c | use: for-all"]
    assert said_of("sources: [use: gone]") == ["gone: the list gone is dead: c | delete the source"]
    assert said_of('sources: [{id: mine, url: "https://makers.example/d"}]') == [
        "mine: the list gone is dead: c | delete the source"
    ]


@pytest.mark.parametrize("source", ["{use: gone, enabled: no}", "{use: gone, path: copy.txt}", "{id: a, path: b.txt}"])
def test_what_is_not_downloaded_is_not_named(source: str) -> None:
    assert said_of(f"sources: [{source}]") == []
