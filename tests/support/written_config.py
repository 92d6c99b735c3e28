"""Configurations written out in a test, and a small catalogue for them."""

from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.core.config.catalogue.known import KnownLists
from banlistd.core.config.catalogue.read import read_catalogue, trees_of
from banlistd.core.config.load import read_config
from banlistd.core.config.model import Config, Source
from banlistd.core.config.problems import Document
from banlistd.core.config.yaml import parse_document
from banlistd.errors import ConfigError

FOLDER = Path("/etc/banlistd")

_CATALOGUE = parse_document(
    "catalogue.yaml",
    b"""
- {id: known, url: "https://lists.example/known", format: plain, every: 12h, minimum: 1h, home: h, licence: l, comment: c}
- {id: outbound, url: "https://lists.example/out", every: 2h, minimum: 90m, direction: both, home: h, licence: l, comment: c}
- {id: reference, url: "https://lists.example/reference", every: 1d, minimum: 1d, purpose: allow, home: h, licence: l,
   comment: c, is_list: no, addresses: [192.0.2.0/25, "2001:db8::1"]}
- {id: page, url: "https://lists.example/page", every: 1d, minimum: 1d, purpose: allow, home: h, licence: l, comment: c,
   is_list: no}
- {id: both, url: "https://lists.example/both", every: 1d, minimum: 1d, purpose: allow, home: h, licence: l, comment: c,
   format: {type: json, path: "prefixes[].ip_prefix"}, addresses: [198.51.100.0/24]}
- {id: changing, url: "https://lists.example/changing", every: 1d, minimum: 1d, purpose: allow, home: h, licence: l, comment: c}
- publisher: The Makers
  home: https://makers.example/
  every: 1h
  minimum: 1h
  comment: c
  lists:
    - {id: private-only, url: "https://makers.example/a", licence: CC BY-NC, attribution: The Makers, commercial: no}
    - {id: for-all, url: "https://makers.example/b", licence: CC0, commercial: yes}
    - {id: left, url: "https://makers.example/c", licence: CC0, commercial: yes, state: deprecated, successor: for-all}
    - {id: gone, url: "https://makers.example/d", licence: CC0, commercial: yes, state: dead}
""",
)
assert read_catalogue(_CATALOGUE)  # raises ConfigError where it is wrong
CATALOGUE = KnownLists(trees_of([_CATALOGUE]))


def read(main: str, **more: str) -> Config:
    """The configuration of these texts; a banlistd.yaml without `sources` gets an empty list."""
    document = parse_document("banlistd.yaml", main.encode())
    if document.tree is None or (isinstance(document.tree, dict) and "sources" not in document.tree):
        document = replace(document, tree={**(document.tree or {}), "sources": []})
    return read_as_written(document, **more)


def read_as_written(main: Document, **more: str) -> Config:
    documents = [main]
    documents += [parse_document(f"sources.d/{name}.yaml", text.encode()) for name, text in more.items()]
    return read_config(documents, CATALOGUE, FOLDER)


def problems_of(main: str, **more: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        read(main, **more)
    return list(refused.value.problems)


def source_of(*lines: str) -> Source:
    """The only source of a configuration; it has an id and a url unless the lines say otherwise."""
    named = [] if any(line.startswith(("id:", "use:")) for line in lines) else ["id: a"]
    placed = [] if any(line.startswith(("url:", "path:", "use:")) for line in lines) else ["url: https://lists.example/a"]
    text = "\n".join(["sources:", " -", *(f"   {line}" for line in [*named, *placed, *lines])])
    (source,) = read(text).sources
    return source
