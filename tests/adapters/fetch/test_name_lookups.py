import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from banlistd.adapters.fetch.name_lookups import NameLookups
from banlistd.core.config.model import Source
from banlistd.errors import FetchError, UsageError
from banlistd.model import SourceId, Validators
from support.in_process_parser import ONE_TRY, downloads, ignored


class DeadNameService:
    """Every question waits until the test is over, as with a server that swallows them. `asked`: the names, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.over = threading.Event()
        self._waiting: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = []

    def __call__(self, host: str, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(host)
        for number, loop, reached in self._waiting:
            if len(self.asked) >= number:
                loop.call_soon_threadsafe(reached.set)
        self.over.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    def expect(self, number: int) -> asyncio.Event:
        """Set once so many questions wait."""
        reached = asyncio.Event()
        self._waiting.append((number, asyncio.get_running_loop(), reached))
        return reached


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeadNameService]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    service = DeadNameService()
    monkeypatch.setattr(socket, "getaddrinfo", service)
    yield service
    service.over.set()
    for thread in threading.enumerate():
        if thread.name == "name look-up":
            thread.join()  # else it may end while the next test counts threads


def source(number: int) -> Source:
    return Source(id=SourceId(f"a-{number}"), url=f"http://h{number}.example.test/list", timeout=60.0)


def test_sixty_dead_names_take_no_thread_that_a_repair_needs(dead: DeadNameService) -> None:
    async def life() -> None:
        fetcher, are_asked = downloads("1"), dead.expect(min(6, (os.cpu_count() or 1) + 4))
        polls = [asyncio.ensure_future(fetcher.fetch(source(number), Validators(), ignored)) for number in range(60)]
        await are_asked.wait()
        try:
            async with asyncio.timeout(60):
                assert await asyncio.to_thread(lambda: "repaired") == "repaired"
        finally:
            dead.over.set()
            for poll in polls:
                poll.cancel()
            await asyncio.gather(*polls, return_exceptions=True)

    asyncio.run(life())


def test_a_process_ends_although_a_look_up_does_not(dead: DeadNameService) -> None:
    async def life() -> None:
        is_asked = dead.expect(1)
        look_up = asyncio.ensure_future(NameLookups().resolve("h.example.test"))
        await is_asked.wait()
        look_up.cancel()

    asyncio.run(life())  # it waits for the threads of the event loop
    assert not dead.over.is_set()


def test_downloads_that_time_out_and_come_again_ask_once(dead: DeadNameService) -> None:
    async def life() -> None:
        lookups = NameLookups()
        for _ in range(5):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await lookups.resolve("h.example.test")
        dead.over.set()
        with pytest.raises(socket.gaierror):
            await lookups.resolve("h.example.test")

    asyncio.run(life())
    assert dead.asked == ["h.example.test"]


def test_no_more_threads_than_allowed_ask_at_once(dead: DeadNameService) -> None:
    async def life() -> None:
        lookups, are_asked = NameLookups(at_once=2), dead.expect(2)
        before = threading.active_count()
        asks = [asyncio.ensure_future(lookups.resolve(f"h{number}.example.test")) for number in range(9)]
        await are_asked.wait()
        assert threading.active_count() == before + 2
        dead.over.set()
        assert all(isinstance(each, socket.gaierror) for each in await asyncio.gather(*asks, return_exceptions=True))

    asyncio.run(life())
    assert len(dead.asked) == 9


def test_a_thread_that_cannot_be_started_costs_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def life() -> None:
        lookups = NameLookups(at_once=1)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            for _ in range(2):
                with pytest.raises(OSError, match="temporarily unavailable"):
                    await lookups.resolve("localhost")
        async with asyncio.timeout(60):
            assert await lookups.resolve("localhost", family=socket.AF_UNSPEC)

    asyncio.run(life())


def test_a_name_is_resolved_with_its_port() -> None:
    # As aiohttp asks. For AF_INET alone the C library finds no 127.0.0.1 where loopback is all the IPv4 of a machine.
    found = asyncio.run(NameLookups().resolve("localhost", 80, socket.AF_UNSPEC))
    assert ("127.0.0.1", 80, "localhost") in [(one["host"], one["port"], one["hostname"]) for one in found]


@pytest.mark.parametrize("host", ["x..y", "a" * 300 + ".test"])
def test_a_name_that_cannot_be_asked_for_is_a_plain_refusal(host: str) -> None:
    one = Source(id=SourceId("a"), url=f"http://{host}/list", timeout=10.0)
    with pytest.raises(FetchError):
        asyncio.run(downloads("1", retry=ONE_TRY).fetch(one, Validators(), ignored))


def test_the_addresses_of_a_name_are_each_given_once() -> None:
    assert "127.0.0.1" in (found := asyncio.run(NameLookups().addresses("localhost")))
    assert len(found) == len(set(found))


@pytest.mark.parametrize("host", ["x..y", "no-such-name.invalid"])
def test_a_name_without_addresses_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(UsageError, match="is no address, and the name service knows no such name"):
        asyncio.run(NameLookups().addresses(host))


def test_a_person_does_not_wait_for_a_dead_name_service(dead: DeadNameService) -> None:
    async def life() -> None:
        with pytest.raises(UsageError, match=r'did not answer within 0 s: "dead\.example\.test"'):
            await NameLookups().addresses("dead.example.test", patience=0.01)

    asyncio.run(life())
