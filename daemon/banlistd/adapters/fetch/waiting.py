"""Waiting for a parser costs a source no time of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from banlistd.ports import ParserSession


@asynccontextmanager
async def without_counting_the_wait(
    session: AbstractAsyncContextManager[ParserSession], deadline: asyncio.Timeout
) -> AsyncIterator[ParserSession]:
    """A session before whose beginning `deadline` stands still: the lists of other sources are in the way."""
    loop, when = asyncio.get_running_loop(), deadline.when()
    began = loop.time()
    deadline.reschedule(None)
    async with session as opened:
        deadline.reschedule(None if when is None else when + loop.time() - began)
        yield opened
