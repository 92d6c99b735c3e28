"""A process that changes a firewall is killed, and another process verifies what remains."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from adapters.firewalls import changing
from adapters.firewalls.changing import opened
from adapters.firewalls.holdings import ALPHA
from banlistd.core.addresses.sets import FAMILIES, Ranges
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.state import FirewallState, contents_of
from banlistd.model import Family
from banlistd.ports import Firewall


async def look_after_kills(words: Sequence[str], kills: int, states: Sequence[FirewallState], *, unknown: bool) -> None:
    """`words`: which firewall, which holds the first of two states. `unknown`: it may say that it knows nothing."""
    contents = [_ranges(state) for state in states]
    for kill in range(kills):
        kill_while_changing(words)
        # As a process that starts after it would look.
        firewall = opened(*words)
        at = await _settle(firewall, states, unknown=unknown)
        found = (await firewall.contents())[ALPHA.mark]
        assert {family: found.ranges(family) for family in FAMILIES} == contents[at], f"kill {kill}"
        await firewall.apply(difference(states[at], states[1 - at]))
        assert (await firewall.verify(states[1 - at])).sound, f"kill {kill}"
        await firewall.close()


async def _settle(firewall: Firewall, states: Sequence[FirewallState], *, unknown: bool) -> int:
    """Which of the states the firewall reports; of the structure around the elements some may be new, some old."""
    reported = await firewall.markers()
    at = next((at for at, state in enumerate(states) if state.markers == reported), None)
    if at is None:
        assert (reported, unknown) == ((), True)
        await firewall.apply(difference(None, states[0]))
        return 0
    verdict = await firewall.verify(states[at])
    assert not verdict.maps
    await firewall.apply(difference(states[at], states[at], verdict))
    assert (await firewall.verify(states[at])).sound
    return at


def _ranges(state: FirewallState) -> Mapping[Family, Ranges]:
    """The addresses of the only source of a state."""
    content = contents_of(state.map_entries)[ALPHA.mark]
    return {family: content.ranges(family) for family in FAMILIES}


def kill_while_changing(words: Sequence[str]) -> None:
    """Let another process make one change after the other, and kill it, and all that it has started, at any moment of some."""
    command = [sys.executable, str(Path(changing.__file__)), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        assert child.stdout is not None
        moments = []
        for _ in range(3):
            assert child.stdout.readline() == "changed\n"
            moments.append(time.monotonic())
        try:
            child.wait(random.uniform(0, moments[-1] - moments[0]))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
        else:
            pytest.fail("it ended by itself")
