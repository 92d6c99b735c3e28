"""The last look at our table, for as long as no other process changes anything: of thousands of sources it takes longer to
read than a change of some lists to write.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from banlistd.adapters.firewalls.nftables.look import Look
from banlistd.adapters.firewalls.nftables.structure import RuleForm
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.ruleset.diff import Change
from banlistd.model import Marker, SourceSlot


@dataclass(frozen=True, slots=True)
class SoundRules:
    """Which rules were found as they should be: those of these sources, which look into the sets `used`.

    Sources that are the same objects are compared in no time.
    """

    sources: tuple[SourceSlot, ...]
    form: RuleForm
    used: tuple[str, ...]
    asked: frozenset[str]


class KeptLook:
    """Every commit by any process makes another generation. So what was read of one, and what our own commits have changed
    since, is what the kernel has, as long as there are no other generations.
    """

    def __init__(self) -> None:
        self._look: Look | None = None
        self._since = 0  # the generation that was read; each later one is a commit of ours
        self._rules: SoundRules | None = None

    def at(self, wire: NetlinkSocket, look_at: Callable[[NetlinkSocket], Look]) -> Look:
        """The table as it is now. `look_at`: reads all of it."""
        if self._look is None or self._look.generation != wire.generation():
            self._look, self._rules = look_at(wire), None
            self._since = self._look.generation
        return self._look

    def forget(self) -> None:
        """A commit begins; what it leads to is not known."""
        self._look, self._rules = None, None

    def follow(self, before: Look, rules: SoundRules | None, change: Change, generation: int) -> None:
        """A commit of ours that wrote elements and markers alone has led from `before` to a generation."""
        if generation == before.generation + 1 and change.allowed is None and change.answers is None and not change.replace:
            self._look, self._rules = _after(before, change, generation), rules

    @property
    def rules(self) -> SoundRules | None:
        return self._rules

    def note_rules(self, generation: int, rules: SoundRules | None) -> None:
        """Rules were found as they should be, or not."""
        if self._look is not None and self._look.generation == generation:
            self._rules = rules

    def own_since(self, generation: int) -> int | None:
        """The last generation, if every commit since that one was ours, and known; else None."""
        if self._look is None or not self._since <= generation <= self._look.generation:
            return None
        return self._look.generation


def _after(look: Look, change: Change, generation: int) -> Look:
    """The table after a change of elements and markers."""
    sets, names = dict(look.sets), look.names
    for item in change.maps:
        name, count = names[item.map.name], len(item.whole)
        sets[name] = replace(sets[name], count=None if sets[name].count is None else count, empty=not count)
    written = {marker.mark for marker in change.markers}
    return replace(look, generation=generation, sets=sets, marks=(look.marks - {*change.retired}) | written)


def markers_after(markers: tuple[Marker, ...], change: Change) -> tuple[Marker, ...]:
    """Those in the firewall after a change, in the order of marks."""
    retired: AbstractSet[int] = {*change.retired}
    there = {marker.mark: marker for marker in markers if marker.mark not in retired}
    there |= {marker.mark: marker for marker in change.markers}
    return tuple(there[mark] for mark in sorted(there))
