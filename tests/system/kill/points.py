"""The sweep: a thing is done again and again, and killed at its first call, at its second one, until it ends by itself.

Every call, and not a sample: a kill and the start after it cost some 200 ms.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from system.kernel_view import View, generation, look
from system.kill.oracle import check_the_end, check_what_is_left, ledger_of
from system.kill.tracer import Trail, Victim, Watch
from system.kill.world import Ended, KillFixture, KillScenario

# No run that a test sweeps makes as many; a sweep that never ends is a fault of its own.
_MOST = 2000


@dataclass(frozen=True, slots=True)
class Crossing:
    """From one scene, which may be an empty machine, into another.

    `prepare`: be at its beginning. `attempt`: what is killed. `again`: the start that follows. `in_steps`: it may take two
    transactions, between which the first contents are gone. `beside_nft`: kill only while there is an nft. `check`: what else
    holds, after the kill and at the end.
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


def sweep(crossing: Crossing) -> Counter[str]:
    """How often each was killed: the daemon at every call, daemon and nft together at every call while there is an nft, and nft
    alone at every call of its own.
    """
    trail, final = _undisturbed(crossing)
    beside_nft = [number for number, call in enumerate(trail.calls, 1) if call.endswith("+")]
    alone = beside_nft if crossing.beside_nft else count(1)
    points: Mapping[Victim, Iterable[int]] = {Victim.DAEMON: alone, Victim.ALL: beside_nft, Victim.NFT: count(1)}
    kills = Counter[str]()
    for victim in crossing.victims:
        for number in points[victim]:
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
