"""Events: what happened, for the journal and for subscribers. Each event is declared once, in `names`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from banlistd.events.kind import EventKind, Field, Priority
from banlistd.events.names import EventName

__all__ = ["Event", "EventKind", "EventName", "Field", "Priority"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `fields`: only those that its kind declares; values are numbers or plain text."""

    name: EventName
    message: str
    fields: Mapping[str, str | int | float] = field(default_factory=dict)
