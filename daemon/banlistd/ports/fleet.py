"""The repository of a fleet that this machine publishes, as a hub."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from banlistd.core.fleet.publish_job import NewContent, Published


class Repository(Protocol):
    """What is published is whole and signed, before a call and after it. Raises FleetError; then nothing has changed."""

    async def state(self, names: Sequence[str]) -> Published:
        """What is published now, of these lists."""

    async def publish(self, names: Sequence[str], lists: Mapping[str, NewContent], *, looks_around: bool) -> Published:
        """Sign everything anew that needs it, and the timestamp. `names`: every list; `lists`: those with a new content.

        `looks_around`: ask the mirrors first whether another hub publishes. Raises StoodDownError if one does.
        """

    async def stamp(self) -> object:
        """Something else, once the owners of the fleet have changed what this hub must publish, or the hub was promoted."""

    def whole_file(self, file: str) -> bytes:
        """A file that `Published` names. Blocks."""
