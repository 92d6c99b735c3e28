"""What is written down of the ends of a list's entries."""

import asyncio
import dataclasses
from contextlib import suppress

from banlistd.core.addresses.timed import TimedEntries
from banlistd.core.feeds.content import Content, Ends
from banlistd.core.feeds.found_list import FoundList
from banlistd.core.feeds.lasting.lasting import Lasting
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


async def with_ends(found: FoundList) -> FoundList:
    """A list that is about to be taken, with the ends of its entries."""
    if found.reading is None:
        return found
    if found.timed is None:
        return dataclasses.replace(found, ends=Ends())
    ends = await asyncio.to_thread(Lasting(found.timed, TimedEntries.none()).written)
    return dataclasses.replace(found, ends=ends)


async def keep_ends(log: EndLog, source_id: SourceId, found: FoundList) -> None:
    """Write down the ends of a list whose addresses are in force already. Without a ledger the old ones count."""
    if found.ends is None:
        return
    with suppress(LedgerError):
        # Of most lists nothing ends, and nothing is to be written.
        if found.ends.body or await log.ends(source_id) is not None:
            await log.keep(source_id, found.content_hash, found.ends)
