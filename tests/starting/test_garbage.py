"""When garbage is looked for, in processes of their own: the collector has one state."""

import subprocess
import sys

_GROWS = """
import gc
from banlistd.starting import garbage
gc.disable()
def looks():
    return gc.get_stats()[2]["collections"]
def grow(count):
    return [[[] for _ in range(700)] for _ in range(count)]
before = looks()
{start}
kept = grow(1300)
grown = looks()
{rest}
kept = grow(20)
{rest}
print(grown - before, looks() - grown)
"""


def test_old_garbage_is_looked_for_at_rest_and_not_while_more_and_more_is_made() -> None:
    grown, rested = _looks("garbage.look_from_now_on()", "garbage.look_at_rest()")
    assert (grown, rested) == (0, 1)
    assert _looks("gc.enable()", "")[0] > 1


def test_garbage_in_cycles_is_found_at_rest() -> None:
    program = """
import gc, weakref
from banlistd.starting import garbage
class Ring: pass
garbage.look_from_now_on()
ring = Ring()
ring.ring, seen = ring, weakref.ref(ring)
gc.collect(1)
kept = [[[] for _ in range(700)] for _ in range(1200)]
del ring
print(seen() is not None)
garbage.look_at_rest()
print(seen() is not None)
"""
    assert _run(program).split() == ["True", "False"]


def _looks(start: str, rest: str) -> tuple[int, int]:
    grown, rested = _run(_GROWS.format(start=start, rest=rest)).split()
    return int(grown), int(rested)


def _run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout
