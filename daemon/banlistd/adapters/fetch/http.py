"""Lists from servers, over HTTP. What arrives is hostile until it is whole, within its bounds, and from where we meant.

aiohttp alone takes half a gzip body for a whole one, inflates a bomb and follows a redirect to 169.254.169.254
(measured): so decompression, bounds and redirects are ours.
"""

import asyncio
import itertools
import math
import random
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from yarl import URL

from banlistd.adapters.fetch.credentials import read_credential
from banlistd.adapters.fetch.http_faults import LONGEST_HEADER, fetch_faults
from banlistd.adapters.fetch.name_lookups import NameLookups
from banlistd.adapters.fetch.receiving import Receiver, Spool
from banlistd.core.config.model import Source
from banlistd.core.credentials import conceal, credential_names, shown_url
from banlistd.core.download.codings import content_coding
from banlistd.core.download.members import too_large
from banlistd.core.download.redirects import MAX_REDIRECTS, REDIRECT_STATUSES, Trail, literal_address
from banlistd.core.download.request import Request, request_for, secret_texts, usable_validator
from banlistd.core.download.retry import PASSING_STATUSES, backoff, parse_retry_after
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError, ParseError, PassingError
from banlistd.model import NotModified, Validators
from banlistd.ports import Fetcher, ListParser, OnBody

_PHRASES = {int(status): status.phrase for status in HTTPStatus}

_HINTS = {
    401: "the server wants a login: see headers and ${credential:NAME}",
    403: "the server does not let us in: is a key needed, or was this host blocked?",
    404: "the list has moved or ended: look at its publisher's page",
    410: "the list has ended: remove the source",
    429: "poll less often: raise `every` of the source",
}


_MAX_HEADS = 20
"""The last one is that of the answer, the others are interim: no server has use for more than a few."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The source whose list is asked for, and the hash of the body that it had last."""

    source: Source
    body_hash: str
    on_body: OnBody


OnConnection = Callable[[str, str], None]
"""Called with a host (of a URL, or a proxy) and the address of the connection to it."""


def ignore_connection(_host: str, _address: str) -> None:
    """An OnConnection for which connections do not matter."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `attempts` tries; `sleep`, `chance` (0 to 1) and `now` (seconds since the epoch) serve the pauses in between."""

    attempts: int = 3
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    now: Callable[[], float] = time.time


