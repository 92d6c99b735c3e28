"""Connections to servers of lists, one for each request: only to addresses that were checked."""

import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from yarl import URL

from banlistd.adapters.fetch.http_faults import LONGEST_HEADER, fetch_faults
from banlistd.adapters.fetch.routes import Route
from banlistd.core.config.model import Source
from banlistd.core.download.redirects import Trail, literal_address
from banlistd.core.download.request import Request
from banlistd.errors import FetchError

_MAX_HEADS = 20
"""The last one is that of the answer, the others are interim: no server has use for more than a few."""

OnConnection = Callable[[str, str], None]
"""Called with a host (of a URL, or a proxy) and the address of the connection to it."""

OnArrival = Callable[[Source, str], None]
"""Called after each good answer with the URL that the list has moved to for good, or an empty text."""


def _ignore(_one: object, _other: str) -> None:
    """For those to whom it does not matter."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """`on_connection`: called for each connection that was made."""

    on_connection: OnConnection = _ignore
    on_arrival: OnArrival = _ignore


NO_LISTENERS = Listeners()


@dataclass(frozen=True, slots=True)
class OtherNetwork:
    """`resolver` and `tls`: instead of the system's."""

    resolver: AbstractResolver | None = None
    tls: ssl.SSLContext | None = None


SYSTEM_NETWORK = OtherNetwork()


@dataclass(frozen=True, slots=True)
class FeedConnections:
    """`tls`: instead of the system's.

    Each session has a connection of its own, so that no cookie and no open socket passes from one list to another.
    """

    resolver: AbstractResolver
    on_connection: OnConnection
    tls: ssl.SSLContext | None

    async def session(
        self, request: Request, trail: Trail, route: Route, on_host: Callable[[str], None]
    ) -> tuple[aiohttp.ClientSession, str | None]:
        """A session for one request, and the proxy of HTTP that it goes through.

        `on_host`: called with the host, or the proxy, once there is a connection to it. Raises FetchError where the address is
        not allowed.
        """
        url = request.url
        host, proxy = urlsplit(url).hostname or "", route.proxy_for(url)
        # Read as aiohttp reads it, which takes digits and dots of any script for an address and asks no resolver.
        literal = literal_address(URL(url).raw_host or "")
        if literal is not None:
            trail.admit(literal, [literal])
        elif proxy:
            trail.unseen()  # the proxy resolves the name, out of our sight
        is_socks = urlsplit(proxy).scheme.lower().startswith("socks")
        tls = (route.tls if request.is_at_home else route.elsewhere) or self.tls or True
        if is_socks:
            from banlistd.adapters.fetch.proxies.socks import through_socks  # noqa: PLC0415 - few hosts have such a proxy

            connector = await through_socks(self.resolver, proxy, tls)
        else:
            resolver = self.resolver if proxy else _CheckedResolver(self.resolver, trail)
            connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True, ssl=tls)

        def note(name: str, address: str) -> None:
            on_host(name)
            self.on_connection(name, address)

        session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            response_class=_reporting(note, urlsplit(proxy).hostname or "" if proxy else host, url),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )
        return session, proxy if proxy and not is_socks else None


def _reporting(on_connection: OnConnection, host: str, url: str) -> type[aiohttp.ClientResponse]:
    """A response that reports the other end of its connection, which may be closed as soon as the body is there.

    Its faults are ours already: after one of its own, aiohttp would ask once more, and lose the reason of the first time.
    """

    class Response(aiohttp.ClientResponse):
        async def start(self, connection: Connection) -> aiohttp.ClientResponse:
            peer = connection.transport.get_extra_info("peername") if connection.transport is not None else None
            if peer:
                on_connection(host, peer[0])
            if connection.protocol is not None:
                connection.protocol.read = _few(connection.protocol.read)  # type: ignore[method-assign]
            with fetch_faults(url):
                return await super().start(connection)

    return Response


_Read = TypeVar("_Read")


def _few(read: Callable[[], Coroutine[Any, Any, _Read]]) -> Callable[[], Coroutine[Any, Any, _Read]]:
    """`read`, which gives the head of one answer after another, as often as `_MAX_HEADS` says.

    aiohttp reads interim answers (RFC 9110 15.2) without an end, and as fast as they come: the event loop has time for little
    else meanwhile.
    """
    left = iter(range(_MAX_HEADS))

    async def limited() -> _Read:
        if next(left, None) is None:
            raise FetchError("the server sends one interim answer after another")
        return await read()

    return limited


class _CheckedResolver(AbstractResolver):
    """Gives the connector only addresses that were checked: no second look-up, so no other answer, in between."""

    def __init__(self, resolver: AbstractResolver, trail: Trail) -> None:
        self._resolver = resolver
        self._trail = trail

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        results = await self._resolver.resolve(host, port, family)
        admitted = self._trail.admit(host, [result["host"] for result in results])
        return [result for result in results if result["host"] in admitted]

    async def close(self) -> None:
        await self._resolver.close()
