"""The fields of one request to the control socket."""

from collections.abc import Mapping
from dataclasses import dataclass

from banlistd.core.printing import counted
from banlistd.model import SourceId

_SUBJECT = 60  # characters of a log line


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """The fields of a query (GET) or of a JSON body (POST), and those with a meaning of their own, read.

    `uid`: the user who asks; None: an operator over MQTT.
    `source`: the field `source`, None without it. `source_ids`: the field `sources`, without repetitions.
    """

    fields: Mapping[str, object]
    source: str | None
    source_ids: tuple[SourceId, ...]
    limit: int
    uid: int | None

    def text(self, key: str) -> str:
        """A field of a query; empty without it."""
        return str(self.fields.get(key, ""))

    @property
    def subject(self) -> tuple[str, ...]:
        """What an order is about, fit for a log line."""
        texts = (self.fields.get("address"), self.fields.get("hash"))
        address = self.fields.get("address")
        many = (counted(len(address), "line", "lines"),) if isinstance(address, list) else ()
        return (*self.source_ids, *many, *(ascii(text)[1:-1][:_SUBJECT] for text in texts if isinstance(text, str)))
