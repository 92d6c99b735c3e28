"""Threads of their own for calls that may never return: a name service that is silent, a file on a dead network disk.

The event loop's own threads (six on two cores) are for the firewall and the database, which must never wait for such a call.
A thread that has come back waits a moment for the next call: to start one takes longer than to read a short file.
"""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

_Result = TypeVar("_Result")

_Call = tuple[Callable[[], Any], "Future[Any]"]

_IDLE = 1.0
"""Seconds without a call after which a thread ends."""


class OwnThreads:
    """The BlockingCalls of `ports`; at most `at_once` calls run at a time."""

    def __init__(self, name: str, at_once: int) -> None:
        self._name = name
        self._free = asyncio.Semaphore(at_once)
        self._running: set[Hashable] = set()
        self._idle: list[_Worker] = []

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
        try:
            worker = self._pass_on((work, outcome))
        except RuntimeError as exc:  # the account or the unit (TasksMax) allows no more threads now
            self._ended(key)
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from exc
        comes_back = True
        try:
            return await asyncio.wrap_future(outcome)
        except asyncio.CancelledError:  # the call goes on alone, and its key is in use until it comes back
            comes_back = False
            loop = asyncio.get_running_loop()
            outcome.add_done_callback(lambda _: _later(loop, self._ended, key, worker))
            outcome.add_done_callback(lambda ended: None if ended.exception() else discard(ended.result()))
            raise
        finally:
            # Here and not from the thread: the caller may use the key again at once.
            if comes_back:
                self._ended(key, worker)

    def _pass_on(self, call: _Call) -> "_Worker":
        """The thread that takes the call. Raises RuntimeError."""
        while self._idle:
            worker = self._idle.pop()
            if worker.takes(call):
                return worker
        worker = _Worker(self._name)
        worker.takes(call)
        worker.start()
        return worker

    def _ended(self, key: Hashable, worker: "_Worker | None" = None) -> None:
        self._free.release()
        self._running.discard(key)
        if worker is not None:
            self._idle.append(worker)


class _Worker(threading.Thread):
    """Carries out calls until none has come for a while."""

    def __init__(self, name: str) -> None:
        # A daemon: the interpreter does not wait for it at its end, as it does for the threads of an executor.
        super().__init__(name=name, daemon=True)
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._lock = threading.Lock()
        self._has_ended = False

    def takes(self, call: _Call) -> bool:
        """Whether the call will be carried out; False where the thread has ended."""
        with self._lock:
            if not self._has_ended:
                self._calls.put(call)
            return not self._has_ended

    def run(self) -> None:
        while not self._has_ended:
            try:
                work, outcome = self._calls.get(timeout=_IDLE)
            except Empty:
                with self._lock:
                    self._has_ended = self._calls.empty()
            else:
                _do(work, outcome)
                del work, outcome  # what they have in memory is not kept for the next call


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
