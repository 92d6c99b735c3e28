"""Calls in threads of their own."""

import asyncio
import sys
import threading
from collections.abc import Iterator

import pytest

from banlistd.adapters.system import own_threads
from banlistd.adapters.system.own_threads import OwnThreads


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Threads take turns at almost every instruction, so that a race shows in a few hundred calls."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switches")
def test_a_key_is_free_as_soon_as_its_result_is_there() -> None:
    async def scenario() -> None:
        threads = OwnThreads("test", 1)
        for turn in range(3000):
            assert await threads.run("key", lambda turn=turn: turn) == turn  # type: ignore[misc]

    asyncio.run(scenario())


@pytest.mark.usefixtures("eager_switches")
def test_a_key_is_free_as_soon_as_its_call_has_failed() -> None:
    async def scenario() -> None:
        threads = OwnThreads("test", 1)
        for _ in range(1000):
            with pytest.raises(ZeroDivisionError):
                await threads.run("key", lambda: 1 // 0)

    asyncio.run(scenario())


def test_a_key_is_in_use_until_an_abandoned_call_comes_back() -> None:
    async def scenario() -> None:
        threads = OwnThreads("test", 2)
        go, discarded = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await threads.run("key", go.wait, lambda _: loop.call_soon_threadsafe(discarded.set))  # type: ignore[arg-type]
        with pytest.raises(OSError, match="has not come back"):
            await threads.run("key", go.wait)
        go.set()
        await discarded.wait()
        await asyncio.sleep(0)
        assert await threads.run("key", lambda: 7) == 7

    asyncio.run(scenario())


def test_a_second_call_is_refused_while_the_first_waits_for_a_thread() -> None:
    async def scenario() -> None:
        threads = OwnThreads("test", 1)
        go = threading.Event()
        first = asyncio.create_task(threads.run("first", go.wait))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(threads.run("key", lambda: 7))
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="has not come back"):
            async with asyncio.timeout(60):  # without the refusal it waits for the thread, for ever
                await threads.run("key", lambda: 8)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        go.set()
        assert await first
        assert await threads.run("key", lambda: 9) == 9

    asyncio.run(scenario())


def test_calls_one_after_another_are_carried_out_by_one_thread() -> None:
    async def scenario() -> None:
        threads = OwnThreads("test", 4)
        assert len({await threads.run(number, threading.get_ident) for number in range(20)}) == 1

    asyncio.run(scenario())


def test_a_thread_without_calls_ends_and_the_next_call_has_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_threads, "_IDLE", 0.001)

    async def scenario() -> None:
        threads = OwnThreads("test", 4)
        thread = await threads.run("key", threading.current_thread)
        await asyncio.to_thread(thread.join)
        assert await threads.run("key", threading.current_thread) is not thread

    asyncio.run(scenario())


@pytest.mark.usefixtures("eager_switches")
def test_no_call_is_lost_that_comes_as_a_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_threads, "_IDLE", 1e-5)

    async def scenario() -> None:
        threads = OwnThreads("test", 4)
        for turn in range(300):
            assert await threads.run("key", lambda turn=turn: turn) == turn  # type: ignore[misc]
            await asyncio.sleep(turn % 3 * 1e-5)

    asyncio.run(scenario())
