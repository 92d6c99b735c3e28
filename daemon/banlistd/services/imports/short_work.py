"""Work that would stop the event loop goes to a thread; for a short list it does not: the switch would take longer."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_FEW = 1000
"""Entries; to judge so many takes a millisecond."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


async def in_thread_if_long(
    entries: int, work: Callable[_Parameters, _Result], *args: _Parameters.args, **kwargs: _Parameters.kwargs
) -> _Result:
    """The result of `work`, whose cost grows with `entries`."""
    return work(*args, **kwargs) if entries <= _FEW else await asyncio.to_thread(work, *args, **kwargs)
