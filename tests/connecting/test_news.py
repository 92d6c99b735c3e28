"""What is waited for in place of a look every second."""

import asyncio

from banlistd.connecting.news import news_about
from banlistd.events import Event, EventName
from banlistd.services.telling.event_stream import EventStream
from support.fakes import FakeAnnouncer, FakeClock
from support.virtual_time import run_in_virtual_time

ADDED = Event(EventName.MANUAL_BAN_ADDED, "banned", {})
OTHER = Event(EventName.SERVICE_STARTED, "started", {})


def test_news_come_at_once_also_where_they_came_before_the_question_and_else_after_the_time() -> None:
    async def life() -> None:
        stream = EventStream(FakeAnnouncer(), FakeClock())
        loop = asyncio.get_running_loop()
        news = news_about(stream, [ADDED.name])

        async def waited() -> float:
            began = loop.time()
            await news(10.0)
            return loop.time() - began

        stream.announce(ADDED)
        assert await waited() == 0
        stream.announce(OTHER)
        assert await waited() >= 10
        loop.call_later(3, stream.announce, OTHER)
        loop.call_later(4, stream.announce, ADDED)
        assert await waited() == 4

    run_in_virtual_time(life())
