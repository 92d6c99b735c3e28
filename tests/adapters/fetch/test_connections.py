"""Only the host that a download was connected to counts as a feed host, whatever a name service answers."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from banlistd.adapters.fetch.connections import Listeners
from banlistd.adapters.fetch.http import Downloads
from banlistd.adapters.host.protected import LinuxHost
from banlistd.adapters.host.resolver import MAX_ADDRESSES, Names
from banlistd.core.addresses.text import span_text
from banlistd.core.config.model import Source
from banlistd.errors import FetchError
from banlistd.model import SourceId, Validators
from support.fakes import FakeClock
from support.feed_server import FeedServer, redirect
from support.in_process_parser import ONE_TRY, downloads, ignored
from support.ports import reserved_port

ATTACKERS = [f"198.51.100.{n}" for n in range(1, 65)]
LIST = b"192.0.2.1\n"


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


class HostileNameServer(AbstractResolver):
    """Gives the server that is there first, and whom it wants to be free after it."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in ("127.0.0.1", *ATTACKERS)
        ]

    async def close(self) -> None: ...


def fetch(fetcher: Downloads, url: str) -> None:
    source = Source(id=SourceId("a-list"), url=url, timeout=10.0)
    with suppress(FetchError):
        asyncio.run(fetcher.fetch(source, Validators(), ignored))


def test_each_connection_is_reported_with_the_host_of_its_url(server: FeedServer) -> None:
    connections: list[tuple[str, str]] = []
    server.behave("/old", redirect(server.url("/new", "new.test")))
    server.serve("/new", LIST)
    fetcher = downloads(
        "1", retry=ONE_TRY, resolver=HostileNameServer(), listeners=Listeners(lambda *made: connections.append(made))
    )
    fetch(fetcher, server.url("/old", "old.test"))
    fetch(fetcher, server.url("/missing", "third.test"))
    assert connections == [("old.test", "127.0.0.1"), ("new.test", "127.0.0.1"), ("third.test", "127.0.0.1")]


def test_a_connection_that_is_not_made_is_not_reported() -> None:
    connections: list[tuple[str, str]] = []
    fetcher = downloads("1", retry=ONE_TRY, listeners=Listeners(lambda *made: connections.append(made)))
    with reserved_port() as port:
        fetch(fetcher, f"http://127.0.0.1:{port}/")
    assert connections == []


def test_who_answers_for_a_feed_name_frees_no_address_of_their_choice(
    server: FeedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [(0, 0, 0, "", (address, 0)) for address in ("127.0.0.1", *ATTACKERS)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    url = server.url("/list", "feed.test")
    server.serve("/list", LIST)

    async def story() -> None:
        names = Names(FakeClock())
        host = LinuxHost(names.addresses, {}, tmp_path)

        async def feed_hosts() -> set[str]:
            found = await host.protected([url])
            return {span_text(item.span) for item in found if "host of feed" in item.reason}

        assert len(await feed_hosts()) == MAX_ADDRESSES
        fetcher = downloads("1", retry=ONE_TRY, resolver=HostileNameServer(), listeners=Listeners(names.note_connection))
        await fetcher.fetch(Source(id=SourceId("a-list"), url=url), Validators(), ignored)
        assert await feed_hosts() == {"127.0.0.1"}

    asyncio.run(story())
