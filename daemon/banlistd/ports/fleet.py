"""The repository of a fleet that this machine publishes, as a hub; how a node gets signed lists, and what it remembers."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from banlistd.core.fleet.publish_job import NewContent, Published

if TYPE_CHECKING:
    # A hub that takes no list needs none of them.
    from banlistd.core.config.service.fleet import Fleet
    from banlistd.core.fleet.cosign_job import AskedRole, Cosigned
    from banlistd.core.fleet.cosigning import OtherHub, WantedProposal
    from banlistd.core.fleet.roll_out.stops import RollOutState
    from banlistd.core.fleet.trust import FleetState, KnownTrust, Pulled, WantedList


class Repository(Protocol):
    """What is published is whole and signed, before a call and after it. Raises FleetError; then nothing has changed."""

    async def state(self, names: Sequence[str]) -> Published:
        """What is published now, of these lists."""

    async def publish(
        self, names: Sequence[str], lists: Mapping[str, NewContent], *, looks_around: bool, above: int
    ) -> Published:
        """Sign everything anew that needs it, and the timestamp. `names`: every list; `lists`: those with a new content.

        `looks_around`: ask the mirrors first whether another hub publishes. `above`: the highest version that was published
        here. Raises StoodDownError if another hub publishes, or if the version would not be above.
        """

    async def stamp(self) -> object:
        """Something else, once the owners of the fleet have changed what this hub must publish, the hub was promoted, or
        another hub has signed.
        """

    def whole_file(self, file: str) -> bytes:
        """A file that `Published` names. Blocks."""


class OtherHubs(Protocol):
    """What other hubs of the fleet want signed, and what they have signed."""

    async def look(self, wanted: "Sequence[WantedProposal]") -> "Sequence[OtherHub]":
        """Ask each of them once. Call it on the thread of the event loop. Raises FleetError where none can be asked at all."""


class Cosigner(Protocol):
    """Signs for other hubs, in place of what was signed for them before."""

    async def cosign(self, asked: "Sequence[AskedRole]") -> "Cosigned":
        """Raises FleetError; then what was signed before stays."""


class SignedLists(Protocol):
    """Takes lists from the mirrors of a fleet; nothing that is not proven by its root comes out of it."""

    async def pull(self, fleet: "Fleet", wanted: "Sequence[WantedList]", known: "KnownTrust", seconds: float) -> "Pulled":
        """Ask the mirrors in their order until every list is there. Call it on the thread of the event loop.

        Raises FetchError where no mirror can be asked at all; what mirrors gave that was refused is in the result.
        """

    async def add_root(self, fleet: "Fleet", root: bytes, known: "KnownTrust") -> "Pulled":
        """Take a newer root that an administrator brings, without a mirror. Raises TrustError where it is not proven."""


class TrustLog(Protocol):
    """What was verified of a fleet, each call in one transaction. Raises LedgerError."""

    async def load(self, fleet: str) -> "KnownTrust": ...

    async def state(self, fleet: str) -> "FleetState":
        """Without the metadata."""

    async def keep(self, fleet: str, rows: Mapping[str, bytes], lists: Collection[str], state: "FleetState") -> None:
        """Add rows, or replace those of the same name, and forget the roles that are neither a top role nor of `lists`."""


class RollOutLog(Protocol):
    """Which lists a hub has stopped, and which versions are in question. Each call is one transaction. Raises LedgerError."""

    async def every(self) -> "Mapping[str, RollOutState]":
        """Of each list of which there is anything to say."""

    async def keep(self, name: str, state: "RollOutState") -> None:
        """Write that of a list, in place of what is known of it."""

    async def highest(self) -> int:
        """The highest version that was published for the fleet here; 0: none is known."""

    async def published(self, version: int) -> None:
        """Remember a version, if it is higher."""
