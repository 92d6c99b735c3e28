"""A firewall in another process, which changes it from one large state to another and back until it is killed.

Run as a program: the words say which firewall (`opened`); a line is printed after each change.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from adapters.firewalls.holdings import large
from banlistd.adapters.firewalls.ipset.firewall import IpsetFirewall
from banlistd.adapters.firewalls.memory import MemoryFirewall
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.core.ruleset.diff import difference
from banlistd.ports import Firewall

FIREWALLS: Mapping[str, Callable[..., Firewall]] = {
    "memory": MemoryFirewall,
    "nftables": NftablesFirewall,
    "ipset": IpsetFirewall,
}


def opened(name: str, *arguments: str) -> Firewall:
    """`memory`; `nftables`; `ipset` and the variant of iptables."""
    return FIREWALLS[name](*arguments)


async def main(*words: str) -> None:
    firewall = opened(*words)
    states = [large(turn) for turn in (0, 1)]
    markers = await firewall.markers()
    at = next((at for at, state in enumerate(states) if state.markers == markers), None)
    for number in count():
        wanted = 1 - (at or 0)
        # Every third time as if nothing were known of what stands.
        present = None if at is None or number % 3 == 2 else states[at]
        await firewall.apply(difference(present, states[wanted]))
        at = wanted
        sys.stdout.write("changed\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
