"""What other processes have changed in the firewall, and which of our changes has repaired it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from banlistd.core.ruleset.diff import Change, difference
from banlistd.core.ruleset.incremental_plan import Moves
from banlistd.core.ruleset.recovery import same_markers
from banlistd.core.ruleset.state import FirewallState, Verification
from banlistd.errors import LostStructureError
from banlistd.model import Marker

_TRIES = 5


async def in_spite_of_others(enforce: Callable[[], Awaitable[Change]]) -> Change:
    """Bring the firewall up to date, and once more where another program removes the table meanwhile.

    The source that brought the change would wait until its next poll otherwise, and its publisher may allow that only an hour
    later. Raises FirewallError.
    """
    for _ in range(_TRIES - 1):
        with suppress(LostStructureError):
            return await enforce()
    return await enforce()


@dataclass(frozen=True, slots=True, eq=False)
class FoundState:
    """What the firewall has. `present`: what its markers name; None where that is not known."""

    markers: Sequence[Marker]
    present: FirewallState | None
    verdict: Verification


class DriftRepairs:
    """Any change of ours repairs what it finds, whatever it was made for."""

    def __init__(self) -> None:
        self._possible: Sequence[Sequence[Marker]] = ()
        self._is_there = False
        self._alone = Change.nothing()
        self._repair = Change.nothing()

    def change_to(self, desired: FirewallState, moves: Moves | None, found: FoundState, state: FirewallState | None) -> Change:
        """The change from what was found to the desired state, after a look at the drift in it. Costs as much as a plan.

        `moves`: what leads to it from `state`, what the firewall should have; None after a change of which the outcome is not
        known.
        """
        self._look(state, found)
        return difference(found.present, desired, found.verdict, moves)

    def _look(self, state: FirewallState | None, has: FoundState) -> None:
        if state is None:
            # Of a change that failed the firewall has everything or nothing.
            self._is_there |= bool(self._possible) and not any(same_markers(has.markers, one) for one in self._possible)
            return
        known = same_markers(state.markers, has.markers)
        if not known or not has.verdict.sound:
            self._is_there = True
            self._alone = difference(has.present, state, has.verdict, {} if known else None)

    def begin(self, markers: Sequence[Marker], desired: FirewallState) -> None:
        """A change begins, from these markers to the desired state."""
        self._possible = markers, desired.markers

    def end(self, change: Change) -> None:
        """It has succeeded."""
        if self._is_there:
            self._repair = change if self._alone.is_empty else self._alone
        self._is_there, self._alone = False, Change.nothing()

    def take(self) -> Change:
        """The last repair since the last call, without what else its change did; an empty one if there was none."""
        repair, self._repair = self._repair, Change.nothing()
        return repair
