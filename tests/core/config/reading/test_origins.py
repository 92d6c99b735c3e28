"""Where each value of a source is written, and that no secret is among the values."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from banlistd.adapters.system.config_file import load_catalogue, load_kept
from banlistd.core.config.reading.origins import BUILT_IN, Setting, settings_of

MAIN = b"""\
backend: memory
defaults:
  every: 2h
  guards: {shrink: 70%}
allow:
  - 192.0.2.1
  - use: cloudflare
  - {url: "https://lists.example/allowed.txt", every: 3h}
sources:
  - id: a
    url: "https://lists.example/a?key=hidden"
    headers: {X-Key: hidden}
    body: "key=hidden"
    guards: {grow: 500%}
  - use: spamhaus-drop
    every: 1d
"""
OTHER = b"# mine\nid: b\npath: /srv/b.txt\nformat: {type: csv, column: 2}\n"


def settings(source_id: str) -> Mapping[str, Setting]:
    loaded = load_kept(Path("/etc/banlistd"), {"banlistd.yaml": MAIN, "sources.d/b.yaml": OTHER})
    [source] = (source for source in loaded.config.sources if source.id == source_id)
    entry = load_catalogue()[source.use] if source.use else None
    files = {"banlistd.yaml": MAIN, "sources.d/b.yaml": OTHER}
    return {one.key: one for one in settings_of(source, loaded.config.defaults, entry, files)}


@pytest.mark.parametrize(
    ("source_id", "key", "value", "origin"),
    [
        ("a", "every", "2h", "defaults, banlistd.yaml:3"),
        ("a", "guards.shrink", "70%", "defaults, banlistd.yaml:4"),
        ("a", "guards.grow", "500%", "banlistd.yaml:14"),
        ("a", "guards.frozen", "45d", BUILT_IN),
        ("a", "action", "drop", BUILT_IN),
        ("a", "url", "https://lists.example/a (a part is not shown)", "banlistd.yaml:11"),
        ("a", "headers", "X-Key (what they say is not shown)", "banlistd.yaml:12"),
        ("spamhaus-drop", "every", "1d", "banlistd.yaml:16"),
        ("spamhaus-drop", "minimum", "1h", "catalogue spamhaus-drop"),
        ("spamhaus-drop", "format", "jsonl field=cidr", "catalogue spamhaus-drop"),
        ("cloudflare", "use", "cloudflare", "banlistd.yaml:7"),
        ("cloudflare", "every", "7d", "catalogue cloudflare"),
        ("lists-example-allowed", "every", "3h", "banlistd.yaml:8"),
        ("b", "path", "/srv/b.txt", "sources.d/b.yaml:3"),
        ("b", "format", "csv columns=2", "sources.d/b.yaml:4"),
        ("b", "every", "2h", "defaults, banlistd.yaml:3"),
    ],
)
def test_a_value_has_its_place(source_id: str, key: str, value: str, origin: str) -> None:
    found = settings(source_id)[key]
    assert (found.value, found.origin) == (value, origin)


def test_no_secret_is_shown() -> None:
    assert "hidden" not in str(settings("a"))


def test_what_is_empty_is_left_out() -> None:
    assert {"ttl", "merge", "names", "proxy", "comment", "id"}.isdisjoint(settings("a"))
