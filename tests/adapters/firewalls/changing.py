"""A firewall in another process, which changes it from one large state to another and back until it is killed.

Run as a program: the arguments are those of `opened`; it prints a line after each change.
"""

import asyncio
import sys
from itertools import count
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from adapters.firewalls.holdings import large
from banlistd.adapters.firewalls.opener import firewall_type
from banlistd.backends import BackendName
from banlistd.core.ruleset.diff import difference
from banlistd.ports import Firewall


def opened(name: str, *arguments: str) -> Firewall:
    """`name`: of a backend; `arguments`: those of its firewall, such as the variant of iptables."""
    backend = next(backend for backend in BackendName if backend == name)
    return firewall_type(backend)(*arguments)


async def main(*words: str) -> None:
    firewall = opened(*words)
    states = [large(turn) for turn in (0, 1)]
    markers = await firewall.markers()
    at = next((at for at, state in enumerate(states) if state.markers == markers), None)
    for number in count():
        wanted = 1 - (at or 0)
        # Every third time as if the present state were unknown.
        present = None if at is None or number % 3 == 2 else states[at]
        await firewall.apply(difference(present, states[wanted]))
        at = wanted
        sys.stdout.write("changed\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
