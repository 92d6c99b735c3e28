"""Waiting for a parser costs a source no time of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def paused(deadline: asyncio.Timeout) -> AsyncIterator[None]:
    """`deadline` does not come nearer within the block: what the block waits for is not the fault of this source's list."""
    loop, when = asyncio.get_running_loop(), deadline.when()
    began = loop.time()
    deadline.reschedule(None)
    yield
    deadline.reschedule(None if when is None else when + loop.time() - began)
