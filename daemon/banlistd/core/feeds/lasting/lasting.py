"""How long each ban of a list lasts: what the list has, and what it had and is banned for a time yet. Pure."""

import struct
from dataclasses import dataclass, field

from banlistd.core.addresses.combining import all_but, in_at_least
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.timed import NEVER, TimedEntries, whole_second
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

    def listed_of(self, content: AddressSet) -> AddressSet:
        """What the list itself has of a content."""
        return in_at_least(2, [content, self.listed.addresses()])

    def after(self, now: float) -> "Lasting":
        """Without what has ended."""
        return Lasting(self.listed.after(now), self.left.after(now))

    def next_end(self) -> int:
        """When the first entry ends; `NEVER` where none does."""
        return min(self.listed.next_end(), self.left.next_end())

    def written(self) -> Ends:
        """As it is stored; nothing where nothing ends, and nothing has left."""
        first = self.next_end()
        if first == NEVER and not len(self.left):
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


def without_twice_missed(
    listed: AddressSet, timed: TimedEntries | None, before: AddressSet, known: Lasting | None, now: float
) -> tuple[Lasting, AddressSet]:
    """A new list, and what it lacks and the one before did not (`two_miss`), as addresses too.

    `timed`: the entries of the list, where some of them end; else what has left is all that is kept. `before`: the content in
    force, `known`: what its list lacked. An entry that has ended by its own end does not stay.
    """
    in_force = known.left_of(before, now) if known and len(known.listed) else before
    missed = all_but(in_force, [listed, *([known.left.addresses()] if known else [])])
    return Lasting(timed or TimedEntries.none(), TimedEntries.of(missed, NEVER)), missed


def lasting_of(
    listed: TimedEntries, before: AddressSet, known: Lasting | None, now: float, ttl: float
) -> tuple[Lasting, AddressSet]:
    """A new list, and what has left it and is banned for `ttl` seconds yet, as addresses too.

    `before`: the content in force, `known`: how long its entries last. An entry that has ended by its own end does not stay.
    """
    latest = whole_second(now + ttl)
    left = known.left.after(now).until(latest) if known else TimedEntries.none()
    in_force = known.left_of(before, now) if known else before
    gone = all_but(in_force, [listed.addresses(), left.addresses()])
    staying = TimedEntries.joined([left, TimedEntries.of(gone, latest)])
    return Lasting(listed, staying), staying.addresses()
