"""What is killed: a banlistd with its folders, its lists on a server, and the firewall of a network of its own."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from banlistd.adapters.storage.database import open_database
from banlistd.ctl.client import Question, ask
from support.feed_server import FeedServer
from support.network_namespace import nft
from system.daemon_process import PATIENCE, Daemon, Installation
from system.kernel_view import KernelRanges, View, expected, look
from system.kill.nursery import Nursery, Nursling
from system.kill.tracer import Trail, Watch

_HEADER, _FAR, _GONE = "ip,expires", "2099-01-01T00:00:00Z", "2001-01-01T00:00:00Z"
_DATED = "{type: csv, column: ip, where: {expires: future}}"
_KEPT = ", ttl: 7d"
"""How a dated list is written, and read."""


class KernelSnapshot(NamedTuple):
    """What stands, the part of it that blocks, and what blocks packets of a scope: as in `View`."""

    ranges: Mapping[int, KernelRanges]
    blocking: Mapping[int, KernelRanges]
    scoped: Mapping[str, Mapping[int, KernelRanges]]


def snapshot_of(view: View) -> KernelSnapshot:
    return KernelSnapshot(view.ranges, view.blocking, view.scoped)


@dataclass(frozen=True, slots=True, eq=False)
class KillScenario:
    """What an administrator and the servers have said: lists in order, what is done with each (drop), what is allowed.

    `more`: further words for each source. `owner`: who may write the table. `by_hand`: what an operator has banned before.
    `made_of`: the words of the lists that are combinations, which no server has. `dated`: lists whose entries say when they
    end. `kept`: lists whose entries stay for a week after they left. `scopes`: the port to which alone packets of a list are
    blocked, and ` new` behind it where answers pass.
    """

    lists: Mapping[str, Sequence[str]]
    actions: Mapping[str, str] = field(default_factory=dict)
    allow: Sequence[str] = ()
    more: str = ""
    owner: str = "auto"
    by_hand: Sequence[str] = ()
    made_of: Mapping[str, str] = field(default_factory=dict)
    dated: Sequence[str] = ()
    kept: Sequence[str] = ()
    scopes: Mapping[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> Mapping[str, Sequence[str]]:
        """What is banned by hand comes before every list."""
        return {"manual": self.by_hand, **self.lists} if self.by_hand else self.lists

    @property
    def configuration(self) -> tuple[Any, ...]:
        """What the administrator's part of it is."""
        how = self.actions, self.allow, self.more, self.owner, self.made_of, self.dated, self.kept, self.scopes
        return tuple(self.lists), *how

    def state(self, contents: Mapping[str, Sequence[str]]) -> KernelSnapshot:
        """What stands under this configuration where these contents are held; what blocks comes before what watches."""
        scoped: dict[str, dict[str, Sequence[str]]] = {}
        for name in (name for name in self.sources if name in contents and name in self.scopes):
            scoped.setdefault(self.scopes[name], {})[name] = contents[name]
        parts = {words: found for words, lists in scoped.items() if any((found := expected(lists, self.allow)).values())}
        held = [name for name in self.sources if name in contents and name not in self.scopes]
        blocking = {name: contents[name] for name in held if self.actions.get(name, "drop") in {"drop", "reject"}}
        blocked = expected(blocking, self.allow)
        everything = blocking | {name: contents[name] for name in held if name not in blocking}
        standing = blocked if len(blocking) == len(everything) else expected(everything, self.allow)
        return KernelSnapshot(standing, blocked, parts)


class FleetPart(Protocol):
    """What a machine is in a fleet."""

    def origin(self, name: str) -> str:
        """Where a list comes from, as the configuration says it; empty: from the usual server."""

    def show(self, scene: KillScenario) -> Sequence[str]:
        """Let the fleet be as in a scene; more lines of the configuration."""


class Nursed(Installation):
    """An installation whose banlistd comes from a nursery."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        super().__init__(folder)
        self._nursery = nursery

    def begin(self, *options: str, watch: Watch | None = None, armed: bool = True) -> Daemon:
        return Daemon(self._nursery.start([*self.places, *options], watch, armed=armed))


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is over."""

    code: int
    events: Sequence[Mapping[str, Any]]
    words: Sequence[str]
    trail: Trail

    def told(self, event: str) -> Sequence[Mapping[str, Any]]:
        return [seen for seen in self.events if seen["event"] == event]


@dataclass(frozen=True, slots=True)
class Saved:
    """A machine at rest: its state folder and its ruleset."""

    state: Path
    ruleset: str


