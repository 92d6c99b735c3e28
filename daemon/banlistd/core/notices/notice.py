"""An event as banlistd-notify has it, and the notice that it makes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Fields = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Happening:
    """An event. `at`: seconds since the epoch. `name`: of the event, which a newer daemon may have and this program not."""

    at: float
    level: str
    name: str
    message: str
    fields: Fields = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Empty where it is about no source."""
        return str(self.fields.get("SOURCE_ID", ""))

    @property
    def key(self) -> tuple[str, str]:
        """What one cool-down is about."""
        return self.name, self.source


@dataclass(frozen=True, slots=True)
class Notice:
    """`since`: since when it waits, in seconds since the epoch. `again`: how many more of its kind were left out.

    `ended`: the event is over; `happening` is what ended it. `is_urgent`: no digest delays it.
    """

    happening: Happening
    since: float
    again: int = 0
    ended: str = ""
    is_urgent: bool = False
