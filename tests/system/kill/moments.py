"""Kills at random moments of a daemon that is given something to do, again and again: not between two calls but anywhere.

So a batch is met while the kernel works on it, and a start that follows a kill may be killed as well.
"""

import dataclasses
import math
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum

from banlistd.errors import BanlistdError
from support.network_namespace import nft
from system.daemon_process import Daemon
from system.kernel_view import View, generation, look
from system.kill.attempts import check_the_answers
from system.kill.nursery import Nursling
from system.kill.oracle import check_the_ledger, check_what_is_left, check_what_is_restored, ledger_of, normal
from system.kill.scenes import CONFIGURED, PLAIN, UPDATED
from system.kill.world import Ended, KillFixture, KillScenario, end_of

# How often the start that follows a kill is killed as well.
_KILLED_AGAIN = 0.25

SMALL: Sequence[KillScenario] = (PLAIN, UPDATED, *CONFIGURED.values())


def _hosts(first: int) -> list[str]:
    """10,000 addresses with gaps, half of them shared with the list that begins 10,000 later."""
    return [f"11.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(first, first + 20_000, 2)]


_ANY_TURNOVER = ", guards: {turnover: off}"
_LARGE = KillScenario({"feed": _hosts(0), "other": PLAIN.lists["other"]}, more=_ANY_TURNOVER)
_MOVED = KillScenario({"feed": _hosts(10_000), "other": UPDATED.lists["other"]}, more=_ANY_TURNOVER)
LARGE: Sequence[KillScenario] = (
    _LARGE,
    _MOVED,
    dataclasses.replace(_MOVED, actions={"feed": "count"}),
    dataclasses.replace(_LARGE, allow=["11.0.32.0/20"]),
    dataclasses.replace(_LARGE, lists={**_MOVED.lists, "extra": _hosts(20_000)}),
    dataclasses.replace(_LARGE, scopes={"feed": "22", "other": "22"}),
    dataclasses.replace(_MOVED, scopes={"feed": "80", "other": "22 new"}),
)

_OTHER = PLAIN.lists["other"]
_BOTH, _BOTH_UPDATED = ["198.51.100.128/26"], ["198.51.100.160/27"]
_FEED_UPDATED = ["192.0.2.0/28", "198.51.100.160/27", "2001:db8:8000::1", "203.0.113.7"]
_COMBINED = KillScenario(
    {"both": _BOTH, "feed": PLAIN.lists["feed"], "other": _OTHER}, made_of={"both": "intersect: [feed, other]"}
)
_COMBINED_UPDATED = dataclasses.replace(_COMBINED, lists={"both": _BOTH_UPDATED, "feed": _FEED_UPDATED, "other": _OTHER})
# One part alone changes: two would give the combination contents that no scene has, as they arrive one after the other.
COMBINED: Sequence[KillScenario] = (
    _COMBINED,
    _COMBINED_UPDATED,
    dataclasses.replace(_COMBINED_UPDATED, dated=["feed"]),
    dataclasses.replace(_COMBINED, dated=["feed", "other"]),
    dataclasses.replace(_COMBINED, kept=["other"]),
    dataclasses.replace(_COMBINED_UPDATED, kept=["other"], actions={"both": "count"}),
    dataclasses.replace(_COMBINED, lists={"feed": PLAIN.lists["feed"], "other": _OTHER}, made_of={}),
)

_SCOPED = dataclasses.replace(PLAIN, scopes={"feed": "22"})
_TWO = {"feed": "22", "other": "80"}
# Scopes are exchanged, are new and go; an address that both have is blocked in both.
SCOPED: Sequence[KillScenario] = (
    _SCOPED,
    dataclasses.replace(UPDATED, scopes={"feed": "22"}),
    dataclasses.replace(PLAIN, scopes=_TWO),
    dataclasses.replace(UPDATED, scopes={"feed": "80", "other": "22"}),
    dataclasses.replace(UPDATED, scopes={"feed": "22 new", "other": "22"}, allow=["198.51.100.64/27", "203.0.113.1"]),
    dataclasses.replace(PLAIN, scopes=_TWO, lists=dict(reversed([*PLAIN.lists.items()]))),
    UPDATED,
)


class Way(StrEnum):
    """How it comes that a daemon has something to do."""

    REFRESH = "refresh"
    RELOAD = "reload"
    RESTART = "restart"
    REBOOT = "reboot"


class Killer:
    """A machine whose daemon serves one of the scenes, undisturbed but for its death."""

    def __init__(self, world: KillFixture, scenes: Sequence[KillScenario], dice: random.Random) -> None:
        self.kills = Counter[str]()
        self._world = world
        self._scenes = scenes
        self._dice = dice
        self._finals: dict[KillScenario, str] = {}
        self._spans: dict[Way, float] = {}
        for scene in scenes:
            world.learn(scene)
            self._finals[scene] = normal(look().listing)
        self._scene = scenes[-1]
        self._daemon = self._settle(self._start())
        for way in Way:
            for scene in [*scenes[:2], *scenes[:2]]:
                self._time(way, scene)

    def close(self) -> None:
        self._daemon.kill()

    def kill(self) -> None:
        """Let something change, kill at a moment of it, start again, look at everything."""
        new, way = self._choose()
        old, self._scene = self._scene, new
        self._begin(way)
        self._kill_after(self._dice.uniform(0.0, 1.2 * self._spans[way]), way)
        killed = end_of(self._daemon)
        try:
            left, moved = self._look_at_what_is_left(old, new)
            while self._dice.random() < _KILLED_AGAIN:
                self._daemon = self._start()
                self._kill_after(self._dice.uniform(0.0, self._spans[Way.RESTART]), "start")
                end_of(self._daemon)
                left, moved = self._look_at_what_is_left(old, new)
            self._recover(left, moved, killed)
        except AssertionError as error:
            error.add_note(f"{way} to {self._scenes.index(new)} from {self._scenes.index(old)}: {killed}")
            raise

    def _choose(self) -> tuple[KillScenario, Way]:
        new = self._dice.choice([scene for scene in self._scenes if scene is not self._scene])
        way = self._dice.choice(list(Way))
        # A poll alone does not bring a configuration into force.
        return new, Way.RELOAD if way is Way.REFRESH and new.configuration != self._scene.configuration else way

    def _begin(self, way: Way) -> None:
        if way in {Way.RESTART, Way.REBOOT}:
            self._daemon.kill()
            if way is Way.REBOOT:
                nft("flush", "ruleset")
            self._daemon = self._start()
        else:
            self._world.show(self._scene)
        daemon = self._daemon
        questions = ["reload", "refresh"] if way is Way.RELOAD else ["refresh"]
        self._asking = threading.Thread(target=self._ask, args=(daemon, questions))
        self._asking.start()

    def _ask(self, daemon: Daemon, questions: Sequence[str]) -> None:
        daemon.find("service_started")
        with suppress(BanlistdError):
            for question in questions:
                self._world.ask("POST", question)

    def _kill_after(self, delay: float, what: str) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._daemon.process.wait(delay)
        assert self._daemon.process.poll() is None, self._daemon.words
        told = self._daemon.events[-1]["event"] if self._daemon.events else "nothing"
        self.kills[f"{what}, after {told}"] += 1
        # The daemon alone, and its nft goes on; or all, as systemd does.
        process = self._daemon.process
        assert isinstance(process, Nursling)
        process.kill_all() if self._dice.random() < 0.5 else process.kill()
        self._asking.join()

    def _look_at_what_is_left(self, old: KillScenario, new: KillScenario) -> tuple[View, int]:
        left = look()
        check_what_is_left(self._world, [old, new], left, in_steps=True)
        return left, generation()

    def _recover(self, left: View, moved: int, killed: Ended) -> None:
        """A start that nobody disturbs. `left`: what stands; `moved`: the generation of that."""
        with self._world.untouched_database() as file:
            before = ledger_of(file)
        self._daemon = self._start()
        self._daemon.wait_for("service_started")
        check_what_is_restored(self._world, self._scene, before, look())
        self._settle(self._daemon)
        if normal(left.listing) == self._finals[self._scene]:
            assert generation() == moved, f"written twice: {self._daemon.events}"
        check_the_ledger(self._world, self._scene, killed, before)

    def _start(self) -> Daemon:
        self._world.show(self._scene)
        return self._world.place.begin()

    def _settle(self, daemon: Daemon) -> Daemon:
        """Poll everything; then all stands as it does where nobody is ever killed."""
        daemon.wait_for("service_started")
        outcomes = self._world.ask("POST", "refresh")
        assert {outcome["outcome"] for outcome in outcomes} <= {"completed", "skipped"}, outcomes
        view = check_the_answers(self._world, self._scene)
        assert normal(view.listing) == self._finals[self._scene]
        return daemon

    def _time(self, way: Way, scene: KillScenario) -> None:
        """How long it takes where nobody disturbs it, and other work on the machine the least."""
        self._scene = scene
        began = time.monotonic()
        self._begin(way)
        self._asking.join()
        self._spans[way] = min(self._spans.get(way, math.inf), time.monotonic() - began)


def kill_often(world: KillFixture, scenes: Sequence[KillScenario], count: int, seed: int | None) -> Counter[str]:
    """Kill at least so often; what was going on each time, and how often. A seed brings back the dice, but not the moments."""
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    killer = Killer(world, scenes, random.Random(seed))
    try:
        while killer.kills.total() < count:
            killer.kill()
    except AssertionError as error:
        error.add_note(f"kill {killer.kills.total()} of seed {seed}")
        raise
    finally:
        killer.close()
    return killer.kills
