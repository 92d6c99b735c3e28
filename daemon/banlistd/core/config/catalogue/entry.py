"""An entry of the catalogue: a list that banlistd knows by name, and the terms of its publisher."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from banlistd.core.config import kinds, web
from banlistd.core.config.catalogue.terms import ListState, Permission, Purpose, SizeClass, Topic
from banlistd.core.config.keys import Key, Section
from banlistd.core.config.values import AddressRange
from banlistd.formats import Format
from banlistd.model import Direction, SourceId

_AUTO = Format()


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry(Section):
    """A list that banlistd knows by name. What is not stated, or could not be verified, is `unknown` or empty."""

    id: Annotated[SourceId, Key(kinds.SOURCE_ID, "The name of the list.")]
    url: Annotated[str, Key(web.URL, "Where the list is downloaded from.")]
    format: Annotated[Format, Key(kinds.FORMAT, "The format of the list.")] = _AUTO
    every: Annotated[float, Key(kinds.EVERY, "The poll interval of the list.")]
    minimum: Annotated[float, Key(kinds.PUBLISHER_INTERVAL, "The shortest poll interval that the publisher allows.")]
    minimum_stated: Annotated[
        bool,
        Key(
            kinds.SWITCH, "Whether the publisher states the minimum; otherwise it follows from how often the list is made anew."
        ),
    ] = False
    allow_empty: Annotated[bool, Key(kinds.SWITCH, "Whether the list may have no entry.")] = False
    purpose: Annotated[
        Purpose, Key(kinds.chosen(Purpose, "a purpose"), "`ban`: a list for `sources`. `allow`: a reference for `allow`.")
    ] = Purpose.BAN
    direction: Annotated[Direction, Key(kinds.DIRECTION, "`in`: packets from banned addresses. `out`: packets to them.")] = (
        Direction.IN
    )
    size: Annotated[
        SizeClass,
        Key(
            kinds.chosen(SizeClass, "a size"),
            "How many entries it has: fewer than 100 (`tiny`), 5,000 (`small`), 50,000 (`medium`), 500,000 (`large`), or more.",
        ),
    ] = SizeClass.UNKNOWN
    octets: Annotated[int, Key(kinds.whole(0, 999_999_999), "Octets of the list when it was measured; 0: not known.")] = 0
    good_for: Annotated[
        tuple[Topic, ...], Key(kinds.many(kinds.chosen(Topic, "a topic"), "topics"), "What the list is good for.")
    ] = ()
    state: Annotated[
        ListState,
        Key(
            kinds.chosen(ListState, "a state"),
            "`deprecated`: no longer maintained or recommended. `dead`: gone, or empty for ever.",
        ),
    ] = ListState.ALIVE
    successor: Annotated[SourceId | None, Key(kinds.SOURCE_ID, "The entry to use in place of this one.")] = None
    overlaps: Annotated[
        tuple[SourceId, ...],
        Key(kinds.many(kinds.SOURCE_ID, "names of the catalogue"), "Entries that have many addresses in common with it."),
    ] = ()
    publisher: Annotated[str, Key(kinds.NOTE, "Who publishes the list.")] = ""
    home: Annotated[str, Key(kinds.NOTE, "The page of the publisher.")]
    licence: Annotated[str, Key(kinds.NOTE, "The terms of use of the list.")]
    attribution: Annotated[str, Key(kinds.NOTE, "The credit that the terms ask for.")] = ""
    redistribution: Annotated[Permission, Key(kinds.chosen(Permission, "an answer"), "Whether the list may be passed on.")] = (
        Permission.UNKNOWN
    )
    commercial: Annotated[Permission, Key(kinds.chosen(Permission, "an answer"), "Whether a business may use the list.")] = (
        Permission.UNKNOWN
    )
    contact: Annotated[str, Key(kinds.NOTE, "Where an address is taken off the list.")] = ""
    comment: Annotated[str, Key(kinds.NOTE, "A note for people.")]
    is_list: Annotated[bool, Key(kinds.SWITCH, "Whether the url is a list that can be polled, and not a page for people.")] = (
        True
    )
    addresses: Annotated[
        tuple[AddressRange, ...],
        Key(kinds.many(kinds.ADDRESSES, "addresses, networks and ranges a-b"), "The addresses of a reference for `allow`."),
    ] = ()

    def complaints(self) -> Iterator[tuple[str, str]]:
        if self.every < self.minimum:
            yield "every is shorter than minimum", ""
        if self.addresses and self.purpose is not Purpose.ALLOW:
            yield "has addresses and is a list to ban", "write purpose: allow, or delete the addresses"
