"""How long each ban of a list lasts: what the list has, and what it had and is banned for a time yet. Pure."""

import struct
from dataclasses import dataclass, field

from banlistd.core.addresses.combining import in_at_least
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.timed import NEVER, TimedEntries
from banlistd.core.feeds.content import Ends

_MAGIC = b"BLL1"
_HEADER = 8


@dataclass(frozen=True, slots=True, eq=False)
class Lasting:
    """`listed`: the entries of the list, each with its own end. `left`: what has left the list, and until when it is banned."""

    listed: TimedEntries = field(repr=False)
    left: TimedEntries = field(repr=False)

    def left_of(self, content: AddressSet, now: float) -> AddressSet:
        """What is left of a content at a moment (seconds since the epoch): what an entry covers that has not ended."""
        alive = TimedEntries.joined([self.listed.after(now), self.left.after(now)]).addresses()
        return in_at_least(2, [content, alive])

    def after(self, now: float) -> "Lasting":
        """Without what has ended."""
        return Lasting(self.listed.after(now), self.left.after(now))

    def next_end(self) -> int:
        """When the first entry ends; `NEVER` where none does."""
        return min(self.listed.next_end(), self.left.next_end())

    def written(self) -> Ends:
        """As it is stored; nothing where nothing ends."""
        first = self.next_end()
        if first == NEVER:
            return Ends()
        listed = self.listed.encode()
        return Ends(b"".join([_MAGIC, struct.pack("!I", len(listed)), listed, self.left.encode()]), first)

    @classmethod
    def decode(cls, octets: bytes) -> "Lasting":
        """The inverse of `written`, where something ends. Raises ValueError for bytes that it did not make."""
        if octets[:4] != _MAGIC or len(octets) < _HEADER:
            raise ValueError("no encoded ends")
        (length,) = struct.unpack_from("!I", octets, 4)
        middle = _HEADER + length
        return cls(TimedEntries.decode(octets[_HEADER:middle]), TimedEntries.decode(octets[middle:]))