class Downloads:
    """A Fetcher for every source: those with a `url` over HTTP, the others through `local`.

    Bytes go to `parser` as they arrive, or once it is known that they are not the same as last time.

    `credentials`: systemd's $CREDENTIALS_DIRECTORY. `on_connection`: called for each connection that was made. `tls` and
    `resolver`: instead of the system's. Each hop has a connection of its own, so that no cookie and no open socket passes from
    one list to another; nothing is to be closed.
    """

    def __init__(
        self,
        version: str,
        local: Fetcher,
        parser: ListParser,
        credentials: Path | None = None,
        *,
        on_connection: OnConnection = ignore_connection,
        retry: RetryPolicy = RetryPolicy(),
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._user_agent = f"banlistd/{version}"
        self._local = local
        self._parser = parser
        self._spool = Spool()
        self._credentials = credentials
        self._on_connection = on_connection
        self._retry = retry
        self._tls = tls
        self._resolver = resolver or NameLookups()

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if source.url is None:
            return await self._local.fetch(source, validators, on_body)
        secrets = await asyncio.to_thread(_read_credentials, self._credentials, source)
        try:
            request = request_for(source, validators, secrets, self._user_agent)
            return await self._fetch_in_time(request, _Wanted(source, validators.body_hash, _only_once(on_body)))
        except (FetchError, ParseError) as error:
            if not source.is_confidential:
                raise
            # Without its cause: aiohttp's own messages carry the URL, and a traceback would show it.
            raise _concealed(error, secret_texts(source, secrets)) from None

    async def _fetch_in_time(self, request: Request, wanted: _Wanted) -> Download | NotModified:
        """One deadline over everything: all tries, all redirects, and the parser."""
        timeout = wanted.source.timeout
        faults: list[PassingError] = []
        try:
            async with asyncio.timeout(timeout) as deadline:
                return await self._fetch_patiently(request, wanted, deadline, faults)
        except TimeoutError as exc:
            hint = "raise `timeout` of the source, if the server is known to be slow"
            before = f"; the try before failed: {faults[-1].message}" if faults else ""
            raise FetchError(f"no whole answer from {shown_url(request.url)} within {timeout:g} s{before}", hint) from exc

    async def _fetch_patiently(
        self, request: Request, wanted: _Wanted, deadline: asyncio.Timeout, faults: list[PassingError]
    ) -> Download | NotModified:
        """Try again after a fault that may pass. Each of them is added to `faults`."""
        for attempt in itertools.count(1):
            try:
                return await self._follow(request, wanted, deadline)
            except PassingError as error:
                faults.append(error)
                pause = max(backoff(attempt - 1, self._retry.chance()), error.retry_after or 0.0)
                if attempt >= self._retry.attempts or asyncio.get_running_loop().time() + pause >= (
                    deadline.when() or math.inf
                ):
                    raise
            await self._retry.sleep(pause)
        raise AssertionError  # the count does not end

    async def _follow(self, request: Request, wanted: _Wanted, deadline: asyncio.Timeout) -> Download | NotModified:
        trail = Trail(public_only=wanted.source.public_only)
        for _ in range(MAX_REDIRECTS + 1):
            outcome = await self._get(request, trail, wanted, deadline)
            if not isinstance(outcome, str):
                return outcome
            request = request.redirected_to(outcome)
            trail.redirected()
        raise FetchError(f"the server redirects more than {MAX_REDIRECTS} times")

    async def _get(
        self, request: Request, trail: Trail, wanted: _Wanted, deadline: asyncio.Timeout
    ) -> Download | NotModified | str:
        """One request; a str is where it redirects to."""
        with fetch_faults(request.url):
            host, proxy = urlsplit(request.url).hostname or "", _proxy_for(request.url)
            # Read as aiohttp reads it, which takes digits and dots of any script for an address and asks no resolver.
            literal = literal_address(URL(request.url).raw_host or "")
            if literal is not None:
                trail.admit(literal, [literal])
            elif proxy is not None:
                trail.unseen()  # the proxy resolves the name, out of our sight
            connector = aiohttp.TCPConnector(
                resolver=self._resolver if proxy is not None else _CheckedResolver(self._resolver, trail),
                use_dns_cache=False,
                force_close=True,
                ssl=self._tls or True,
            )
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    auto_decompress=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    response_class=_reporting(
                        self._on_connection, urlsplit(proxy).hostname or "" if proxy else host, request.url
                    ),
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                    max_line_size=LONGEST_HEADER,
                    max_field_size=LONGEST_HEADER,
                ) as session,
                session.get(request.url, headers=request.headers, allow_redirects=False, proxy=proxy) as response,
            ):
                if response.status in REDIRECT_STATUSES and "Location" in response.headers:
                    return response.headers["Location"]
                self._refuse_status(response, request)
                if response.status == HTTPStatus.NOT_MODIFIED:
                    return NotModified()
                return await self._receive(response, wanted, deadline)

    async def _receive(
        self, response: aiohttp.ClientResponse, wanted: _Wanted, deadline: asyncio.Timeout
    ) -> Download | NotModified:
        if (response.content_length or 0) > wanted.source.max_bytes:
            raise too_large(wanted.source.max_bytes)
        encoding = content_coding(", ".join(response.headers.getall("Content-Encoding", [])))
        etag, last_modified = (usable_validator(response.headers.get(name, "")) for name in ("ETag", "Last-Modified"))
        receiver = Receiver(wanted.source, encoding, wanted.body_hash, wanted.on_body, self._parser, self._spool)
        return await receiver.receive(response.content.iter_any(), etag, last_modified, deadline)

    def _refuse_status(self, response: aiohttp.ClientResponse, request: Request) -> None:
        status = response.status
        if status == HTTPStatus.OK:
            return
        if status == HTTPStatus.NOT_MODIFIED:
            if request.is_conditional:
                return
            raise FetchError("the server answered 304 Not Modified to a request that had no condition")
        # The phrase is ours, not the server's.
        phrase = _PHRASES.get(status, "(unknown)")
        message, hint = f"the server answered {status} {phrase}", _HINTS.get(status, "")
        if status in PASSING_STATUSES:
            raise PassingError(message, hint, parse_retry_after(response.headers.get("Retry-After", ""), self._retry.now()))
        raise FetchError(message, hint)


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


def _only_once(on_body: OnBody) -> OnBody:
    """A list that is asked for again has a body again, and is one attempt all the same."""
    left = [on_body]

    async def at_first_body() -> None:
        if left:
            await left.pop()()

    return at_first_body


def _concealed(error: FetchError | ParseError, secrets: Iterable[str]) -> FetchError | ParseError:
    message = conceal(error.message, secrets)
    if isinstance(error, FetchError):
        return FetchError(message, conceal(error.hint, secrets), error.retry_after)
    # The parser's own hint may quote the list.
    return ParseError(message, "no text of the list is shown, because its server may echo a secret")


def _proxy_for(url: str) -> str | None:
    """The proxy that the environment (http_proxy, https_proxy, no_proxy) names for a URL."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _read_credentials(folder: Path | None, source: Source) -> dict[str, str]:
    """The secrets that a source asks for, by name."""
    texts = (source.url or "", *source.headers.values())
    names = {name for text in texts for name in credential_names(text)}
    return {name: read_credential(folder, name) for name in sorted(names)}
