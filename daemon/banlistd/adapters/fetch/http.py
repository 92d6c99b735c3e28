"""Lists from servers, over HTTP. What arrives is hostile until it is whole, within its bounds, and from where we meant.

aiohttp alone takes half a gzip body for a whole one, inflates a bomb and follows a redirect to 169.254.169.254
(measured): so decompression, bounds and redirects are ours.
"""

import asyncio
import itertools
import math
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver

from banlistd.adapters.fetch.connections import NO_LISTENERS, FeedConnections, Listeners
from banlistd.adapters.fetch.credentials import read_credentials
from banlistd.adapters.fetch.http_faults import concealed, fetch_faults
from banlistd.adapters.fetch.name_lookups import NameLookups
from banlistd.adapters.fetch.pages import Arrived, Collecting, PageRequest
from banlistd.adapters.fetch.receiving import Receiver, Spool
from banlistd.adapters.fetch.routes import Route, route_of
from banlistd.core.config.model import Source
from banlistd.core.credentials import shown_url
from banlistd.core.download.archives.members import too_large
from banlistd.core.download.codings import content_coding
from banlistd.core.download.dates import Day
from banlistd.core.download.paging import next_link
from banlistd.core.download.redirects import MAX_REDIRECTS, REDIRECT_STATUSES, Trail
from banlistd.core.download.request import Request, Wish, is_one_body, secret_texts, usable_validator, wishes_for
from banlistd.core.download.retry import PASSING_STATUSES, backoff, parse_retry_after
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError, MissingError, ParseError, PassingError
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


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The source whose list is asked for, and the hash of the body that it had last. `reached`: the hosts connected to."""

    source: Source
    body_hash: str
    on_body: OnBody
    reached: list[str]
    route: Route


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

    `credentials`: systemd's $CREDENTIALS_DIRECTORY. `tls` and `resolver`: instead of the system's. Each hop has a connection of
    its own, so that no cookie and no open socket passes from one list to another; nothing is to be closed.
    """

    def __init__(
        self,
        version: str,
        local: Fetcher,
        parser: ListParser,
        credentials: Path | None = None,
        *,
        listeners: Listeners = NO_LISTENERS,
        retry: RetryPolicy = RetryPolicy(),
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._user_agent = f"banlistd/{version}"
        self._local = local
        self._parser = parser
        self._spool = Spool()
        self._credentials = credentials
        self._connections = FeedConnections(resolver or NameLookups(), listeners.on_connection, tls)
        self._listeners = listeners
        self._retry = retry

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if source.url is None:
            return await self._local.fetch(source, validators, on_body)
        reached: list[str] = []
        secrets = await asyncio.to_thread(read_credentials, self._credentials, source)
        try:
            route = await asyncio.to_thread(route_of, source, secrets, self._credentials)
            now = self._retry.now()
            days = [_day_at(now), _day_at(now - 86_400.0)]
            wishes = wishes_for(source, validators, secrets, self._user_agent, days)
            # Several bodies are parsed before it is known whether all of them together are the same as last time.
            wanted = _Wanted(source, validators.body_hash if is_one_body(source) else "", _only_once(on_body), reached, route)
            return await self._fetch_in_time(wishes, wanted, validators.body_hash)
        except (FetchError, ParseError) as error:
            if isinstance(error, FetchError):
                error.was_sent = bool(reached)
            if not source.is_confidential:
                raise
            # Without its cause: aiohttp's own messages carry the URL, and a traceback would show it.
            raise concealed(error, secret_texts(source, secrets)) from None

    async def _fetch_in_time(self, wishes: Sequence[Wish], wanted: _Wanted, last_hash: str) -> Download | NotModified:
        """One deadline over everything: all tries, all redirects, and the parser."""
        timeout = wanted.source.timeout
        faults: list[PassingError] = []
        try:
            async with asyncio.timeout(timeout) as deadline:
                ask = partial(self._ask_patiently, wanted, deadline, faults)
                if not is_one_body(wanted.source):
                    return await Collecting(wanted.source, ask, last_hash).whole(wishes)
                arrived = await ask(PageRequest(wishes[0][0], Trail(public_only=wanted.source.public_only)))
                return arrived.as_one_of_several()
        except TimeoutError as exc:
            hint = "raise `timeout` of the source, if the server is known to be slow"
            before = f"; the try before failed: {faults[-1].message}" if faults else ""
            raise FetchError(f"no whole answer from {shown_url(wishes[0][0].url)} within {timeout:g} s{before}", hint) from exc

    async def _ask_patiently(
        self, wanted: _Wanted, deadline: asyncio.Timeout, faults: list[PassingError], question: PageRequest
    ) -> Arrived:
        """Try again after a fault that may pass. Each of them is added to `faults`."""
        for attempt in itertools.count(1):
            try:
                return await self._follow(question, wanted, deadline)
            except PassingError as error:
                faults.append(error)
                pause = max(backoff(attempt - 1, self._retry.chance()), error.retry_after or 0.0)
                once = wanted.source.minimum is not None and wanted.reached  # this publisher has had its request
                if (
                    once
                    or attempt >= self._retry.attempts
                    or asyncio.get_running_loop().time() + pause >= (deadline.when() or math.inf)
                ):
                    raise
            await self._retry.sleep(pause)
        raise AssertionError  # the count does not end

    async def _follow(self, question: PageRequest, wanted: _Wanted, deadline: asyncio.Timeout) -> Arrived:
        question = replace(question, trail=question.trail.copy())
        for _ in range(MAX_REDIRECTS + 1):
            outcome = await self._get(question, wanted, deadline)
            if not isinstance(outcome, Request):
                if is_one_body(wanted.source):
                    self._listeners.on_arrival(wanted.source, question.trail.moved_to)
                return outcome
            question = replace(question, request=outcome)
            question.trail.redirected(outcome.url)
        raise FetchError(f"the server redirects more than {MAX_REDIRECTS} times")

    async def _get(self, question: PageRequest, wanted: _Wanted, deadline: asyncio.Timeout) -> Arrived | Request:
        """One request; a Request is what it redirects to."""
        request = question.request
        with fetch_faults(request.url):
            session, proxy = await self._connections.session(request, question.trail, wanted.route, wanted.reached.append)
            async with (
                session,
                session.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    data=request.body,
                    allow_redirects=False,
                    proxy=proxy,
                ) as response,
            ):
                if response.status in REDIRECT_STATUSES and "Location" in response.headers:
                    question.trail.answered(response.status)
                    return request.redirected_to(response.headers["Location"], response.status)
                self._refuse_status(response, request)
                if response.status == HTTPStatus.NOT_MODIFIED:
                    return Arrived(NotModified(), request, question.trail)
                return await self._receive(response, question, wanted, deadline)

    async def _receive(
        self, response: aiohttp.ClientResponse, question: PageRequest, wanted: _Wanted, deadline: asyncio.Timeout
    ) -> Arrived:
        if (response.content_length or 0) + question.octets > wanted.source.max_bytes:
            raise too_large(wanted.source.max_bytes)
        encoding = content_coding(", ".join(response.headers.getall("Content-Encoding", [])))
        link = next_link(response.headers.getall("Link", []))
        etag, last_modified = (usable_validator(response.headers.get(name, "")) for name in ("ETag", "Last-Modified"))
        receiver = Receiver(
            wanted.source, encoding, wanted.body_hash, wanted.on_body, self._parser, self._spool, question.octets
        )
        answer = await receiver.receive(response.content.iter_any(), etag, last_modified, deadline)
        return Arrived(answer, question.request, question.trail, link, receiver.arrived - question.octets)

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
        raise (MissingError if status == HTTPStatus.NOT_FOUND else FetchError)(message, hint)


def _day_at(moment: float) -> Day:
    """Seconds since the epoch."""
    year, month, day = time.strftime("%Y %m %d", time.gmtime(moment)).split()
    return year, month, day


def _only_once(on_body: OnBody) -> OnBody:
    """A list that is asked for again has a body again, and is one attempt all the same."""
    left = [on_body]

    async def at_first_body() -> None:
        if left:
            await left.pop()()

    return at_first_body
