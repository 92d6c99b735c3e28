"""A parsed list -> its content, and what a guard has against it. Made to run in a worker thread."""

import hashlib
from dataclasses import dataclass, field

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.config.sections.guards import Critical
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.critical import CriticalReference, critical_in, references_of, without_critical
from banlistd.core.feeds.judgement import GuardContext, Judgement, judge
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.model import ContentHash, Refusal


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One content: its address set, and how many lines had no address.

    `has_end_count`: whether the body ends in a line that counts its entries, None where that is not known. `judgement`: of the
    guards; None for content that was accepted before. `critical`: what was taken out.
    """

    content_hash: ContentHash
    addresses: AddressSet = field(repr=False)
    rejected: int
    has_end_count: bool | None = None
    judgement: Judgement | None = None
    critical: tuple[CriticalReference, ...] = ()

    @property
    def refusal(self) -> Refusal | None:
        return self.judgement.refusal if self.judgement is not None else None


def evaluate(source: Source, parsed: ParsedList, before: Content | None, known: GuardContext) -> Reading:
    """Guard a list, and take critical addresses out of it. `before`: the last good content."""
    carves = source.guards.critical is Critical.CARVE
    critical = critical_in(parsed.addresses, references_of(source.guards, known.allowed)) if carves else ()
    addresses = without_critical(parsed.addresses, critical) if critical else parsed.addresses
    content_hash = addresses.content_hash()
    # What is in force needs no guard: it was good, or approved. Nothing at all is no content, though.
    in_force = before is not None and parsed.entries and before.content_hash == content_hash
    judgement = None if in_force else judge(source, parsed, addresses, known)
    has_end_count = parsed.said is not None and parsed.said.at_end
    return Reading(content_hash, addresses, parsed.rejected, has_end_count, judgement, tuple(critical))


def fetch_key_of(source: Source) -> str:
    """A key of where a source's bytes come from and how they are read."""
    place: tuple[object, ...] = (source.url, str(source.path), source.format, source.guards.critical)
    # Only where there is one: what was polled before there were any must not look as if it had moved.
    place += (source.block,) if source.block else ()
    place += (source.only,) if source.only else ()
    place += (source.combination,) if source.combination else ()
    place += ("hub", source.hub) if source.hub else ()
    place += (source.names,) if source.names else ()
    place += (source.pages,) if source.pages else ()
    place += (source.verify,) if source.verify else ()  # what was not verified then must not count as known
    place += (source.body, source.body_type, "POST") if source.is_post else ()
    place += (source.guards.critical_addresses,) if source.guards.critical_addresses else ()
    return hashlib.sha256(repr(place).encode()).hexdigest()[:16]
