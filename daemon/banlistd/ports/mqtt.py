"""The broker, as messages in and out."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BusMessage:
    """`expires`: after so many seconds the broker drops it; None: never. `qos`: 0 or 1. `about`: names and values that go
    with it.
    """

    topic: str
    payload: bytes
    retained: bool = False
    qos: int = 1
    expires: int | None = None
    about: tuple[tuple[str, str], ...] = ()


Deliver = Callable[[BusMessage], Awaitable[bool]]
"""Whether any client listens to the topic. Raises BusError where the broker refuses the message, or the connection is lost."""


class BusConnection(Protocol):
    """One connection to the broker, while it lasts. Raises BusError once it is lost."""

    def send(self, message: BusMessage) -> None:
        """Never blocks and never raises: the queue is bounded, and the oldest of it is dropped; a newer retained message takes
        the place of an older one of its topic.
        """

    async def deliver(self, message: BusMessage) -> bool:
        """Send a message of QoS 1 before all that waits in the queue, and wait for the answer of the broker: whether it takes
        the message, and a client has subscribed to its topic.
        """

    def listen(self, topics: Collection[str]) -> None:
        """From now on, to these topics and no others; the broker is asked in the background."""

    async def received(self) -> BusMessage:
        """The next message of the topics subscribed to."""

    @property
    def lost(self) -> int:
        """Messages that were dropped from the queue."""

    def refusals(self) -> frozenset[str]:
        """Reasons that the broker has given, since the last call, for refusing a message."""
