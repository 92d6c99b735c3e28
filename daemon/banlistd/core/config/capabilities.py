"""What each backend can do, as a table: a source that asks for more is refused before anything is touched."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.core.config.model import Source
from banlistd.model import Action, BackendName, Direction


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Which actions and directions a source may have."""

    actions: AbstractSet[Action] = frozenset(Action)
    directions: AbstractSet[Direction] = frozenset(Direction)


CAPABILITIES: Mapping[BackendName, Capabilities] = {
    BackendName.NFTABLES: Capabilities(),
    BackendName.IPSET: Capabilities(),
    BackendName.MEMORY: Capabilities(),
    # A jail bans addresses that packets come from; its own action says whether they are dropped or rejected.
    BackendName.FAIL2BAN: Capabilities(frozenset({Action.DROP, Action.REJECT}), frozenset({Direction.IN})),
}


def beyond(backend: BackendName, source: Source) -> Iterator[tuple[str, str, AbstractSet[str]]]:
    """What a source asks for that a backend cannot do: the key, its value, and the values that it could have."""
    can = CAPABILITIES[backend]
    if source.action not in can.actions:
        yield "action", source.action, can.actions
    if source.direction not in can.directions:
        yield "direction", source.direction, can.directions
