"""What holds after a kill, and after the start that follows it. Both are checked from outside: kernel, database, events."""

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.versions.version import older_contents
from system.daemon_process import answer_of
from system.kernel_view import UNUSED, KernelRanges, View, generation, look
from system.kill.world import Ended, KernelSnapshot, KillFixture, KillScenario, snapshot_of

Ledger = Mapping[int, tuple[str, str | None, str]]
"""The runs by their ids: source, content hash, state; the newest last."""


def ledger_of(database: Path) -> Ledger:
    """Empty where there is no database, or no schema in it yet."""
    if not database.exists() or not answer_of(database, "SELECT 1 FROM sqlite_schema WHERE name = 'import_runs'"):
        return {}
    rows = answer_of(database, "SELECT id, source_id, content_hash, state FROM import_runs ORDER BY generation, id")
    return {row["id"]: (row["source_id"], row["content_hash"], row["state"]) for row in rows}


def accepted(ledger: Ledger) -> Mapping[str, str]:
    """The content that each source shall hold: of its newest run that did not fail."""
    return {source_id: content_hash for source_id, content_hash, state in ledger.values() if content_hash and state != "failed"}


def check_what_is_left(
    world: KillFixture, scenes: Sequence[KillScenario], view: View, *, in_steps: bool, before: Mapping[str, str] | None = None
) -> None:
    """Each source stands whole, by its marker, under the old configuration or the new one.

    `in_steps`: some change takes two transactions; between them each address has the owner that it had or the one that it gets,
    and markers are void. `before`: contents that may be in force then, beside those of the scenes.
    """
    holdings = [_standing(world, scene, view) for scene in scenes]
    left = snapshot_of(view)
    if left not in holdings:
        assert in_steps, f"neither the old nor the new: {view.contents}"
        known = [view.contents, before or {}, *(world.hashes(scene) for scene in scenes)]
        candidates = [state for scene in scenes for state in _on_the_way(world, scene, known)]
        every = (left, *candidates)
        parts = [[state.ranges for state in every], [state.blocking for state in every]]
        parts += [
            [state.scoped.get(words, {}) for state in every] for words in {word for state in every for word in state.scoped}
        ]
        for found, *possible in parts:
            for version in (4, 6):
                _check_owners(found.get(version, []), [one.get(version, []) for one in possible])
    if view.ranges != {4: [], 6: []}:
        _check_that_the_banned_are_dropped(view.listing)


def _standing(world: KillFixture, scene: KillScenario, view: View) -> KernelSnapshot:
    """Under this configuration, with the contents that the markers name."""
    return world.state(scene, {name: view.contents[name] for name in scene.sources if name in view.contents})


def _on_the_way(world: KillFixture, scene: KillScenario, known: Sequence[Mapping[str, str]]) -> Sequence[KernelSnapshot]:
    """Under this configuration, where each source has one of the contents that are known of it."""
    choices = {name: {contents[name] for contents in known if name in contents} for name in scene.sources}
    choices = {name: choice for name, choice in choices.items() if choice}
    return [world.state(scene, dict(zip(choices, mix, strict=True))) for mix in product(*choices.values())]


def _check_owners(left: KernelRanges, candidates: Sequence[KernelRanges]) -> None:
    edges = sorted({edge for ranges in [left, *candidates] for first, last, _ in ranges for edge in (first, last + 1)})
    for address in edges:
        owner = _owner(left, address)
        assert owner in {_owner(ranges, address) for ranges in candidates}, f"{address} stands for {owner or 'nobody'}"


def _owner(ranges: KernelRanges, address: int) -> str:
    at = bisect_right(ranges, (address, 1 << 128, "")) - 1
    return ranges[at][2] if at >= 0 and ranges[at][1] >= address else ""


def _check_that_the_banned_are_dropped(listing: Sequence[Mapping[str, Any]]) -> None:
    """Whoever blocks blocks at every moment: every way in is asked, and what is found ends in a drop."""
    rules = rules_of(listing)
    assert rules.get("banned", [""])[-1] == [{"drop": None}], f"bans are open: {rules}"
    assert rules.get("inbound", [""])[-1] == [{"jump": {"target": "lookup-in"}}], f"bans are open: {rules}"
    lookups = rules.get("lookup-in", [])
    full = {one["name"] for one in (item["map"] for item in listing if "map" in item) if one.get("elem")}
    for name in {f"{kind}{version}" for kind in ("hosts", "nets") for version in (4, 6)} & full:
        assert [{"jump": {"target": name}}] in lookups, f"{name} is open: {lookups}"
        assert [f'"@{name}"' in json.dumps(rule) for rule in rules[name]] == [True], f"{name} is open: {rules}"
    for name in (name for name in full if name.startswith("scope") and not name.endswith(UNUSED)):
        number, way = name.removeprefix("scope").split("_")[:2]
        assert way == "in", f"no scene looks at destinations: {name}"
        assert [{"jump": {"target": name}}] in rules[f"scoped-{number}-in"], f"{name} is open: {rules}"
        assert [f'"@{name}"' in json.dumps(rule) for rule in rules[name]] == [True], f"{name} is open: {rules}"
        (conditions,) = (chain for chain in rules if chain.startswith(f"scope-{number}-") and _is_asked(chain, rules))
        assert rules[conditions][-1][-1] == {"jump": {"target": f"scoped-{number}-in"}}, f"{name} is open: {rules}"


