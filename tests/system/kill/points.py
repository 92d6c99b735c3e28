"""The sweep: a thing is done again and again, and killed at its first call, at its second one, until it ends by itself.

A kill and the start after it cost some 200 ms: `-m sweep` takes every call, the default run some of them, others each day.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby

from system.kernel_view import View, generation, look
from system.kill.oracle import check_the_end, check_what_is_left, ledger_of
from system.kill.tracer import Trail, Victim, Watch
from system.kill.world import Ended, KillFixture, KillScenario

# No run that a test sweeps makes as many; a sweep that never ends is a fault of its own.
_MOST = 2000

DAYS = 6
"""After so many days a kill has met each stretch of calls."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """From one scene, which may be an empty machine, into another.

    `prepare`: be at its beginning. `attempt`: what is killed. `again`: the start that follows. `in_steps`: it may take two
    transactions, between which the first contents are gone. `beside_nft`: kill only while there is an nft. `check`: what else
    holds, after the kill and at the end. `days`: after so many a kill has met each stretch of calls.
    """

    world: KillFixture
    old: KillScenario | None
    new: KillScenario
    prepare: Callable[[], None]
    attempt: Callable[[Watch], Ended]
    again: Callable[[], Ended]
    victims: Collection[Victim] = tuple(Victim)
    in_steps: bool = False
    beside_nft: bool = False
    check: Callable[[Ended], None] = lambda _: None
    days: int = DAYS


def sweep(crossing: Crossing, day: int | None) -> Counter[str]:
    """How often each was killed: the daemon at every call, daemon and nft together at every call while there is an nft, and nft
    alone at every call of its own. `day`: only at some of these.
    """
    trail, final = _undisturbed(crossing)
    calls = list(enumerate(trail.calls, 1))
    beside_nft = [(number, call) for number, call in calls if call.endswith("+")]
    of_nft = list(enumerate((call for call in trail.calls if call.startswith("nft ")), 1))
    met = {Victim.DAEMON: beside_nft if crossing.beside_nft else calls, Victim.ALL: beside_nft, Victim.NFT: of_nft}
    if day is not None:
        return _sweep({victim: some_of(met[victim], day, crossing.days) for victim in crossing.victims}, crossing, final)
    # Runs differ by a few calls: where all calls count, only the last run says how many there are.
    alive = [number for number, _ in beside_nft]
    every: Mapping[Victim, Iterable[int]] = {
        Victim.DAEMON: alive if crossing.beside_nft else count(1),
        Victim.ALL: alive,
        Victim.NFT: count(1),
    }
    return _sweep({victim: every[victim] for victim in crossing.victims}, crossing, final)


def some_of(calls: Sequence[tuple[int, str]], day: int, days: int = DAYS) -> Sequence[int]:
    """Of numbered calls those to be killed at on a day: of the stretches of equal calls one in `days`, and of each of these one
    call. SQLite writes a page of one transaction after the other: what such kills leave behind is seldom different.
    """
    stretches = [[number for number, _ in stretch] for _, stretch in groupby(calls, lambda call: call[1])]
    chosen = stretches[day % days :: days] or stretches[:1]
    return [stretch[day // days % len(stretch)] for stretch in chosen]


def _sweep(points: Mapping[Victim, Iterable[int]], crossing: Crossing, final: View) -> Counter[str]:
    kills = Counter[str]()
    for victim, numbers in points.items():
        for number in numbers:
            assert number < _MOST
            if not _is_killed(crossing, Watch(victim, number), final):
                break
            kills[victim] += 1
    return kills


def _undisturbed(crossing: Crossing) -> tuple[Trail, View]:
    crossing.prepare()
    ended = crossing.attempt(Watch())
    assert ended.code == 0, ended
    crossing.check(ended)
    return ended.trail, look()


def _is_killed(crossing: Crossing, watch: Watch, final: View) -> bool:
    """Kill, look, start again, look; False where it ended before it could be killed."""
    crossing.prepare()
    killed = crossing.attempt(watch)
    if not killed.trail.killed:
        return False
    try:
        left, moved = look(), generation()
        scenes = [scene for scene in (crossing.old, crossing.new) if scene]
        check_what_is_left(crossing.world, scenes, left, in_steps=crossing.in_steps)
        crossing.check(killed)
        with crossing.world.untouched_database() as file:
            before = ledger_of(file)
        again = crossing.again()
        check_the_end(crossing.world, crossing.new, left, moved, before, killed, again, final)
        crossing.check(again)
    except AssertionError as error:
        error.add_note(f"{watch.victim} killed at call {watch.at}: {' '.join(killed.trail.calls)}\n{killed}")
        raise
    return True
