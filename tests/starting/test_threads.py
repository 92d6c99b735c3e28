"""The turns of threads, in processes of their own: there is one length for all of them."""

import subprocess
import sys

_PROGRAM = """
import select, threading
from banlistd.starting.threads import take_short_turns
{start}
work, may_end, begun = 0, False, threading.Event()
def think():
    global work
    begun.set()
    while not may_end:
        work += 1
thread = threading.Thread(target=think)
thread.start()
begun.wait()
before = work
for _ in range(100):
    select.select([], [], [], 0.0001)  # the other thread has its turn meanwhile
print(work - before)
may_end = True
thread.join()
"""


def test_who_asks_the_system_waits_for_little_work_of_a_thread_that_thinks() -> None:
    # Other programs disturb: of each the round in which they did so least.
    short, pythons_own = (best(_work(start) for _ in range(3)) for best, start in ((min, "take_short_turns()"), (max, "")))
    assert short * 2 < pythons_own


def _work(start: str) -> int:
    """What the other thread does while this one makes calls of the system."""
    program = _PROGRAM.format(start=start)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return int(done.stdout)
