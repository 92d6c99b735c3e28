"""How long the bans of a list last: what is written down of it, and what becomes of it with a new list."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from banlistd.core.addresses.combining import all_but, in_at_least
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.timed import NEVER, TimedEntries
from banlistd.core.config.model import Source
from banlistd.core.feeds.content import Content, Ends
from banlistd.core.feeds.evaluate import Reading
from banlistd.core.feeds.found_list import FoundList
from banlistd.core.feeds.lasting.lasting import Lasting, lasting_of, without_twice_missed
from banlistd.errors import LedgerError
from banlistd.model import SourceId
from banlistd.ports import EndLog


async def known_ends(log: EndLog, content: Content) -> Lasting | None:
    """Those of a content; None where nothing of it ends, or where it is not known. Raises LedgerError."""
    row = await log.ends(content.source_id)
    if row is None or row[0] != content.content_hash:
        return None
    try:
        return await asyncio.to_thread(Lasting.decode, row[1])
    except ValueError:
        return None


async def listed_before(log: EndLog, source: Source, content: Content | None) -> Content | None:
    """Of the last good content, what its list had: with that the guards compare the next list. Raises LedgerError."""
    lasts = source.ttl is not None or source.two_miss
    known = await known_ends(log, content) if content is not None and lasts else None
    if known is None or content is None:
        return content
    if source.two_miss:
        addresses = await asyncio.to_thread(all_but, content.addresses, [known.left.addresses()])
    else:
        addresses = await asyncio.to_thread(known.listed_of, content.addresses)
    return Content(content.source_id, await asyncio.to_thread(addresses.content_hash), addresses)


async def with_ends(log: EndLog, source: Source, found: FoundList, in_force: Content | None, now: float) -> FoundList:
    """A list that is about to be taken, with what stays of the one before, and the ends of its entries. Raises LedgerError.

    `in_force`: the content that the source has now.
    """
    reading = found.reading
    if reading is None:
        return await _missed_again(log, found, in_force) if source.two_miss else found
    if source.two_miss and found.before is not None:
        known = await known_ends(log, found.before)
        return await asyncio.to_thread(_with_missed_once, found, reading, found.before.addresses, known, now)
    if source.ttl is None or found.before is None:
        ends = await asyncio.to_thread(Lasting(found.timed, TimedEntries.none()).written) if found.timed else Ends()
        return replace(found, ends=ends)
    known = await known_ends(log, found.before)
    return await asyncio.to_thread(_with_what_stays, found, reading, found.before.addresses, known, now, source.ttl)


def _with_what_stays(
    found: FoundList, reading: Reading, before: AddressSet, known: Lasting | None, now: float, ttl: float
) -> FoundList:
    listed = found.timed or TimedEntries.of(reading.addresses, NEVER)
    return _widened(found, reading, *lasting_of(listed, before, known, now, ttl))


def _widened(found: FoundList, reading: Reading, lasting: Lasting, staying: AddressSet) -> FoundList:
    if not staying:
        return replace(found, ends=lasting.written())
    addresses = in_at_least(1, [reading.addresses, staying])
    judgement = replace(reading.judgement, added=None) if reading.judgement else None
    wider = replace(reading, addresses=addresses, content_hash=addresses.content_hash(), judgement=judgement)
    count = max(len(addresses) - len(reading.addresses), 0)
    return replace(found, content_hash=wider.content_hash, reading=wider, ends=lasting.written(), staying=count)


def _with_missed_once(found: FoundList, reading: Reading, before: AddressSet, known: Lasting | None, now: float) -> FoundList:
    lasting, missed = without_twice_missed(reading.addresses, found.timed, before, known, now)
    return _widened(found, reading, lasting, missed)


async def _missed_again(log: EndLog, found: FoundList, in_force: Content | None) -> FoundList:
    """A list that has not changed since the poll before lacks the same entries again."""
    if in_force is None or in_force.content_hash != found.content_hash:
        return found
    known = await known_ends(log, in_force)
    if known is None or not len(known.left):
        return found
    addresses = await asyncio.to_thread(all_but, in_force.addresses, [known.left.addresses()])
    reading = Reading(addresses.content_hash(), addresses, 0)
    ends = Lasting(known.listed, TimedEntries.none()).written()
    return replace(found, content_hash=reading.content_hash, reading=reading, before=in_force, ends=ends)


async def keep_ends(log: EndLog, source_id: SourceId, found: FoundList) -> None:
    """Write down the ends of a list whose addresses are in force already. Without a ledger the old ones count."""
    if found.ends is None:
        return
    with suppress(LedgerError):
        # Of most lists nothing ends, and nothing is to be written.
        if found.ends.body or await log.ends(source_id) is not None:
            await log.keep(source_id, found.content_hash, found.ends)
