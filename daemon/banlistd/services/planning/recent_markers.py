"""The applied-state markers in the firewall, read at once for the many that ask one after the other."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from banlistd.model import Marker, SourceId


class RecentMarkers:
    """`read`: all markers, at once. Until `forget` they serve three times as long as that took: thousands may be asked for."""

    def __init__(self, read: Callable[[], Awaitable[Sequence[Marker]]]) -> None:
        self._read = read
        self._markers: Mapping[SourceId, Marker] = {}
        self._until = 0.0
        self._changes = 0

    async def of(self, source_id: SourceId) -> Marker | None:
        """The marker of one source. Raises FirewallError."""
        clock = asyncio.get_running_loop().time
        if clock() >= self._until:
            began, changes = clock(), self._changes
            self._markers = {marker.source_id: marker for marker in await self._read()}
            self._until = clock() + 3 * (clock() - began) if changes == self._changes else 0.0
        return self._markers.get(source_id)

    def forget(self) -> None:
        """The firewall has changed."""
        self._until = 0.0
        self._changes += 1