def _is_asked(conditions: str, rules: Mapping[str, Sequence[Any]]) -> bool:
    tracked = rules.get("tracked-in", []) if [{"jump": {"target": "tracked-in"}}] in rules.get("inbound-tracked", []) else []
    return [{"jump": {"target": conditions}}] in [*rules["lookup-in"], *tracked]


def rules_of(listing: Sequence[Mapping[str, Any]]) -> Mapping[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in listing:
        if "rule" in item:
            found.setdefault(item["rule"]["chain"], []).append(item["rule"]["expr"])
    return found


def check_the_end(
    world: KillFixture, scene: KillScenario, left: View, moved: int, before: Ledger, killed: Ended, again: Ended, final: View
) -> None:
    """All stands as if nobody had been killed, and what stood already was not written again.

    `left`, `moved`, `before`: kernel, its generation and ledger after the kill.
    """
    assert again.code == 0, again
    found = look()
    assert snapshot_of(found) == world.state(scene, world.hashes(scene))
    assert found.contents == world.hashes(scene)
    assert normal(found.listing) == normal(final.listing)
    if normal(left.listing) == normal(final.listing):
        assert generation() == moved, f"written twice: {again.events}"
    if _markers(left) == _markers(final):
        assert not any(event.get("added") or event.get("removed") for event in again.events), f"banned twice: {again.events}"
    check_the_ledger(world, scene, killed, before)


def _markers(view: View) -> str:
    """What the kernel says that it holds, contents and policies."""
    markers = [item["map"] for item in view.listing if "map" in item and item["map"]["name"] == "applied"]
    return json.dumps(_without_chance(markers), sort_keys=True)


def check_the_ledger(world: KillFixture, scene: KillScenario, killed: Ended, before: Ledger) -> None:
    """What was written down, or told to be completed, is there; no run is left open; each list is what it is on its server.

    `before`: what the killed one left.
    """
    runs = ledger_of(world.place.state / "banlistd.db")
    assert all(state != "pending" for _, _, state in runs.values()), runs
    for number, (source_id, content_hash, _) in before.items():
        assert runs[number][:2] == (source_id, content_hash)
    for event in killed.told("blocklist_import_completed"):
        assert runs[event["run_id"]] == (event["source_id"], event["content_hash"], "completed")
    newest, served = accepted(runs), world.hashes(scene)
    assert {name: newest[name] for name in scene.lists} == {name: served[name] for name in scene.lists}
    for name in scene.lists:
        check_the_history(world.place.state / "banlistd.db", name, newest[name])


def check_the_history(database: Path, source_id: str, content_hash: str) -> None:
    """It ends with the content in force, and each older content comes back whole."""
    versions = f"FROM versions WHERE source_id = '{source_id}' AND came_at IS NOT NULL ORDER BY id DESC"
    rows = answer_of(database, f"SELECT content_hash, hex(delta) AS delta {versions}")
    assert rows[0]["content_hash"] == content_hash, f"{source_id} has another history"
    bodies = f"FROM snapshots WHERE source_id = '{source_id}' AND content_hash = '{content_hash}'"
    (snapshot,) = answer_of(database, f"SELECT hex(body) AS body {bodies}")
    deltas = [bytes.fromhex(row["delta"]) if row["delta"] else None for row in rows]
    older = [content.content_hash() for content in older_contents(AddressSet.decode(bytes.fromhex(snapshot["body"])), deltas)]
    assert older == [row["content_hash"] for row in rows[1:]], f"a version of {source_id} is damaged"


def check_what_is_restored(world: KillFixture, scene: KillScenario, before: Ledger, view: View) -> None:
    """After a start every source of the configuration holds its newest content, from the ledger or, where it was due, anew."""
    new = world.hashes(scene)
    for name, content_hash in accepted(before).items():
        assert name not in scene.lists or view.contents[name] in {content_hash, new[name]}, f"{name} was not restored"
    check_what_is_left(world, [scene], view, in_steps=True, before=accepted(before))


# `size`: what a map had room for when it was made.
_CHANCE = {"handle", "packets", "bytes", "size"}


def normal(listing: Sequence[Mapping[str, Any]]) -> str:
    """All of a ruleset but what differs between two that do the same: handles, counts, the order of what has none, and which
    number a scope has, with the policy hash, which depends on it.
    """
    listing = _without_numbers(listing)
    items = [_without_chance(item) for item in listing if "rule" not in item and "metainfo" not in item]
    rules = {chain: _without_chance(expressions) for chain, expressions in rules_of(listing).items()}
    return json.dumps([sorted(items, key=json.dumps), rules], sort_keys=True)


def _without_numbers(listing: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    text = json.dumps(listing)
    scopes = {*re.findall(r'"scope-([0-9]+)-([0-9a-f]{8})-', text)}
    assert len(dict(scopes)) == len(scopes), f"a number has two scopes: {scopes}"
    for number, digest in scopes:
        text = re.sub(rf"\b(scoped?-|scope){number}(?=[-_])", rf"\g<1>{digest}", text)
    if scopes:
        text = re.sub(r"(sha256=[0-9a-f]{64}) [0-9a-f]{16}", r"\1", text)
    named: Sequence[Mapping[str, Any]] = json.loads(text)
    return named


def _without_chance(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_chance(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    # The elements of a set are strings here: there may be many.
    return {
        key: sorted(map(json.dumps, item)) if key in {"elem", "set"} and isinstance(item, list) else _without_chance(item)
        for key, item in value.items()
        if key not in _CHANCE
    }
