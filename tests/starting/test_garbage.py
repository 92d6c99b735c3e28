"""When garbage is looked for, in processes of their own: the collector has one state."""

import subprocess
import sys
from collections.abc import Sequence

_HEAD = """
import gc, weakref
from banlistd.starting import garbage
gc.disable()
class Ring: pass
def ring():
    one = Ring()
    one.ring = one
    return one
def grow(count):
    return [[[] for _ in range(700)] for _ in range(count)]
"""


def test_a_look_is_no_longer_when_much_is_kept() -> None:
    """What a look goes through is what no freeze has taken: as much after the millionth object as after the first."""
    program = """
seen = []
def note(phase, info):
    if phase == "start" and info["generation"] > 0:
        seen.append(sum(len(gc.get_objects(generation)) for generation in range(3)))
garbage.look_from_now_on()
gc.callbacks.append(note)
kept = grow(1400)
print(len(seen), max(seen), *seen)
"""
    looks, largest, *_ = (int(word) for word in _run(program))
    assert looks > 10
    assert largest < 1.2 * 55_000


def test_garbage_among_what_is_new_is_found_while_more_comes() -> None:
    program = """
garbage.look_from_now_on()
seen = weakref.ref(ring())
kept = grow(100)
print(seen() is None)
"""
    assert _run(program) == ["True"]


def test_garbage_among_what_is_frozen_is_found_at_rest_when_much_has_come() -> None:
    program = """
garbage.look_from_now_on()
one = ring()
seen = weakref.ref(one)
gc.collect(1)
del one
kept = grow(100)
garbage.look_at_rest()
print(seen() is None)
for _ in range(100):
    gc.collect(1)
garbage.look_at_rest()
print(seen() is None)
"""
    assert _run(program) == ["False", "True"]


def test_what_was_there_at_the_start_is_not_looked_at_before_much_has_come() -> None:
    program = """
kept = grow(300)
garbage.look_from_now_on()
garbage.look_from_now_on()
print(sum(len(gc.get_objects(generation)) for generation in range(3)) < 1000, len(gc.callbacks))
"""
    assert _run(program) == ["True", "1"]


def _run(program: str) -> Sequence[str]:
    done = subprocess.run([sys.executable, "-c", _HEAD + program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()