class KillFixture:
    """It knows by its hash each content of a scene that was learnt. `fleet`: what it is in one."""

    def __init__(self, folder: Path, server: FeedServer, nursery: Nursery) -> None:
        self.place = Nursed(folder, nursery)
        self.fleet: FleetPart | None = None
        self._server = server
        self._folder = folder
        self._entries: dict[tuple[str, str], Sequence[str]] = {}
        self._hashes: dict[tuple[str, int], str] = {}
        self._worked_out: dict[tuple[Any, ...], KernelSnapshot] = {}

    def show(self, scene: KillScenario) -> None:
        """Let the servers and the configuration say so."""
        for name, entries in scene.lists.items():
            lines = _dated(entries) if name in scene.dated else entries
            self._server.serve(f"/{name}", "\n".join([*lines, ""]).encode(), etag=f'"{id(entries)}"')
        actions = {name: scene.actions.get(name, "drop") for name in scene.lists}
        scopes = {name: _in_scope(scene.scopes.get(name, "")) for name in scene.lists}
        sources = [
            f"id: {name}, {self._origin(scene, name)}, action: {actions[name]}{scopes[name]}{scene.more}"
            for name in scene.lists
        ]
        self.place.configure(*sources, allow=scene.allow, owner=scene.owner)
        if self.fleet:
            lines = self.fleet.show(scene)
            self.place.file.write_text(self.place.file.read_text() + "\n".join([*lines, ""]))

    def _origin(self, scene: KillScenario, name: str) -> str:
        if name in scene.made_of:
            return scene.made_of[name]
        if self.fleet and (origin := self.fleet.origin(name)):
            return origin
        url = f'url: "{self._server.url(f"/{name}")}"{_KEPT if name in scene.kept else ""}'
        return f"{url}, format: {_DATED}" if name in scene.dated else url

    def learn(self, scene: KillScenario) -> None:
        """An undisturbed run in a scene tells what its contents are called."""
        self.show(scene)
        ended = self.once()
        assert ended.code == 0, ended
        view = look()
        assert snapshot_of(view) == scene.state(scene.sources)
        for name, content_hash in view.contents.items():
            self._entries[name, content_hash] = scene.sources[name]
            self._hashes[name, id(scene.sources[name])] = content_hash

    def hashes(self, scene: KillScenario) -> Mapping[str, str]:
        """The content hash of each source of a scene."""
        return {name: self._hashes[name, id(entries)] for name, entries in scene.sources.items()}

    def state(self, scene: KillScenario, contents: Mapping[str, str]) -> KernelSnapshot:
        """What stands in a scene where these contents, by their hashes, are held."""
        held = {name: contents[name] for name in scene.sources if name in contents}
        key = (scene, *sorted(held.items()))
        if key not in self._worked_out:
            self._worked_out[key] = scene.state({name: self._entries[name, held[name]] for name in held})
        return self._worked_out[key]

    def once(self, watch: Watch | None = None) -> Ended:
        """`banlistd --once`, to its end."""
        return end_of(self.place.begin("--once", watch=watch))

    def ask(self, method: str, path: str, **parameters: Any) -> Any:
        """What banlistctl is told; raises BanlistdError where it is told of a fault, or nothing."""
        query, body = (parameters, None) if method == "GET" else ({}, parameters)
        return ask(str(self.place.runtime / "control.sock"), Question(method, f"/v1/{path}", query, body, PATIENCE))

    def save(self, name: str) -> Saved:
        state = self._folder / "saved" / name
        shutil.copytree(self.place.state, state)
        return Saved(state, nft("list", "ruleset"))

    def save_empty(self) -> Saved:
        """A machine whose database has all its tables and nothing in them; test_migration kills while they are made."""
        state = self._folder / "saved" / "empty"
        state.mkdir(parents=True)
        asyncio.run(_make_database(state / "banlistd.db"))
        return Saved(state, ruleset="")

    def put_back(self, saved: Saved | None) -> None:
        """Be the machine that was saved; an empty one where none was."""
        shutil.rmtree(self.place.state, ignore_errors=True)
        if saved:
            shutil.copytree(saved.state, self.place.state)
        nft("-f", "-", given="flush ruleset\n" + (saved.ruleset if saved else ""))

    @contextmanager
    def untouched_database(self) -> Iterator[Path]:
        """A copy of it: to open the file itself would tidy it up. Who was killed early has not even made its folder."""
        copy = self._folder / "copy"
        copy.mkdir()
        if self.place.state.exists():
            shutil.copytree(self.place.state, copy, dirs_exist_ok=True)
        try:
            yield copy / "banlistd.db"
        finally:
            shutil.rmtree(copy)


def _in_scope(words: str) -> str:
    port, _, new = words.partition(" ")
    return "".join([f", ports: [{port}]" if port else "", ", connections: new" if new else ""])


def _dated(entries: Sequence[str]) -> Sequence[str]:
    return [_HEADER, *(f"{entry},{_FAR}" for entry in entries), f"192.0.2.250,{_GONE}"]


async def _make_database(file: Path) -> None:
    async with open_database(file):
        pass


def end_of(daemon: Daemon) -> Ended:
    """Wait until it and its nft are over."""
    code = daemon.process.wait(PATIENCE * 2)
    daemon.kill()
    process = daemon.process
    trail = process.trail if isinstance(process, Nursling) else Trail()
    return Ended(code, daemon.events, daemon.words, trail)
