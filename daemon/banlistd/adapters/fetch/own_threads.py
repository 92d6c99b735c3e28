"""Threads of their own for calls that may never return: a name service that is silent, a file on a dead network disk.

The event loop's own threads (six on two cores) are for the firewall and the database, which must never wait for such a call.
"""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class OwnThreads:
    """The BlockingCalls of `ports`; at most `at_once` calls run at a time."""

    def __init__(self, name: str, at_once: int) -> None:
        self._name = name
        self._free = asyncio.Semaphore(at_once)
        self._running: set[Hashable] = set()

    async def run(
        self, key: Hashable, work: Callable[[], _Result], discard: Callable[[_Result], None] = lambda _: None
    ) -> _Result:
        if key in self._running:
            raise OSError(errno.EBUSY, "an earlier attempt has not come back")
        self._running.add(key)
        try:
            await self._free.acquire()
        except asyncio.CancelledError:
            self._running.discard(key)
            raise
        outcome: Future[_Result] = Future()
        outcome.set_running_or_notify_cancel()
        # A daemon: the interpreter does not wait for it at its end, as it does for the threads of an executor.
        thread = threading.Thread(target=_do, args=(work, outcome), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as exc:  # the account or the unit (TasksMax) allows no more of them now
            self._ended(key)
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from exc
        comes_back = True
        try:
            return await asyncio.wrap_future(outcome)
        except asyncio.CancelledError:  # the call goes on alone, and its key is in use until it comes back
            comes_back = False
            loop = asyncio.get_running_loop()
            outcome.add_done_callback(lambda _: _later(loop, self._ended, key))
            outcome.add_done_callback(lambda ended: None if ended.exception() else discard(ended.result()))
            raise
        finally:
            # Here and not from the thread: the caller may use the key again at once.
            if comes_back:
                self._ended(key)

    def _ended(self, key: Hashable) -> None:
        self._free.release()
        self._running.discard(key)


def _do(work: Callable[[], _Result], outcome: "Future[_Result]") -> None:
    try:
        result = work()
    except Exception as exc:  # noqa: BLE001 - it is raised where the call is awaited
        outcome.set_exception(exc)
    else:
        outcome.set_result(result)


def _later(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: Any) -> None:
    with suppress(RuntimeError):  # the loop is closed, and nothing waits any more
        loop.call_soon_threadsafe(call, *arguments)
