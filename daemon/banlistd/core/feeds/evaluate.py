"""A parsed list -> its content, and what a guard has against it. Made to run in a worker thread."""

import hashlib
from dataclasses import dataclass, field

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.guards import refuse
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.model import ContentHash, Refusal


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One content: its address set, and how many lines had no address.

    `has_end_count`: whether the body ends in a line that counts its entries, None where that is not known.
    """

    content_hash: ContentHash
    addresses: AddressSet = field(repr=False)
    rejected: int
    has_end_count: bool | None = None
    refusal: Refusal | None = None


def evaluate(source: Source, parsed: ParsedList, before: Content | None, *, had_end_count: bool = False) -> Reading:
    """Guard a list. `before`: the last good content; `had_end_count`: whether that list ended in a count of its entries."""
    content_hash = parsed.addresses.content_hash()
    # Content that is in the firewall already needs no guard: it was good, or approved. Nothing at all is no content, though.
    known = before is not None and parsed.entries and before.content_hash == content_hash
    last_good = before.addresses if before is not None else None
    refusal = None if known else refuse(source, parsed, last_good, had_end_count=had_end_count)
    has_end_count = parsed.said is not None and parsed.said.at_end
    return Reading(content_hash, parsed.addresses, parsed.rejected, has_end_count, refusal)


def fetch_key_of(source: Source) -> str:
    """A key of where a source's bytes come from and how they are read."""
    place: tuple[object, ...] = (source.url, str(source.path), source.format)
    # Only where there is one: what was polled before there were any must not look as if it had moved.
    place += (source.block,) if source.block else ()
    return hashlib.sha256(repr(place).encode()).hexdigest()[:16]
