"""What is called while lists are downloaded."""

from collections.abc import Callable
from dataclasses import dataclass

from banlistd.core.config.model import Source

OnConnection = Callable[[str, str], None]
"""Called with a host (of a URL, or a proxy) and the address of the connection to it."""

OnArrival = Callable[[Source, str], None]
"""Called after each good answer with the URL that the list has moved to for good, or an empty text."""


def _ignore(_one: object, _other: str) -> None:
    """For those to whom it does not matter."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """`on_connection`: called for each connection that was made."""

    on_connection: OnConnection = _ignore
    on_arrival: OnArrival = _ignore


NO_LISTENERS = Listeners()
